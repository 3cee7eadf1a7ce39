"""Candidates for negatives: a tile of drawn items, scored at every level in one pass, and the hardest unseen one.

A tile serves a block of positives. It is stored transposed, so that one pass over the coordinates scores all its items
and leaves every narrower width's score on the way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import below, random_bits
from nestrec.kernels.data.sorted_lookup import holds
from nestrec.kernels.simd.lanes import (
    LANES,
    largest,
    load,
    lowest_bit,
    multiply_add,
    reaching,
    splat,
    store,
)
from nestrec.kernels.training.tile_sizes import TILE


@compiled
def draw_pool(pool: Int64Array, n_items: int, key: int, block: int) -> None:
    """Fill pool (tile_size,) with item indices drawn uniformly."""
    for lane in range(len(pool)):
        pool[lane] = below(random_bits(key, block * len(pool) + lane), n_items)


@compiled
def load_tile(items: Float32Array, stride: int, embedding_size: int, pool: Int64Array, tile: Float32Array) -> None:
    """Copy the pool's vectors into tile (embedding_size, tile_size), transposed."""
    n = len(pool)
    for lane in range(n):
        base = pool[lane] * stride
        for d in range(embedding_size):
            tile[d * n + lane] = items[base + d]


@compiled
def score_tile(users: Float32Array, user: int, tile: Float32Array, widths: Int64Array, scores: Float32Array) -> None:
    """Score every item of the tile at every level: scores (n_levels, tile_size); user is an offset into users."""
    n = len(scores) // len(widths)
    for start in range(0, n, TILE):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = splat(np.float32(0))
        d = 0
        for level in range(len(widths)):
            while d < widths[level]:
                x = splat(users[user + d])
                at = d * n + start
                s0 = multiply_add(x, load(tile, at), s0)
                s1 = multiply_add(x, load(tile, at + LANES), s1)
                s2 = multiply_add(x, load(tile, at + 2 * LANES), s2)
                s3 = multiply_add(x, load(tile, at + 3 * LANES), s3)
                s4 = multiply_add(x, load(tile, at + 4 * LANES), s4)
                s5 = multiply_add(x, load(tile, at + 5 * LANES), s5)
                s6 = multiply_add(x, load(tile, at + 6 * LANES), s6)
                s7 = multiply_add(x, load(tile, at + 7 * LANES), s7)
                d += 1
            at = level * n + start
            store(scores, at, s0)
            store(scores, at + LANES, s1)
            store(scores, at + 2 * LANES, s2)
            store(scores, at + 3 * LANES, s3)
            store(scores, at + 4 * LANES, s4)
            store(scores, at + 5 * LANES, s5)
            store(scores, at + 6 * LANES, s6)
            store(scores, at + 7 * LANES, s7)


@compiled
def any_unseen(indices: Int32Array, low: int, high: int, n_items: int, bits: int) -> Any:
    """Return an item drawn uniformly from those not in indices[low:high]; at least one must exist.

    The r-th unseen item is r plus the number of seen ones before it, and that number ascends: bisect for it.
    """
    rank = below(bits, n_items - (high - low))
    left, right = low, high
    while left < right:
        middle = (left + right) >> 1
        if indices[middle] - (middle - low) <= rank:
            left = middle + 1
        else:
            right = middle
    return rank + (left - low)


@compiled
def first_reaching(scores: Float32Array, start: int, whole: int, n: int, threshold: Any) -> Any:
    """Return the first lane of scores[start : start + n] that reaches the threshold; whole is n in whole vectors."""
    for lane in range(0, whole, LANES):
        bits = reaching(load(scores, start + lane), splat(threshold))
        if bits:
            return lane + lowest_bit(bits)
    lane = whole
    while lane < n - 1 and scores[start + lane] < threshold:
        lane += 1
    return lane


@compiled
def hardest_unseen(
    scores: Float32Array,
    start: int,
    n_candidates: int,
    pool: Int64Array,
    first: int,
    indices: Int32Array,
    low: int,
    high: int,
) -> Any:
    """Return the lane of the highest of scores[start : start + n_candidates] whose item is unseen, -1 if none is.

    Only the highest is looked up among the seen items; if it is seen, it is masked and the next highest taken.
    """
    nothing = np.float32(-np.inf)
    whole = n_candidates - n_candidates % LANES
    for _ in range(n_candidates):
        best = nothing
        for lane in range(0, whole, LANES):
            best = max(best, largest(load(scores, start + lane)))
        for lane in range(whole, n_candidates):
            best = max(best, scores[start + lane])
        if not best > nothing:
            return -1
        lane = first_reaching(scores, start, whole, n_candidates, best)
        if not holds(indices, low, high, pool[first + lane]):
            return lane
        scores[start + lane] = nothing
    return -1
