"""The rows that a block of positives trains, looked up one block ahead so that they can be prefetched.

The order is known two blocks ahead, since the lookups of a random interaction are cache misses themselves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import half_bits_of, permute
from nestrec.kernels.simd.lanes import prefetch_to_read
from nestrec.kernels.training.pool import draw_ascending
from nestrec.kernels.training.tile_sizes import POOL_BLOCK

_LINE = 16  # int32 numbers in a cache line
_PREFETCHED = 8 * _LINE  # seen items of a user, at most


class BlockRows(NamedTuple):
    """Users, positive items, candidates and weights of the positives, of the block and of the next one."""

    users: Int64Array  # (POOL_BLOCK,)
    items: Int64Array  # (POOL_BLOCK,)
    pool: Int64Array  # (pool_size,)
    weights: Float32Array  # (POOL_BLOCK,)
    next_users: Int64Array
    next_items: Int64Array
    next_pool: Int64Array
    next_weights: Float32Array
    order: Int64Array  # (POOL_BLOCK,) interactions of the block after the next


@compiled
def new_rows(pool_size: int) -> Any:
    """Return rows of no block."""
    return BlockRows(
        np.empty(POOL_BLOCK, np.int64),
        np.empty(POOL_BLOCK, np.int64),
        np.empty(pool_size, np.int64),
        np.ones(POOL_BLOCK, np.float32),
        np.empty(POOL_BLOCK, np.int64),
        np.empty(POOL_BLOCK, np.int64),
        np.empty(pool_size, np.int64),
        np.ones(POOL_BLOCK, np.float32),
        np.empty(POOL_BLOCK, np.int64),
    )


@compiled
def move_on(rows: BlockRows) -> None:
    """Make the next block the current one."""
    rows.users[:], rows.items[:], rows.pool[:] = rows.next_users, rows.next_items, rows.next_pool
    rows.weights[:] = rows.next_weights


@compiled
def order_block(
    rows: BlockRows,
    start: int,
    stop: int,
    indices: Int32Array,
    user_of: Int32Array,
    weights: Float32Array,
    key: int,
) -> None:
    """Set `order` to the interactions at positions [start, min(start + POOL_BLOCK, stop)) of the key's order."""
    half_bits = half_bits_of(len(indices))
    for position in range(start, min(start + POOL_BLOCK, stop)):
        interaction = permute(position, len(indices), half_bits, key)
        rows.order[position - start] = interaction
        prefetch_to_read(user_of, interaction)
        prefetch_to_read(indices, interaction)
        if len(weights) > 0:
            prefetch_to_read(weights, interaction)


@compiled
def look_up_block(
    rows: BlockRows,
    start: int,
    stop: int,
    following: int,
    indptr: Int64Array,
    indices: Int32Array,
    user_of: Int32Array,
    weights: Float32Array,  # (n_interactions,), or (0,) where all are 1
    n_items: int,
    key: int,
) -> Any:
    """Look up the next block, which starts at this position and is in `order`, and order the one that follows it.

    Users who have interacted with every item are skipped; return the number of positives that are left.
    """
    n: Any = 0
    for number in range(min(POOL_BLOCK, stop - start)):
        interaction = rows.order[number]
        user = user_of[interaction]
        rows.next_users[n], rows.next_items[n] = user, indices[interaction]
        if len(weights) > 0:
            rows.next_weights[n] = weights[interaction]
        low, high = indptr[user], indptr[user + 1]
        for at in range(low, min(high, low + _PREFETCHED), _LINE):
            prefetch_to_read(indices, at)
        n += np.int64(high - low < n_items)
    draw_ascending(rows.next_pool, n_items, key, start // POOL_BLOCK)
    order_block(rows, following, stop, indices, user_of, weights, key)
    return n
