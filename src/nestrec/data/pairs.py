"""Pairs collected while reading and sorted into CSR rows at the end, each pair once."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.data.pair_weights import WeightRule
from nestrec.data.spill import SpilledColumns
from nestrec.kernels.data import csr as kernel
from nestrec.parallel.slices import ENTRIES, row_slices
from nestrec.parallel.threads import map_in_threads

_NONE: Float64Array = np.empty(0, dtype=np.float64)
_RULES = {"first": kernel.FIRST, "last": kernel.LAST, "sum": kernel.SUM}


@dataclass(frozen=True)
class RepeatRule:
    """How the rows of one pair are joined where ratings are kept until the end."""

    name: str = "last"  # first, last or sum
    min_rating: float | None = None  # a pair rated below is dropped; None: ratings are not kept

    @property
    def uses_ratings(self) -> bool:
        """Whether a rating is kept for each row."""
        return self.min_rating is not None

    @property
    def arguments(self) -> tuple[int, float]:
        """The rule and the minimum, as the kernel takes them."""
        return _RULES[self.name], self.min_rating or 0.0


class PairStore:
    """(user entry, item entry[, time][, rating][, weight]) in the order read.

    Use it in a `with` block: it may hold a file. By default a pair has its latest time. Ratings and weights are stored
    only where a rule uses them.
    """

    def __init__(
        self,
        memory_bytes: int,
        *,
        with_times: bool,
        rule: RepeatRule | None = None,
        weights: WeightRule | None = None,  # None: rows have no weights
    ) -> None:
        self._with_times, self._rule, self._weights = with_times, rule or RepeatRule(), weights
        self._is_kept = (with_times, self._rule.uses_ratings, weights is not None)  # of times, ratings and weights
        self._columns = SpilledColumns((np.int32, np.int32, *(np.float64,) * sum(self._is_kept)), memory_bytes)
        self.n_distinct = 0  # pairs read, those below the minimum included; set by `rows`
        self.weights: Float32Array | None = None  # of the pairs; set by `rows`

    def __enter__(self) -> PairStore:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the temporary file, if there is one."""
        self._columns.close()

    @property
    def n_pairs(self) -> int:
        """Pairs added, repeats included."""
        return self._columns.n_rows

    def add(
        self,
        users: Int32Array,
        items: Int32Array,
        times: Float64Array | None,
        ratings: Float64Array | None = None,
        weights: Float64Array | None = None,
    ) -> None:
        """Append pairs; (n,) each."""
        values = zip((times, ratings, weights), self._is_kept, strict=True)
        # Copies of views: a view would keep the reader's whole batch in memory.
        kept = [_own(_NONE if column is None else column) for column, is_kept in values if is_kept]
        self._columns.append(users, items, *kept)

    def rows(
        self, user_ranks: Int32Array, item_ranks: Int32Array, threads: int
    ) -> tuple[Int64Array, Int32Array, Float64Array | None]:
        """Return indptr, indices and times of the matrix, each pair once; set `weights`."""
        indptr = self._count_rows(user_ranks)
        indices, times, ratings, weights = self._place(indptr, user_ranks, item_ranks)
        self._columns.clear()
        if self._weights is not None:
            self._weights.decay(weights, times)
        shares = row_slices(indptr, max(1, min(ENTRIES, int(indptr[-1]) // (8 * threads))))
        map_in_threads(
            lambda share: kernel.sort_rows(indptr, indices, times, ratings, weights, *share), shares, threads
        )
        if self._weights is not None:
            combine = self._weights.combine
            map_in_threads(lambda share: combine(indptr, indices, weights, *share), shares, threads)
        n_kept, self.n_distinct = kernel.join_repeats(indptr, indices, times, ratings, weights, *self._rule.arguments)
        _shorten(indices, n_kept)
        _shorten(times, n_kept)
        if self._weights is not None:
            self.weights = self._weights.finish(weights[:n_kept])
        return indptr, indices, times if self._with_times else None

    def _count_rows(self, user_ranks: Int32Array) -> Int64Array:
        """Return where each row begins, with the end of the last; (n_users + 1,)."""
        # Entries may share a rank, so the matrix may have fewer rows than there are entries.
        counts = np.zeros(int(user_ranks.max(initial=-1)) + 1, dtype=np.int64)
        for users, *_ in self._columns.parts():
            kernel.count_rows(users, user_ranks, counts)
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])

    def _place(
        self, indptr: Int64Array, user_ranks: Int32Array, item_ranks: Int32Array
    ) -> tuple[Int32Array, Float64Array, Float64Array, Float64Array]:
        """Return indices, times, ratings and weights of all pairs, row by row; (0,) of what is not kept."""
        indices = np.empty(self.n_pairs, dtype=np.int32)
        times, ratings, weights = (np.empty(self.n_pairs if is_kept else 0) for is_kept in self._is_kept)
        cursor = indptr[:-1].copy()
        for users, items, *values in self._columns.parts():
            rest = iter(values)
            of_times, of_ratings, of_weights = (next(rest) if is_kept else _NONE for is_kept in self._is_kept)
            kernel.place_pairs(
                users, items, of_times, of_ratings, of_weights, user_ranks, item_ranks, cursor, indices, times, ratings,
                weights,
            )  # fmt: skip
        return indices, times, ratings, weights


def _own(column: Float64Array) -> Float64Array:
    return column if column.base is None else column.copy()


def _shorten(array: npt.NDArray[Any], size: int) -> None:
    """Give the rest of a large array back, in place: a copy would double the memory for a moment."""
    if len(array) > size:
        array.resize(size, refcheck=False)
