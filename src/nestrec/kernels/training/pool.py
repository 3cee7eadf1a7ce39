"""Negatives that a block of positives shares: one item drawn from each of equally large ranges of the catalogue.

All items are equally likely, and the pool is sorted without sorting. Lanes whose item the user has seen are found from
the shorter side: few seen items are looked up in the pool, those first sorted out whose remainder no item of the pool
has, and the lanes of a pool among many seen items. So the time of a positive is bounded by the size of the pool; going
through the seen items would be quadratic in a user's degree.

Ranges: items are those of a CSR matrix that `Interactions` has checked (0 <= item < n_items, ascending in a row), so
the lane that an item can first stand in is below the size of the pool.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import BoolArray, Float32Array, Int32Array, Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import below, random_bits
from nestrec.kernels.data.sorted_lookup import holds
from nestrec.kernels.training.tile_sizes import POOL_BLOCK

MASKED_SCORE = np.float32(-1e30)  # its exponential is 0 beside any other
N_MARKS = 8192  # remainders of items, by which most of those that a pool does not hold are recognised; a power of 2
MANY = 10  # seen items per lane from which looking up lanes is faster than going through the items


@compiled
def draw_ascending(pool: Int64Array, n_items: int, key: int, block: int) -> None:
    """Fill pool (pool_size,): lane l is uniform over items l * n_items / pool_size to (l + 1) * n_items / pool_size.

    An item at the border of two ranges can occur twice; in a catalogue smaller than the pool, every item does.
    """
    n = len(pool)
    for lane in range(n):
        pool[lane] = (lane * n_items + below(random_bits(key, block * n + lane), n_items)) // n


@compiled
def mask_seen(
    scores: Float32Array,  # (n_levels, pool_size, POOL_BLOCK) scores of a block's positives, updated
    users: Int64Array,  # (POOL_BLOCK,)
    n_rows: int,  # positives of the block
    n_levels: int,
    pool: Int64Array,  # (pool_size,), ascending
    n_items: int,
    indptr: Int64Array,  # (n_users + 1,)
    indices: Int32Array,  # (n_interactions,) ascending per user
    marks: UInt8Array,  # (N_MARKS,) zeros, as they are again at the end
    found: Int64Array,  # (MANY * pool_size,) scratch
) -> None:
    """Set the scores of items that a positive's user has seen to MASKED_SCORE."""
    n = len(pool)
    per_item = (np.uint64(n) << np.uint64(32)) // np.uint64(n_items)
    for own in range(n):
        marks[pool[own] & (N_MARKS - 1)] = 1
    for row in range(n_rows):
        low, high = indptr[users[row]], indptr[users[row] + 1]
        if high - low > MANY * n:
            for own in range(n):
                if holds(indices, low, high, pool[own]):
                    _mask(scores, row, n_levels, n, own)
            continue
        n_found: Any = 0
        for at in range(low, high):  # without branches: few are found
            seen = np.int64(indices[at])
            found[n_found] = seen
            n_found += np.int64(marks[seen & (N_MARKS - 1)])
        for number in range(n_found):
            seen = found[number]
            lane = np.int64((np.uint64(seen) * per_item) >> np.uint64(32))  # the first that can hold it
            while lane < n and pool[lane] <= seen:
                if pool[lane] == seen:
                    _mask(scores, row, n_levels, n, lane)
                lane += 1
    for own in range(n):
        marks[pool[own] & (N_MARKS - 1)] = 0


@compiled
def _mask(scores: Float32Array, row: int, n_levels: int, n: int, lane: Any) -> None:
    for level in range(n_levels):
        scores[(level * n + lane) * POOL_BLOCK + row] = MASKED_SCORE


@compiled
def mark_seen(
    pools: Int64Array,  # (n_blocks, n_candidates), each ascending
    n_items: int,
    indptr: Int64Array,  # (n_users + 1,)
    indices: Int32Array,  # (n_interactions,) ascending per user
    users: Int64Array,  # (n_positives,); `block` neighbours share a pool
    block: int,
    seen: BoolArray,  # (n_positives, n_candidates), False where nothing is written
) -> None:
    """Mark in each positive's row the lanes of its pool whose item its user has seen."""
    n = pools.shape[1]
    per_item = (np.uint64(n) << np.uint64(32)) // np.uint64(n_items)
    for row in range(len(users)):
        pool = pools[row // block]
        low, high = indptr[users[row]], indptr[users[row] + 1]
        if high - low > MANY * n:
            for own in range(n):
                seen[row, own] = holds(indices, low, high, pool[own])
            continue
        for at in range(low, high):
            item = indices[at]
            lane = np.int64((np.uint64(item) * per_item) >> np.uint64(32))  # the first that can hold it
            while lane < n and pool[lane] <= item:
                seen[row, lane] |= pool[lane] == item
                lane += 1
