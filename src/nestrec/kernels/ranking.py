"""Full ranking of every user at every width in one pass: products, masking of seen items and top-k in one kernel.

Items are taken in tiles of 128, turned so that a tile's rows are dimensions; users in groups of 4. A group walks the
dimensions and adds `user[d] * tile[d, :]` to 4 x 128 running scores: with 4 users and 4 dimensions a step, 16
multiply-adds share 12 loads and stores. At each width the running scores are that width's scores, so a wider prefix
costs only its further dimensions, and no score leaves the first-level cache unless it may be among the best k.

Items are visited in the order of falling length, so that the first tiles hold most of what will be kept and later
ones are mostly passed over by one comparison; ties are still ordered by item index, which is part of the key
(`nestrec.kernels.selection`). Every score is summed in the same order, whatever the group, the block or the thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.errors import DataError
from nestrec.kernels.compiled import compiled
from nestrec.kernels.selection import LOWEST_KEY, LOWEST_SCORE, Keys, keep_best, key_of, score_bits_of, write_best
from nestrec.kernels.threads import checked_threads

FloatMatrix = npt.NDArray[np.float32]
FloatVector = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]
Pointers = npt.NDArray[np.int64]

_TILE = 128  # items; 128 x 64 dimensions x 4 bytes stay in the first-level cache
_GROUP = 4  # users scored together
_STRIP = 16  # scores compared with the threshold at once where a tile has one that reaches it
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
    ladder = np.array(widths, dtype=np.int64)
    threads = checked_threads(threads)

    def fill(block: slice) -> None:
        rows = user_index[block]
        users = _checked_users(user_embeddings[rows, : widths[-1]], catalogue.largest)
        indptr, seen = _rows_of(seen_indptr, seen_indices, rows)
        _rank_block(
            users,
            catalogue.vectors,
            catalogue.order,
            ladder,
            indptr,
            catalogue.places[seen],
            best,
            block.start,
            _room(k),
        )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, _blocks(len(user_index), threads, len(widths) * _room(k) * 8)))
    return best


def _room(k: int) -> int:
    """Return how many keys a buffer holds: the best k, nearly as many again before it is cut, and one strip more."""
    return k + max(k, 2 * _STRIP) + _STRIP


def _blocks(n_users: int, threads: int, bytes_per_user: int) -> Iterator[slice]:
    size = min(_BLOCK, max(_GROUP, _BUFFER_BYTES // bytes_per_user), -(-n_users // threads))
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


@compiled
def _rank_block(
    users: FloatMatrix,  # (n, widest)
    vectors: FloatMatrix,  # (n_items, >= widest)
    order: Indices,  # (n_items,) item_index in the order of visiting
    widths: Pointers,
    indptr: Pointers,  # (n + 1,)
    seen: Indices,  # places in that order, any order within a user; sorted here
    best: npt.NDArray[np.int32],  # (n_widths, n_ranked, k); filled from the block's start for its n users
    block_start: int,
    room: int,
) -> None:
    n_users, k = len(users), best.shape[2]
    n_groups = (n_users + _GROUP - 1) // _GROUP
    shape = (n_groups * _GROUP, len(widths))
    keys = np.empty((shape[0], shape[1], room), dtype=np.int64)
    counts = np.zeros(shape, dtype=np.int64)
    floors = np.full(shape, LOWEST_KEY, dtype=np.int64)
    thresholds = np.full(shape, LOWEST_SCORE, dtype=np.float32)
    thresholds[n_users:] = np.inf  # nobody: fills the last group
    grouped = _turn_users(users, n_groups)
    cursors = _sort_rows(indptr, seen)
    tile = np.empty((users.shape[1], _TILE), dtype=np.float32)
    scores = np.empty((_GROUP, _TILE), dtype=np.float32)
    for start in range(0, len(order), _TILE):
        here = order[start : start + _TILE]
        _turn_items(vectors, here, tile)
        for group in range(n_groups):
            first = group * _GROUP
            _start_scores(scores, len(here), start, first, n_users, indptr, seen, cursors)
            begin = 0
            for level in range(len(widths)):
                _add_products(grouped[group], tile, begin, widths[level], scores)
                begin = widths[level]
                for u in range(_GROUP):
                    user = first + u
                    if _reaches(scores[u], thresholds[user, level]):
                        _offer(
                            scores[u],
                            here,
                            k,
                            keys[user, level],
                            counts[user],
                            floors[user],
                            thresholds[user],
                            level,
                        )
    for user in range(n_users):
        for level in range(len(widths)):
            _finish(keys[user, level], counts[user, level], best[level, block_start + user])


@compiled
def _turn_users(users: FloatMatrix, n_groups: int) -> npt.NDArray[np.float32]:
    """Return (n_groups, widest, 4): the numbers of four users side by side, zeros where there is no fourth."""
    grouped = np.zeros((n_groups, users.shape[1], _GROUP), dtype=np.float32)
    for user in range(users.shape[0]):
        for d in range(users.shape[1]):
            grouped[user // _GROUP, d, user % _GROUP] = users[user, d]
    return grouped


@compiled
def _turn_items(vectors: FloatMatrix, items: Indices, tile: FloatMatrix) -> None:
    """Write the vectors of these items as columns of the tile, zeros after them."""
    for j in range(len(items)):
        vector = vectors[items[j]]
        for d in range(tile.shape[0]):
            tile[d, j] = vector[d]
    tile[:, len(items) :] = 0.0


@compiled
def _sort_rows(indptr: Pointers, seen: Indices) -> Pointers:
    """Sort each user's seen places; return where each user begins."""
    for user in range(len(indptr) - 1):
        seen[indptr[user] : indptr[user + 1]].sort()
    return indptr[:-1].copy()


@compiled
def _start_scores(
    scores: FloatMatrix,
    count: int,
    start: int,
    first: int,
    n_users: int,
    indptr: Pointers,
    seen: Indices,
    cursors: Pointers,  # (n,) where each user stands in its seen places; moved on
) -> None:
    """Begin with 0 for items to be ranked and minus infinity for seen ones, which no finite product changes."""
    scores[:, :] = 0.0
    if count < _TILE:
        scores[:, count:] = -np.inf
    for user in range(first, min(first + _GROUP, n_users)):
        cursor = cursors[user]
        while cursor < indptr[user + 1] and seen[cursor] < start + _TILE:
            scores[user - first, seen[cursor] - start] = -np.inf
            cursor += 1
        cursors[user] = cursor


@compiled
def _add_products(group: FloatMatrix, tile: FloatMatrix, begin: int, end: int, scores: FloatMatrix) -> None:
    """Add dimensions begin to end, four at a time; the four users are written out to be held in registers."""
    s0, s1, s2, s3 = scores[0], scores[1], scores[2], scores[3]
    d = begin
    while d + 4 <= end:
        a0, a1, a2, a3 = group[d, 0], group[d, 1], group[d, 2], group[d, 3]
        b0, b1, b2, b3 = group[d + 1, 0], group[d + 1, 1], group[d + 1, 2], group[d + 1, 3]
        c0, c1, c2, c3 = group[d + 2, 0], group[d + 2, 1], group[d + 2, 2], group[d + 2, 3]
        e0, e1, e2, e3 = group[d + 3, 0], group[d + 3, 1], group[d + 3, 2], group[d + 3, 3]
        ta, tb, tc, te = tile[d], tile[d + 1], tile[d + 2], tile[d + 3]
        for j in range(_TILE):
            a, b, c, e = ta[j], tb[j], tc[j], te[j]
            s0[j] += a0 * a + b0 * b + c0 * c + e0 * e
            s1[j] += a1 * a + b1 * b + c1 * c + e1 * e
            s2[j] += a2 * a + b2 * b + c2 * c + e2 * e
            s3[j] += a3 * a + b3 * b + c3 * c + e3 * e
        d += 4
    while d < end:
        for j in range(_TILE):
            s0[j] += group[d, 0] * tile[d, j]
            s1[j] += group[d, 1] * tile[d, j]
            s2[j] += group[d, 2] * tile[d, j]
            s3[j] += group[d, 3] * tile[d, j]
        d += 1


@compiled
def _offer(
    scores: FloatVector,
    items: Indices,
    k: int,
    keys: Keys,
    counts: Pointers,  # this and the next two: (n_widths,) of one user
    floors: Keys,
    thresholds: FloatVector,
    level: int,
) -> None:
    """Put the items of a tile whose scores reach the threshold into the buffer; cut the buffer where it gets full."""
    bits = scores.view(np.int32)
    count, floor, threshold = counts[level], floors[level], thresholds[level]
    for strip in range(0, len(items), _STRIP):
        stop = min(strip + _STRIP, len(items))
        if not _reaches(scores[strip:stop], threshold):
            continue
        for j in range(strip, stop):
            key = key_of(bits[j], items[j])
            keys[count] = key  # written always, counted where it is good enough: no branch to guess
            count += int(key >= floor)
        if count + _STRIP > len(keys):
            count, floor = keep_best(keys, count, k, k // 16)
            thresholds.view(np.int32)[level] = score_bits_of(floor)
            threshold = thresholds[level]
    counts[level], floors[level] = count, floor


@compiled
def _reaches(scores: FloatVector, threshold: np.float32) -> bool:
    """Say whether any score is at or above the threshold; without a way out on the first, which would be slower."""
    found = False
    for j in range(len(scores)):
        found |= scores[j] >= threshold
    return found


@compiled
def _finish(keys: Keys, count: int, best: npt.NDArray[np.int32]) -> None:
    k = len(best)
    if count > k:
        count, _ = keep_best(keys, count, k, k // 16)
    write_best(keys[:count], best)
