"""Ranking a block of users at every width: products, masking of seen items and top-k in one kernel.

Items are taken in tiles of 128, turned so that a tile's rows are dimensions; users in groups of 4. A group walks the
dimensions and adds `user[d] * tile[d, :]` to 4 x 128 running scores: with 4 users and 4 dimensions a step, 16
multiply-adds share 12 loads and stores. At each width the running scores are that width's scores, so a wider prefix
costs only its further dimensions, and no score leaves the first-level cache unless it may be among the best k.
Every score is summed in the same order, whatever the group, the block or the thread.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.kernels.compiled import compiled
from nestrec.kernels.selection import LOWEST_KEY, LOWEST_SCORE, Keys, keep_best, key_of, score_bits_of, write_best

FloatMatrix = npt.NDArray[np.float32]
FloatVector = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]
Pointers = npt.NDArray[np.int64]

GROUP = 4  # users scored together
STRIP = 16  # scores compared with the threshold at once where a tile has one that reaches it
_TILE = 128  # items; 128 x 64 dimensions x 4 bytes stay in the first-level cache


@compiled
def rank_block(
    users: FloatMatrix,  # (n, widest)
    vectors: FloatMatrix,  # (n_items, >= widest)
    order: Indices,  # (n_items,) item_index in the order of visiting
    widths: Pointers,
    indptr: Pointers,  # (n + 1,)
    seen: Indices,  # places in that order, any order within a user; sorted here
    best: npt.NDArray[np.int32],  # (n_widths, n_ranked, k); filled from the block's start for its n users
    block_start: int,
    room: int,  # keys a buffer holds
) -> None:
    """Rank every item but the seen ones for each user at each width; -1 in `best` stays where no item is left."""
    n_users, k = len(users), best.shape[2]
    n_groups = (n_users + GROUP - 1) // GROUP
    shape = (n_groups * GROUP, len(widths))
    keys = np.empty((shape[0], shape[1], room), dtype=np.int64)
    counts = np.zeros(shape, dtype=np.int64)
    floors = np.full(shape, LOWEST_KEY, dtype=np.int64)
    thresholds = np.full(shape, LOWEST_SCORE, dtype=np.float32)
    thresholds[n_users:] = np.inf  # nobody: fills the last group
    grouped = _turn_users(users, n_groups)
    cursors = _sort_rows(indptr, seen)
    tile = np.empty((users.shape[1], _TILE), dtype=np.float32)
    scores = np.empty((GROUP, _TILE), dtype=np.float32)
    for start in range(0, len(order), _TILE):
        here = order[start : start + _TILE]
        _turn_items(vectors, here, tile)
        for group in range(n_groups):
            first = group * GROUP
            _start_scores(scores, len(here), start, first, n_users, indptr, seen, cursors)
            begin = 0
            for level in range(len(widths)):
                _add_products(grouped[group], tile, begin, widths[level], scores)
                begin = widths[level]
                for u in range(GROUP):
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
    grouped = np.zeros((n_groups, users.shape[1], GROUP), dtype=np.float32)
    for user in range(users.shape[0]):
        for d in range(users.shape[1]):
            grouped[user // GROUP, d, user % GROUP] = users[user, d]
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
    for user in range(first, min(first + GROUP, n_users)):
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
    for strip in range(0, len(items), STRIP):
        stop = min(strip + STRIP, len(items))
        if not _reaches(scores[strip:stop], threshold):
            continue
        for j in range(strip, stop):
            key = key_of(bits[j], items[j])
            keys[count] = key  # written always, counted where it is good enough: no branch to guess
            count += int(key >= floor)
        if count + STRIP > len(keys):
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
