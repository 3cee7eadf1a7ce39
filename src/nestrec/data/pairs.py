"""Pairs collected while reading and sorted into CSR rows at the end, each pair once."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float64Array, Int32Array, Int64Array
from nestrec.data.spill import SpilledColumns
from nestrec.kernels.data import csr as kernel
from nestrec.kernels.data import repeats as rated_kernel
from nestrec.parallel.slices import ENTRIES, row_slices
from nestrec.parallel.threads import map_in_threads

_NONE: Float64Array = np.empty(0, dtype=np.float64)
_RULES = {"first": rated_kernel.FIRST, "last": rated_kernel.LAST, "sum": rated_kernel.SUM}


@dataclass(frozen=True)
class RepeatRule:
    """How the rows of one pair are joined where ratings are kept until the end."""

    name: str  # first, last or sum
    min_rating: float | None = None  # a pair rated below is dropped; None: ratings are not kept

    @property
    def uses_ratings(self) -> bool:
        """Whether a rating is kept for each row."""
        return self.min_rating is not None


class PairStore:
    """(user entry, item entry[, time][, rating]) in the order read. Use it in a `with` block: it may hold a file.

    Without a rule a pair has its latest time. Ratings are stored only where the rule uses them.
    """

    def __init__(self, memory_bytes: int, *, with_times: bool, rule: RepeatRule | None = None) -> None:
        self._with_times, self._rule = with_times, rule
        self._with_ratings = rule is not None and rule.uses_ratings
        floats = (np.float64,) * (with_times + self._with_ratings)
        self._columns = SpilledColumns((np.int32, np.int32, *floats), memory_bytes)
        self.n_distinct = 0  # pairs read, those below the minimum included; set by `rows`

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
        self, users: Int32Array, items: Int32Array, times: Float64Array | None, ratings: Float64Array | None = None
    ) -> None:
        """Append pairs; (n,) each."""
        values = ((times, self._with_times), (ratings, self._with_ratings))
        # Copies of views: a view would keep the reader's whole batch in memory.
        kept = [_own(_NONE if column is None else column) for column, is_kept in values if is_kept]
        self._columns.append(users, items, *kept)

    def rows(
        self, user_ranks: Int32Array, item_ranks: Int32Array, threads: int
    ) -> tuple[Int64Array, Int32Array, Float64Array | None]:
        """Return indptr, indices and times of the matrix, each pair once."""
        # Entries may share a rank, so the matrix may have fewer rows than there are entries.
        counts = np.zeros(int(user_ranks.max(initial=-1)) + 1, dtype=np.int64)
        for users, *_ in self._columns.parts():
            kernel.count_rows(users, user_ranks, counts)
        indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
        indices = np.empty(self.n_pairs, dtype=np.int32)
        times = np.empty(self.n_pairs, dtype=np.float64) if self._with_times else _NONE
        ratings = np.empty(self.n_pairs, dtype=np.float64) if self._with_ratings else _NONE
        cursor, rating_cursor = indptr[:-1].copy(), indptr[:-1].copy()
        for users, items, *values in self._columns.parts():
            part_times = values[0] if self._with_times else _NONE
            kernel.place_pairs(users, items, part_times, user_ranks, item_ranks, cursor, indices, times)
            if self._with_ratings:
                rated_kernel.place_values(users, values[-1], user_ranks, rating_cursor, ratings)
        self._columns.clear()
        _sort(indptr, indices, times, ratings, threads, rated=self._rule is not None)
        n_kept = self._join(indptr, indices, times, ratings)
        _shorten(indices, n_kept)
        _shorten(times, n_kept if self._with_times else 0)
        return indptr, indices, times if self._with_times else None

    def _join(self, indptr: Int64Array, indices: Int32Array, times: Float64Array, ratings: Float64Array) -> int:
        if self._rule is None:
            self.n_distinct = kernel.drop_repeats(indptr, indices, times)
            return self.n_distinct
        minimum = 0.0 if self._rule.min_rating is None else self._rule.min_rating
        n_kept, self.n_distinct = rated_kernel.join_repeats(
            indptr, indices, times, ratings, _RULES[self._rule.name], minimum
        )
        return n_kept


def _sort(
    indptr: Int64Array, indices: Int32Array, times: Float64Array, ratings: Float64Array, threads: int, *, rated: bool
) -> None:
    """Sort each row, in shares of about equally many pairs."""
    shares = row_slices(indptr, max(1, min(ENTRIES, int(indptr[-1]) // (8 * threads))))
    if rated:
        map_in_threads(
            lambda share: rated_kernel.sort_rated_rows(indptr, indices, times, ratings, *share), shares, threads
        )
    else:
        map_in_threads(lambda share: kernel.sort_rows(indptr, indices, times, *share), shares, threads)


def _own(column: Float64Array) -> Float64Array:
    return column if column.base is None else column.copy()


def _shorten(array: npt.NDArray[Any], size: int) -> None:
    """Give the rest of a large array back, in place: a copy would double the memory for a moment."""
    if len(array) > size:
        array.resize(size, refcheck=False)
