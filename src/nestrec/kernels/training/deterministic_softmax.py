"""One pass of nested sampled softmax that gives the same bits on any number of threads.

The objective and the gradients of a block are those of `nested_softmax.py`. Blocks are trained in rounds of a fixed
number, whatever the number of threads, each in two steps (bulk-synchronous parallel: Valiant 1990):

1. The gradients of all blocks are computed at the parameters of the round's start, each block by one thread.
2. Rows are divided into shards, each of which one thread updates by all gradients of its rows in the order of blocks.

So a row gets the same updates in the same order on any number of threads, and a round of one block is a step of
`nested_softmax.py`. A thread has its own blocks and its own shard, and when it is done with them takes over what others
have not begun. No thread needs to take part: those that start late or never are not waited for, only work in progress.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.kernels.atomics import add_atomically, take, wait_for
from nestrec.kernels.compiled import compiled
from nestrec.kernels.training.block_gradients import (
    Gradients,
    Levels,
    Tables,
    compute_gradients,
    new_buffers,
    new_tables,
    padded_size,
    prefetch_item,
    prefetch_user,
)
from nestrec.kernels.training.block_rows import BlockRows, look_up_block, move_on, new_rows, order_block
from nestrec.kernels.training.block_steps import step_row, weight_decays
from nestrec.kernels.training.panels import Panels, lay_out_panels
from nestrec.kernels.training.tile_sizes import POOL_BLOCK

COMPUTED, STEPPED = 0, 8  # places in `counters` of the blocks and shards that are done, in cache lines of their own
N_COUNTERS = 16
_AHEAD = 4  # rows between prefetching and updating one
_NO_ROW = -1


class Round(NamedTuple):
    """What threads share: the rows of a round's blocks, their gradients, and the progress of the work."""

    n_blocks: int
    rows: Int64Array  # (n_blocks, n_rows): POOL_BLOCK users, as many positives, the pool; _NO_ROW where there is none
    gradients: Float32Array  # (n_blocks, n_rows, padded)
    masses: Float32Array  # (n_blocks, n_levels, pool_size)
    claims: Int64Array  # (n_blocks + n_threads,) rounds in which each block, then each shard, was begun
    counters: Int64Array  # (N_COUNTERS,)


@compiled
def shard_of(row: int, n_shards: int) -> Any:
    """Return the shard of a row: a hash of it, so that shards are equally much work."""
    hashed = (np.uint64(row) * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)  # Knuth's multiplicative hash
    return np.int64((hashed * np.uint64(n_shards)) >> np.uint64(32))


@compiled
def gradients_of(shared: Round, own: int, pool_size: int, n_levels: int, padded: int) -> Any:
    """Return the gradients of a block of the round, views."""
    positives, pool, end = POOL_BLOCK * padded, 2 * POOL_BLOCK * padded, (2 * POOL_BLOCK + pool_size) * padded
    block = shared.gradients[own * end : (own + 1) * end]
    masses = shared.masses[own * n_levels * pool_size : (own + 1) * n_levels * pool_size]
    return Gradients(block[:positives], block[positives:pool], block[pool:], masses)


@compiled
def record_rows(shared: Round, own: int, rows: BlockRows, n_rows: int) -> None:
    """Copy the rows of a block with n_rows positives to the round's."""
    pool_size = len(rows.pool)
    first = own * (2 * POOL_BLOCK + pool_size)
    positives, pool = first + POOL_BLOCK, first + 2 * POOL_BLOCK
    shared.rows[first:pool] = _NO_ROW
    shared.rows[first : first + n_rows] = rows.users[:n_rows]
    shared.rows[positives : positives + n_rows] = rows.items[:n_rows]
    shared.rows[pool : pool + pool_size] = rows.pool


@compiled
def following(start: int, first: int, thread: int, n_threads: int, n_blocks: int) -> Any:
    """Return where the block begins that a thread computes after the one at start, unless others take it over."""
    block = (start - first) // POOL_BLOCK
    own = block % n_blocks
    next_block = block + n_threads
    if own % n_threads != thread or own + n_threads >= n_blocks:  # another thread's, or the last in the round
        next_block = block - own + n_blocks + thread
    return first + next_block * POOL_BLOCK


@compiled
def find_owned(rows: Int64Array, shard: int, n_shards: int, owned: Int64Array) -> Any:
    """Set `owned` to the places of those of a block's rows that are in the shard; return how many."""
    n: Any = 0
    for place in range(len(rows)):
        owned[n] = place
        n += np.int64((rows[place] != _NO_ROW) & (shard_of(rows[place], n_shards) == shard))
    return n


@compiled
def step_shard(
    tables: Tables,
    shared: Round,
    shard: int,
    n_shards: int,
    count: int,  # blocks of this round
    panels: Panels,
    l2_weights: Float32Array,
    rate: float,
    owned: Int64Array,  # (n_rows,) scratch
    decays: Float32Array,  # (padded,) scratch
) -> None:
    """Update the rows of a shard by the gradients of the round's blocks, in their order."""
    users, items, user_squares, item_squares, stride, size = tables
    n, padded = len(owned), len(decays)
    pool_size = n - 2 * POOL_BLOCK
    n_masses = (panels.levels[-1] + 1) * pool_size
    for block in range(count):
        rows, masses = shared.rows[block * n : (block + 1) * n], shared.masses[block * n_masses :]
        n_owned = find_owned(rows, shard, n_shards, owned)
        for number in range(n_owned):
            if number + _AHEAD < n_owned:
                ahead = owned[number + _AHEAD]
                if ahead < POOL_BLOCK:
                    prefetch_user(tables, rows[ahead], True)
                else:
                    prefetch_item(tables, rows[ahead], True)
            place = owned[number]
            row, at = rows[place] * stride, (block * n + place) * padded
            if place < POOL_BLOCK:
                step_row(users, user_squares, row, shared.gradients, at, l2_weights, size, rate)
            elif place < 2 * POOL_BLOCK:
                step_row(items, item_squares, row, shared.gradients, at, l2_weights, size, rate)
            else:
                weight_decays(masses, place - 2 * POOL_BLOCK, pool_size, panels, decays)
                step_row(items, item_squares, row, shared.gradients, at, decays, size, rate)


@compiled
def train_rounds(
    thread: int,  # of this call, from 0
    n_threads: int,  # that call with the same arrays, each from the same slice
    n_blocks: int,  # of a round
    round_rows: Int64Array,  # (n_blocks * (2 * POOL_BLOCK + pool_size),) int64 scratch, shared like what follows
    round_gradients: Float32Array,  # (n_blocks * (2 * POOL_BLOCK + pool_size) * padded,) float32 scratch
    round_masses: Float32Array,  # (n_blocks * n_levels * pool_size,) float32 scratch
    claims: Int64Array,  # (n_blocks + n_threads,) int64, zeros
    counters: Int64Array,  # (N_COUNTERS,) int64, zeros
    losses: Float64Array,  # float64, of each block of the slice, set
    counts: Int64Array,  # int64, positives trained, of each block of the slice, set
    users: Float32Array,  # this and what follows as in `nested_softmax.train_slice`
    items: Float32Array,
    user_squares: Float32Array,
    item_squares: Float32Array,
    indptr: Int64Array,
    indices: Int32Array,
    user_of: Int32Array,
    weights: Float32Array,
    widths: Int64Array,
    level_weights: Float32Array,
    gradient_weights: Float32Array,
    inverse_temperature: Float32Array,
    stride: int,
    pool_size: int,
    learning_rate: float,
    l2_weights: Float32Array,
    key: int,
    start: int,
    stop: int,
) -> None:
    """Train on positions [start, stop) of the key's order, as one of the threads that do.

    Returns when all is done, by whichever threads. The losses of blocks are to be summed in their order.
    """
    n_levels, n_items = len(widths), len(items) // stride
    tables = new_tables(users, items, user_squares, item_squares, stride, widths[-1])
    padded = padded_size(tables.size)
    levels = Levels(widths, level_weights, gradient_weights, inverse_temperature)
    shared = Round(n_blocks, round_rows, round_gradients, round_masses, claims, counters)
    panels = lay_out_panels(widths, l2_weights)
    b = new_buffers(padded, pool_size, n_levels, len(panels.levels))
    owned = np.empty(2 * POOL_BLOCK + pool_size, np.int64)
    rows = new_rows(pool_size)
    looked_up, n_next = -1, 0  # start and positives of the next block in `rows`, whose following one is in order
    n_all = (stop - start + POOL_BLOCK - 1) // POOL_BLOCK
    for first in range(0, n_all, n_blocks):
        number, count = first // n_blocks, min(n_blocks, n_all - first)
        for other in range(thread, thread + n_threads):
            for own in range(other % n_threads, count, n_threads):
                if not take(claims, own, number, number + 1):
                    continue
                at = start + (first + own) * POOL_BLOCK
                after = following(at, start, thread, n_threads, n_blocks)
                if looked_up != at:
                    order_block(rows, at, stop, indices, user_of, weights, key)
                    n_next = look_up_block(rows, at, stop, after, indptr, indices, user_of, weights, n_items, key)
                move_on(rows)
                n_rows, looked_up = n_next, after
                later = following(after, start, thread, n_threads, n_blocks)
                n_next = look_up_block(rows, after, stop, later, indptr, indices, user_of, weights, n_items, key)
                losses[first + own] = compute_gradients(
                    tables, indptr, indices, levels, rows, n_rows, n_next, panels, b,
                    gradients_of(shared, own, pool_size, n_levels, padded), 0.0,
                    len(weights) > 0, False,
                )  # fmt: skip
                counts[first + own] = n_rows
                record_rows(shared, own, rows, n_rows)
                add_atomically(counters, COMPUTED, 1)
        wait_for(counters, COMPUTED, first + count)
        for other in range(thread, thread + n_threads):
            shard = other % n_threads
            if take(claims, n_blocks + shard, number, number + 1):
                step_shard(
                    tables, shared, shard, n_threads, count, panels, l2_weights, learning_rate, owned, b.decays
                )  # fmt: skip
                add_atomically(counters, STEPPED, 1)
        wait_for(counters, STEPPED, (number + 1) * n_threads)
