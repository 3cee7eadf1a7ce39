"""What a retriever is asked, checked once at the door, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arguments import whole_number
from nestrec.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nestrec.errors import DataError, OptionError
from nestrec.kernels.search.selection import NO_KEY, items_of, scores_of
from nestrec.retrieval.top_k import Exclusions

_SHORT_LIST = 1000
_MOST_ANSWERS = 500_000_000  # 6 GB of ids and scores


class Work(NamedTuple):
    """What a search had to do, summed over its queries."""

    possible: int  # pairs of a query and an item
    screened: int  # of them, scored by few numbers
    rescored: int  # of them, scored by all numbers

    @property
    def pruned(self) -> float:
        """Share of the pairs that never needed all numbers of the item; divides by all pairs.

        Never below 0, though a proof that took several attempts has scored some pairs more than once.
        """
        return max(0.0, 1.0 - self.rescored / self.possible) if self.possible else 0.0


class Retrieved(NamedTuple):
    """The best items of each query, best first; equal scores by item index."""

    items: Int32Array  # (n_queries, k) item_index; -1 where fewer than k items are left
    scores: Float32Array  # (n_queries, k) float32; minus infinity there
    work: Work


@dataclass(frozen=True, eq=False)
class Request:
    """Queries that can be answered."""

    queries: Float32Array  # (n_queries, width) float32, C-contiguous, finite
    k: int
    excluded: Exclusions | None
    allowed: BoolArray | None  # (n_items,) what may be returned to anyone; None: everything

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def candidates(self) -> Int32Array | None:
        """Item indices of what may be returned to anyone, ascending; None: everything."""
        return None if self.allowed is None else np.flatnonzero(self.allowed).astype(np.int32)

    def of(self, rows: npt.NDArray[np.integer]) -> Request:
        """Return the request of some of the queries, in this order."""
        excluded = None if self.excluded is None else Exclusions(*self.excluded.of(rows))
        return Request(self.queries[rows], self.k, excluded, self.allowed)

    def part(self, rows: slice) -> Request:
        """Return the request of queries that follow each other; nothing is copied."""
        if len(self) == rows.stop - rows.start:
            return self
        excluded = self.excluded
        if excluded is not None:
            indptr = excluded.indptr[rows.start : rows.stop + 1]
            excluded = Exclusions(indptr - indptr[0], excluded.indices[indptr[0] : indptr[-1]])
        return Request(self.queries[rows], self.k, excluded, self.allowed)


def request(
    queries: npt.ArrayLike,
    k: int,
    exclude: Exclusions | None,
    allow: npt.ArrayLike | None,
    deny: npt.ArrayLike | None,
    *,
    n_items: int,
    width: int,
) -> Request:
    """Check what a retriever of so many items and this width is asked.

    Raises DataError for numbers that are not finite, OptionError for shapes, a k or item indices that do not fit.
    """
    vectors = np.ascontiguousarray(as_matrix("queries", queries))
    if vectors.ndim != 2 or vectors.shape[1] < width:
        raise OptionError(f"queries of shape {vectors.shape} do not fit; give rows of {width} numbers or more")
    vectors = np.ascontiguousarray(vectors[:, :width])
    if not np.isfinite(vectors).all():
        bad = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise DataError(f"query {bad} holds a number that is not finite; nothing can be ranked by it")
    if exclude is not None:
        exclude = _checked_exclusions(exclude, len(vectors), n_items)
    return Request(vectors, checked_k(k), exclude, _allowed(allow, deny, n_items))


def check_vectors(vectors: Float32Array, n_items: int, width: int) -> None:
    """Raise OptionError where item vectors are not the (n_items, width or more) float32 numbers of a screen."""
    if vectors.ndim != 2 or len(vectors) != n_items or vectors.shape[1] < width or vectors.dtype != np.float32:
        raise OptionError(
            f"item vectors must be float32 ({n_items}, {width} or more), got {vectors.dtype} {vectors.shape}; give the "
            "vectors that the screen was built from"
        )


def as_matrix(name: str, vectors: npt.ArrayLike) -> Float32Array:
    """Return rows of numbers as float32; raise DataError for ragged rows, truth values, complex numbers and text."""
    try:
        array = np.asarray(vectors)
    except ValueError as error:
        raise DataError(f"{name} must be rows of equal length, got {_shorten(vectors)} ({error})") from error
    if array.dtype.kind == "O":
        array = _from_objects(name, array)
    if array.dtype.kind not in "iuf":
        raise DataError(f"{name} must be real numbers, as float32, got {array.dtype}")
    with np.errstate(over="ignore"):  # infinite numbers are found where the vectors are checked
        return array.astype(np.float32, copy=False)


def _from_objects(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if all(isinstance(value, (int, float, np.integer, np.floating)) and value is not True for value in array.flat):
        return array.astype(np.float64)
    kinds = ", ".join(sorted({type(value).__name__ for value in array.flat})[:4])
    raise DataError(f"{name} must be rows of numbers of equal length, got objects of type {kinds}")


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."


def checked_k(k: int) -> int:
    """Return the number of items to return; raise OptionError for what is no whole number from 1 on."""
    wanted = whole_number("k", k, 10)
    if wanted < 1:
        raise OptionError(f"k={wanted} returns nothing; give the number of ids to return, 1 or more")
    return wanted


def check_answer_size(k: int, n_queries: int, n_items: int) -> None:
    """Raise OptionError for a k beyond the catalogue, or answers that no memory holds at once.

    In a small catalogue a list may have up to a thousand places, the last ones empty.
    """
    if k > max(n_items, _SHORT_LIST):
        raise OptionError(f"k must be at most {n_items}, the number of items to choose from; got {k}")
    if k * n_queries > _MOST_ANSWERS:
        raise OptionError(
            f"k={k} for {n_queries} ids at once is more than {_MOST_ANSWERS} answers; give fewer ids at a time, a "
            "smaller k, or write a file with nestrec recommend --all-users --out FILE"
        )


def no_keys(n_queries: int, k: int) -> Int64Array:
    """Return room for the best k of each query."""
    return np.full((n_queries, k), NO_KEY, dtype=np.int64)


def retrieved(best: Int64Array, k: int, work: Work) -> Retrieved:
    """Return keys, greatest first, as items and scores; filled up to k."""
    if best.shape[1] < k:
        best = np.pad(best, ((0, 0), (0, k - best.shape[1])), constant_values=NO_KEY)
    return Retrieved(items_of(best), scores_of(best), work)


def _checked_exclusions(exclude: Exclusions, n_queries: int, n_items: int) -> Exclusions:
    indptr, indices = np.asarray(exclude.indptr, dtype=np.int64), np.asarray(exclude.indices)
    if len(indptr) != n_queries + 1 or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
        raise OptionError(
            f"exclusions of {len(indptr) - 1} rows and {len(indices)} items do not fit {n_queries} queries; give a row "
            "for each, as in a CSR matrix"
        )
    return Exclusions(indptr, checked_items(indices, n_items))


def checked_items(indices: npt.ArrayLike, n_items: int) -> Int32Array:
    """Return item indices as int32; raise OptionError for one that is no item."""
    items = np.asarray(indices).reshape(-1)
    if len(items) and not (items.dtype.kind in "iu" and items.min() >= 0 and items.max() < n_items):
        raise OptionError(f"item indices are whole numbers from 0 to {n_items - 1}; got {items.min()} to {items.max()}")
    return items.astype(np.int32)


def _allowed(allow: npt.ArrayLike | None, deny: npt.ArrayLike | None, n_items: int) -> BoolArray | None:
    if allow is None and deny is None:
        return None
    allowed = np.ones(n_items, dtype=np.bool_)
    if allow is not None:
        allowed[:] = False
        allowed[checked_items(allow, n_items)] = True
    if deny is not None:
        allowed[checked_items(deny, n_items)] = False
    return allowed
