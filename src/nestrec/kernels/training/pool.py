"""Negatives that a block of positives shares: one item drawn from each of equally large ranges of the catalogue.

All items are equally likely, and the pool is sorted without sorting. Lanes whose item the user has seen are found from
the shorter side: few seen items are looked up in the pool, and the lanes of a pool among many seen items. So the time
of a positive is bounded by the size of the pool; going through the seen items would be quadratic in a user's degree.

Ranges: items are those of a CSR matrix that `Interactions` has checked (0 <= item < n_items, ascending in a row), so
the lane that an item can first stand in is below the size of the pool.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import below, random_bits
from nestrec.kernels.data.sorted_lookup import holds
from nestrec.kernels.training.tile_sizes import POOL_BLOCK

SENTINELS, SENTINEL = 2, -1  # behind a pool, so that lanes behind the one of an item can be read
MASKED_SCORE = np.float32(-1e30)  # its exponential is 0 beside any other
_MANY = 10  # seen items per lane from which looking up lanes is faster than going through the items


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
    row: int,  # the positive in its block
    n_levels: int,
    pool: Int64Array,  # (pool_size + SENTINELS,), ascending, then SENTINEL
    n_items: int,
    indices: Int32Array,
    low: int,
    high: int,
    found: Int64Array,  # (pool_size + 1,) scratch
) -> Any:
    """Set a positive's scores of items in indices[low:high] to MASKED_SCORE; return how many candidates they are."""
    n = len(pool) - SENTINELS
    n_masked = 0
    if high - low > _MANY * n:
        for own in range(n):
            if holds(indices, low, high, pool[own]):
                n_masked += 1
                _mask(scores, row, n_levels, n, own)
        return n_masked
    per_item = (np.uint64(n) << np.uint64(32)) // np.uint64(n_items)
    for number in range(_find_seen(pool, n, n > n_items, per_item, indices, low, high, found)):
        seen = found[number]
        lane = np.int64((np.uint64(seen) * per_item) >> np.uint64(32))  # the first that can hold it
        while lane < n and pool[lane] <= seen:
            if pool[lane] == seen:
                n_masked += 1
                _mask(scores, row, n_levels, n, lane)
            lane += 1
    return n_masked


@compiled
def _find_seen(
    pool: Int64Array, n: int, always: bool, per_item: Any, indices: Int32Array, low: int, high: int, found: Int64Array
) -> Any:
    """Copy to found those of indices[low:high] that the pool holds, without branches; return how many.

    A pool no larger than the catalogue can hold an item in two lanes, and `per_item` is rounded down, so the item can
    be in three. A lane holds one item, so no more than n are found; with `always`, all n_items < n are copied.
    """
    count: Any = 0
    for at in range(low, high):
        seen = np.int64(indices[at])
        lane = (np.uint64(seen) * per_item) >> np.uint64(32)
        is_first, is_next = pool[lane] == seen, pool[lane + np.uint64(1)] == seen
        found[count] = seen
        count += np.int64(always | is_first | is_next | (pool[lane + np.uint64(2)] == seen))
    return count


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
        if high - low > _MANY * n:
            for own in range(n):
                seen[row, own] = holds(indices, low, high, pool[own])
            continue
        for at in range(low, high):
            item = indices[at]
            lane = np.int64((np.uint64(item) * per_item) >> np.uint64(32))  # the first that can hold it
            while lane < n and pool[lane] <= item:
                seen[row, lane] |= pool[lane] == item
                lane += 1
