"""Full scan of a block of users at every width: products, masking of excluded items and top-k in one kernel.

Items are taken in tiles of 72, transposed so that 24 of them lie side by side for each dimension; users in groups of 4.
A group's 4 x 24 scores stay in registers while dimensions are added; at each of the widths they are that width's
scores, so a wider prefix costs only its further dimensions, and no score leaves the first-level cache unless it may be
among the best k. Every score is summed in the same order in any group, block and thread, so equal vectors have equal
scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.search.top_k_buffers import GROUP, PANEL, Buffers, add_panel
from nestrec.kernels.simd.lanes import LANES, load_three, multiply_add, reaching, splat, store

TILE = 3 * PANEL  # items; 72 x 64 dimensions x 4 bytes leave room in the first-level cache for a group and its scores


@compiled
def scan_chunk(
    users: Float32Array,  # (n_groups, widest, GROUP)
    vectors: Float32Array,  # (n_items, widest) of these items
    items: Int32Array,  # (n_items,) item_index
    first_position: int,  # of the first of them in the order of the scan
    widths: Int64Array,
    indptr: Int64Array,  # (n_users + 1,)
    excluded: Int32Array,  # positions in the order of the scan, any order within a user; sorted with the first chunk
    k: int,
    buffers: Buffers,
) -> None:
    """Add items to the buffers of every user and width; never excluded ones, nor scores of NaN or minus infinity."""
    n_users, widest = len(indptr) - 1, widths[-1]
    if first_position == 0:
        for user in range(n_users):
            excluded[indptr[user] : indptr[user + 1]].sort()
    flat_users = users.reshape(users.size)
    tile = np.zeros(TILE * widest, dtype=np.float32)
    tile_items = np.zeros(TILE, dtype=np.int32)
    initial = np.zeros(GROUP * TILE, dtype=np.float32)
    scores = np.empty(len(widths) * GROUP * PANEL, dtype=np.float32)
    keys, counts, floors, thresholds, cursors = buffers
    n_slots = len(widths) * GROUP  # of one group
    for start in range(0, len(items), TILE):
        count = min(TILE, len(items) - start)
        _transpose(vectors, items, start, count, tile, tile_items)
        for group in range(len(users)):
            first = group * GROUP
            _start_scores(initial, count, first_position + start, first, n_users, indptr, excluded, cursors)
            for panel in range(0, count, PANEL):
                _score_panel(flat_users, first * widest, tile, panel * widest, initial, panel, widths, scores)
                for own_slot in range(n_slots):
                    slot, at = group * n_slots + own_slot, own_slot * PANEL
                    reached = _find_reached(scores, at, thresholds[slot])
                    if reached != 0:
                        add_panel(scores, at, tile_items, panel, reached, k, keys, counts, floors, thresholds, slot)


@compiled
def _transpose(
    vectors: Float32Array, items: Int32Array, start: int, count: int, tile: Float32Array, tile_items: Int32Array
) -> None:
    """Write vectors start to start + count into the tile, (n_panels, widest, PANEL); its rest is left as it is."""
    widest = vectors.shape[1]
    for j in range(count):
        tile_items[j] = items[start + j]
        at = j // PANEL * PANEL * widest + j % PANEL
        for d in range(widest):
            tile[at + d * PANEL] = vectors[start + j, d]


@compiled
def _start_scores(
    initial: Float32Array,  # (GROUP, TILE)
    count: int,
    position: int,  # of the tile's first item
    first: int,  # user
    n_users: int,
    indptr: Int64Array,
    excluded: Int32Array,
    cursors: Int64Array,  # advanced
) -> None:
    """Start scores at 0, or at minus infinity for excluded items, which no finite product changes."""
    initial[:] = 0.0
    for u in range(GROUP):
        if count < TILE:
            initial[u * TILE + count : (u + 1) * TILE] = -np.inf
        user = first + u
        if user >= n_users:
            continue
        at, end = indptr[user] + cursors[user], indptr[user + 1]
        while at < end and excluded[at] < position + TILE:
            if excluded[at] >= position:  # below: not among the candidates
                initial[u * TILE + excluded[at] - position] = -np.inf
            at += 1
        cursors[user] = at - indptr[user]


@compiled
def _score_panel(
    users: Float32Array,
    user: int,  # offset of the group
    tile: Float32Array,
    item: int,  # offset of the panel
    initial: Float32Array,
    panel: int,
    widths: Int64Array,
    scores: Float32Array,  # (n_widths, GROUP, PANEL)
) -> None:
    """Score 24 items for 4 users at every width."""
    a, b = load_three(initial, panel), load_three(initial, panel + TILE)
    c, e = load_three(initial, panel + 2 * TILE), load_three(initial, panel + 3 * TILE)
    d = 0
    for level in range(len(widths)):
        while d < widths[level]:
            items, at = load_three(tile, item + d * PANEL), user + d * GROUP
            a = multiply_add(splat(users[at]), items, a)
            b = multiply_add(splat(users[at + 1]), items, b)
            c = multiply_add(splat(users[at + 2]), items, c)
            e = multiply_add(splat(users[at + 3]), items, e)
            d += 1
        store(scores, level * GROUP * PANEL, a + b + c + e)


@compiled
def _find_reached(scores: Float32Array, at: int, threshold: float) -> Any:
    """Return an int64 whose bit i is 1 where the i-th score of a panel is at or above the threshold."""
    low, middle, high = reaching(load_three(scores, at), splat(threshold))
    return low | (middle << LANES) | (high << (2 * LANES))
