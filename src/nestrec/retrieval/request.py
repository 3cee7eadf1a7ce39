"""Arguments of a search, validated once, and the ranking of its best keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arguments import check_integer
from nestrec.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nestrec.errors import DataError, OptionError
from nestrec.kernels.search.selection import NO_KEY, decode_items, decode_scores
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.ranking import Ranking, Work

_SHORT_LIST = 1000
_MOST_ANSWERS = 500_000_000  # 6 GB of ids and scores


@dataclass(frozen=True, eq=False)
class Request:
    """Validated queries with their filters."""

    queries: Float32Array  # (n_queries, width) float32, C-contiguous, finite
    k: int
    excluded: ItemLists
    allowed: BoolArray | None  # (n_items,) what may be returned to any query; None: everything
    lists: ItemLists | None = None  # by query, what alone may be returned to it; None: everything

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def candidates(self) -> Int32Array | None:
        """Indices of the items that may be returned to any query, ascending; None: everything."""
        return None if self.allowed is None else np.flatnonzero(self.allowed).astype(np.int32)

    def select(self, rows: npt.NDArray[np.integer]) -> Request:
        """Return the request of some of the queries, in this order."""
        lists = None if self.lists is None else self.lists.select(rows)
        return Request(self.queries[rows], self.k, self.excluded.select(rows), self.allowed, lists)

    def slice(self, rows: slice) -> Request:
        """Return the request of consecutive queries, as views."""
        if len(self) == rows.stop - rows.start:
            return self
        lists = None if self.lists is None else self.lists.slice(rows)
        return Request(self.queries[rows], self.k, self.excluded.slice(rows), self.allowed, lists)


def validate_request(
    queries: npt.ArrayLike,
    k: int,
    exclude: ItemLists | None,
    allow: npt.ArrayLike | None,
    deny: npt.ArrayLike | None,
    lists: ItemLists | None = None,
    *,
    n_items: int,
    width: int,
) -> Request:
    """Validate the arguments of a search over so many items of this width.

    Raises DataError for numbers that are not finite, OptionError for shapes, a k or item indices that do not fit.
    """
    vectors = as_matrix("queries", queries)
    if vectors.ndim != 2 or vectors.shape[1] < width:
        raise OptionError(f"queries must be rows of {width} dimensions or more, got shape {vectors.shape}")
    vectors = np.ascontiguousarray(vectors[:, :width])
    if not np.isfinite(vectors).all():
        bad = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise DataError(f"queries must be finite numbers, got NaN or infinity in query {bad}")
    excluded = _validate_lists("exclusions", exclude or ItemLists.empty(len(vectors)), len(vectors), n_items)
    own = None if lists is None else _validate_lists("allow-lists", lists, len(vectors), n_items)
    return Request(vectors, check_k(k), excluded, combine_filters(allow, deny, n_items), own)


def check_vectors(vectors: Float32Array, n_items: int, width: int) -> None:
    """Raise OptionError unless item vectors are float32 (n_items, width or more)."""
    if vectors.ndim != 2 or len(vectors) != n_items or vectors.shape[1] < width or vectors.dtype != np.float32:
        raise OptionError(
            f"item vectors must be float32 ({n_items}, {width} or more), got {vectors.dtype} {vectors.shape}; give the "
            "model's item vectors, for a coarse index those it was built from"
        )


def as_matrix(name: str, vectors: npt.ArrayLike) -> Float32Array:
    """Return rows of numbers as float32; raise DataError for ragged rows, booleans, complex numbers and text."""
    try:
        array = np.asarray(vectors)
    except ValueError as error:
        raise DataError(f"{name} must be rows of equal length, got {_shorten(vectors)} ({error})") from error
    if array.dtype.kind == "O":
        array = _from_objects(name, array)
    if array.dtype.kind not in "iuf":
        raise DataError(f"{name} must be real numbers, as float32, got {array.dtype}")
    with np.errstate(over="ignore"):  # infinite numbers are found where the vectors are validated
        return array.astype(np.float32, copy=False)


def _from_objects(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if all(isinstance(value, (int, float, np.integer, np.floating)) and value is not True for value in array.flat):
        return array.astype(np.float64)
    kinds = ", ".join(sorted({type(value).__name__ for value in array.flat})[:4])
    raise DataError(f"{name} must be rows of numbers of equal length, got objects of type {kinds}")


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."


def check_k(k: int) -> int:
    """Return the number of items to return; raise OptionError unless it is a whole number from 1 on."""
    number = check_integer("k", k, 10)
    if number < 1:
        raise OptionError(f"k must be 1 or more, the number of ids to return; got {number}", option="k")
    return number


def check_result_size(k: int, n_queries: int, n_items: int) -> None:
    """Raise OptionError for a k beyond the catalogue, or results too large for memory.

    In a small catalogue up to a thousand may be returned, padded at the end.
    """
    if k > max(n_items, _SHORT_LIST):
        raise OptionError(f"k must be at most {n_items}, the number of items to choose from; got {k}", option="k")
    if k * n_queries > _MOST_ANSWERS:
        raise OptionError(
            f"k={k} for {n_queries} ids at once is more than {_MOST_ANSWERS} answers; give fewer ids at a time, a "
            "smaller k, or write a file with nestrec recommend --all-users --out FILE"
        )


def empty_keys(n_queries: int, k: int) -> Int64Array:
    """Return space for the best k keys of each query."""
    return np.full((n_queries, k), NO_KEY, dtype=np.int64)


def rank_keys(best: Int64Array, k: int, work: Work) -> Ranking:
    """Return the ranking of keys in descending order, padded to k; ids are item indices."""
    if best.shape[1] < k:
        best = np.pad(best, ((0, 0), (0, k - best.shape[1])), constant_values=NO_KEY)
    return Ranking(decode_items(best), decode_scores(best), np.arange(len(best)), work=work)


def _validate_lists(noun: str, lists: ItemLists, n_queries: int, n_items: int) -> ItemLists:
    indptr, indices = np.asarray(lists.indptr, dtype=np.int64), np.asarray(lists.indices)
    if len(indptr) != n_queries + 1 or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
        raise OptionError(
            f"{noun} must be a CSR matrix with a row for each of {n_queries} queries, got {len(indptr) - 1} rows "
            f"and {len(indices)} items"
        )
    return ItemLists(indptr, _validate_items(indices, n_items))


def _validate_items(indices: npt.ArrayLike, n_items: int) -> Int32Array:
    items = np.asarray(indices).reshape(-1)
    if len(items) and not (items.dtype.kind in "iu" and items.min() >= 0 and items.max() < n_items):
        raise OptionError(f"item indices must be from 0 to {n_items - 1}, got {items.min()} to {items.max()}")
    return items.astype(np.int32)


def combine_filters(allow: npt.ArrayLike | None, deny: npt.ArrayLike | None, n_items: int) -> BoolArray | None:
    """Return which items an allow-list and a deny-list of item indices leave, (n_items,); None: all."""
    if allow is None and deny is None:
        return None
    allowed = np.full(n_items, allow is None)
    if allow is not None:
        allowed[_validate_items(allow, n_items)] = True
    if deny is not None:
        allowed[_validate_items(deny, n_items)] = False
    return allowed
