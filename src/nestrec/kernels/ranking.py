"""Full ranking of every user at every width in one pass: checks, the order of visiting, blocks of users for threads.

The work is done in `nestrec.kernels.ranking_block`. Items are visited in the order of falling length, so that the first
ones hold most of what will be kept and later ones are mostly passed over by one comparison; ties are still ordered by
item index.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.errors import DataError
from nestrec.kernels.ranking_block import GROUP, STRIP, FloatMatrix, Indices, Pointers, rank_block
from nestrec.kernels.selection import LOWEST_SCORE
from nestrec.kernels.threads import checked_threads

_BLOCK = 512  # users a thread takes at once; turning the items costs 1/512 of the products then
_BUFFER_BYTES = 1 << 24  # per thread; fewer users a block where k is large


class _Catalogue(NamedTuple):
    """What the blocks share."""

    vectors: FloatMatrix  # (n_items, widest), contiguous
    order: Indices  # (n_items,) item_index, in the order of visiting
    places: Indices  # (n_items,) where each item stands in that order
    largest: float  # length of the longest vector


def rank_widths(
    user_embeddings: FloatMatrix,  # (n_users, >= widest) float32
    item_embeddings: FloatMatrix,  # (n_items, >= widest) float32
    widths: tuple[int, ...],  # ascending
    seen_indptr: Pointers,  # (n_users + 1,)
    seen_indices: Indices,  # item_index that are not ranked for the user of the row
    user_index: npt.NDArray[np.integer],  # (n_ranked,) rows to rank for, in this order
    k: int,
    threads: int | None = None,  # None uses all processors
) -> Indices:
    """Return the best k unseen items of each user at each width, best first, equal scores by item index.

    The result is (n_widths, n_ranked, k) int32 item_index, -1 where fewer than k items are left. Memory beyond it is
    bounded by a block of users per thread. Raises DataError where vectors are not finite or so long that a product
    would not be.
    """
    best = np.full((len(widths), len(user_index), k), -1, dtype=np.int32)
    if best.size == 0:
        return best
    catalogue = _visiting_order(item_embeddings, widths[-1])
    room = _room(min(k, len(item_embeddings)))
    ladder = np.array(widths, dtype=np.int64)
    threads = checked_threads(threads)

    def fill(block: slice) -> None:
        rows = user_index[block]
        users = _checked_users(user_embeddings[rows, : widths[-1]], catalogue.largest)
        indptr, seen = _rows_of(seen_indptr, seen_indices, rows)
        rank_block(
            users,
            catalogue.vectors,
            catalogue.order,
            ladder,
            indptr,
            catalogue.places[seen],
            best,
            block.start,
            room,
        )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, _blocks(len(user_index), threads, len(widths) * room * 8)))
    return best


def _room(k: int) -> int:
    """Return how many keys a buffer holds: the best k, nearly as many again before it is cut, and one strip more."""
    return k + max(k, 2 * STRIP) + STRIP


def _blocks(n_users: int, threads: int, bytes_per_user: int) -> Iterator[slice]:
    size = min(_BLOCK, max(GROUP, _BUFFER_BYTES // bytes_per_user), -(-n_users // threads))
    return (slice(start, min(start + size, n_users)) for start in range(0, n_users, size))


def _visiting_order(vectors: FloatMatrix, widest: int) -> _Catalogue:
    lengths = _lengths(vectors[:, :widest])
    order = np.argsort(-lengths, kind="stable").astype(np.int32)
    places = np.empty_like(order)
    places[order] = np.arange(len(order), dtype=np.int32)
    largest = float(lengths.max(initial=0.0))
    if not np.isfinite(largest):
        raise DataError("an item vector holds a number that is not finite; nothing can be ranked by it")
    return _Catalogue(np.ascontiguousarray(vectors[:, :widest], dtype=np.float32), order, places, largest)


def _checked_users(vectors: FloatMatrix, largest_item: float) -> FloatMatrix:
    largest = float(_lengths(vectors).max())
    if not np.isfinite(largest):
        raise DataError("a user vector holds a number that is not finite; nothing can be ranked by it")
    if largest * largest_item > -0.5 * float(LOWEST_SCORE):
        raise DataError(
            f"a user vector of length {largest:.3g} and an item vector of length {largest_item:.3g} have products "
            "beyond the range of 32-bit floats; scale the vectors down"
        )
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _lengths(vectors: FloatMatrix) -> npt.NDArray[np.float64]:
    squares: npt.NDArray[np.float64] = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64, casting="safe")
    return np.sqrt(squares)


def _rows_of(indptr: Pointers, indices: Indices, rows: npt.NDArray[np.integer]) -> tuple[Pointers, Indices]:
    """Return indptr and indices of these rows, copied out."""
    begins, ends = indptr[rows], indptr[rows + 1]
    own = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(ends - begins, out=own[1:])
    return own, indices[np.arange(own[-1]) + np.repeat(begins - own[:-1], ends - begins)]
