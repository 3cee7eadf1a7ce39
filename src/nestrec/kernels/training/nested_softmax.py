"""One pass of nested sampled softmax over shuffled positives, updated in place.

For a positive (u, i) and each level l of width d_l, the loss is

    L_l = log(1 + sum over items j of exp(t_l * (score_l(u, j) - score_l(u, i)))) / t_l

over the items that u has not interacted with: the softmax over the whole catalogue; t_l is the level's inverse
temperature. The sum is estimated from a pool of items drawn uniformly (sampled softmax: Jean et al. 2015), which every
level scores by its own prefixes. The block of coordinates that level b adds to the one before it has the loss

    sum over levels l from b on of gradient_weights[b, l] * L_l

plus L2 regularization: half of the squared coordinates of u, v_i and, by the share of j in the sums, v_j, each with its
own weight (`l2_weights`). If a level has the same weight for all blocks, that is one nested loss; if it has less weight
for the blocks of narrower levels, each block is trained for its own level first. The update is that of `updates.py`.

For speed, POOL_BLOCK consecutive positives share a pool (`pool.py`) and form a mini-batch: all gradients of a block are
those at its start. So its scores and gradients are matrix products (`block_products.py`) of copies of the block's
vectors, those of users and positives transposed. Each row is then updated by each of its gradients in turn.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.training.block_lanes import DIMENSION_LANES
from nestrec.kernels.training.block_products import add_user_gradients, score_pool, sum_pool_gradients
from nestrec.kernels.training.block_rows import BlockRows, look_up_block, move_on, new_rows, order_block
from nestrec.kernels.training.block_softmax import (
    exponentiate_scores,
    mix_shares,
    mix_slopes,
    score_positives,
    sum_losses,
)
from nestrec.kernels.training.block_steps import (
    copy_rows,
    fill_panels,
    start_gradients,
    step_row,
    transpose_columns,
    transpose_rows,
    weight_decays,
)
from nestrec.kernels.training.panels import Panels, lay_out_panels
from nestrec.kernels.training.pool import MANY, N_MARKS, mask_seen
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.kernels.training.updates import prefetch_row

_CHUNK = 32  # candidates whose shares are mixed and used while they are in the cache; divides the size of a pool
_LINE = 16  # float32 numbers in a cache line


class Buffers(NamedTuple):
    """Copies of a block's vectors, its scores and its gradients; flat, each from a cache line on."""

    users: Float32Array  # (POOL_BLOCK, padded); at the end the gradients
    positives: Float32Array  # (POOL_BLOCK, padded); at the end the gradients
    pool: Float32Array  # (pool_size, padded)
    user_columns: Float32Array  # (padded, POOL_BLOCK)
    positive_columns: Float32Array  # (padded, POOL_BLOCK)
    user_panels: Float32Array  # (n_panels, POOL_BLOCK, DIMENSION_LANES)
    scores: Float32Array  # (n_levels, pool_size, POOL_BLOCK)
    positive_scores: Float32Array  # (n_levels, POOL_BLOCK)
    trained: Float32Array  # (POOL_BLOCK,) 1 for the block's positives, 0 behind them
    scales: Float32Array  # (n_levels, POOL_BLOCK)
    slopes: Float32Array  # (n_levels, POOL_BLOCK)
    denominators: Float32Array  # (POOL_BLOCK,)
    margins: Float32Array  # (POOL_BLOCK,)
    coefficients: Float32Array  # (n_levels, n_levels, POOL_BLOCK)
    masses: Float32Array  # (n_levels, pool_size)
    user_gradients: Float32Array  # (padded, POOL_BLOCK), 0 from the embedding size on
    positive_gradients: Float32Array  # (padded, POOL_BLOCK), the same
    pool_gradients: Float32Array  # (pool_size, padded)
    decays: Float32Array  # (padded,)
    marks: UInt8Array  # (N_MARKS,)
    found: Int64Array  # (MANY * pool_size,)


@compiled
def aligned_zeros(n: int) -> Any:
    """Return n float32 numbers that start at a cache line."""
    whole = np.zeros(n + _LINE, np.float32)
    first = (-whole.ctypes.data // 4) % _LINE
    return whole[first : first + n]


@compiled
def new_buffers(padded: int, pool_size: int, n_levels: int, n_panels: int) -> Any:
    """Return the buffers of a thread."""
    return Buffers(
        aligned_zeros(POOL_BLOCK * padded),
        aligned_zeros(POOL_BLOCK * padded),
        aligned_zeros(pool_size * padded),
        aligned_zeros(padded * POOL_BLOCK),
        aligned_zeros(padded * POOL_BLOCK),
        aligned_zeros(n_panels * POOL_BLOCK * DIMENSION_LANES),
        aligned_zeros(n_levels * pool_size * POOL_BLOCK),
        aligned_zeros(n_levels * POOL_BLOCK),
        aligned_zeros(POOL_BLOCK),
        aligned_zeros(n_levels * POOL_BLOCK),
        aligned_zeros(n_levels * POOL_BLOCK),
        aligned_zeros(POOL_BLOCK),
        aligned_zeros(POOL_BLOCK),
        aligned_zeros(n_levels * n_levels * POOL_BLOCK),
        aligned_zeros(n_levels * pool_size),
        aligned_zeros(padded * POOL_BLOCK),
        aligned_zeros(padded * POOL_BLOCK),
        aligned_zeros(pool_size * padded),
        aligned_zeros(padded),
        np.zeros(N_MARKS, np.uint8),
        np.zeros(MANY * pool_size, np.int64),
    )


@compiled
def copy_block(
    users: Float32Array,
    items: Float32Array,
    stride: int,
    rows: BlockRows,
    n_rows: int,
    panels: Panels,
    buffers: Buffers,
) -> None:
    """Copy the vectors of a block of n_rows positives in all layouts that its products need."""
    padded, pool_size = len(buffers.decays), len(rows.pool)
    for row in range(POOL_BLOCK):
        buffers.trained[row] = np.float32(row < n_rows)
    copy_rows(users, rows.users, n_rows, stride, buffers.users, padded)
    copy_rows(items, rows.items, n_rows, stride, buffers.positives, padded)
    buffers.users[n_rows * padded :] = np.float32(0)
    buffers.positives[n_rows * padded :] = np.float32(0)
    copy_rows(items, rows.pool, pool_size, stride, buffers.pool, padded)
    fill_panels(buffers.users, padded, panels, buffers.user_panels)
    transpose_rows(buffers.users, padded, buffers.user_columns)
    transpose_rows(buffers.positives, padded, buffers.positive_columns)


@compiled
def step_block(
    users: Float32Array,
    items: Float32Array,
    user_squares: Float32Array,
    item_squares: Float32Array,
    stride: int,
    rows: BlockRows,
    n_rows: int,
    panels: Panels,
    buffers: Buffers,
    l2_weights: Float32Array,
    rate: float,
) -> None:
    """Update the rows of a block by its gradients, one after the other."""
    padded, pool_size, decays = len(buffers.decays), len(rows.pool), buffers.decays
    transpose_columns(buffers.user_gradients, padded, buffers.users)
    transpose_columns(buffers.positive_gradients, padded, buffers.positives)
    for row in range(n_rows):
        user, item, at = rows.users[row] * stride, rows.items[row] * stride, row * padded
        step_row(users, user_squares, user, buffers.users, at, l2_weights, stride, rate)
        step_row(items, item_squares, item, buffers.positives, at, l2_weights, stride, rate)
    for lane in range(pool_size):
        weight_decays(buffers.masses, lane, pool_size, panels, decays)
        step_row(
            items, item_squares, rows.pool[lane] * stride, buffers.pool_gradients, lane * padded, decays, stride, rate
        )


@compiled
def train_slice(
    users: Float32Array,  # (n_users * stride,) float32, updated
    items: Float32Array,  # (n_items * stride,) float32, updated
    user_squares: Float32Array,  # (n_users * stride,) float32, sums of squared gradients, updated
    item_squares: Float32Array,  # (n_items * stride,) float32, updated
    indptr: Int64Array,  # (n_users + 1,) int64
    indices: Int32Array,  # (n_interactions,) int32, ascending per user
    user_of: Int32Array,  # (n_interactions,) int32
    widths: Int64Array,  # (n_levels,) int64
    level_weights: Float32Array,  # (n_levels,) float32, of the loss that is returned
    gradient_weights: Float32Array,  # (n_levels * n_levels,) float32, of level losses (columns) for blocks (rows)
    inverse_temperature: Float32Array,  # (n_levels,) float32
    stride: int,  # embedding size rounded up to a multiple of LANES
    pool_size: int,  # a multiple of TILE
    learning_rate: float,  # float32
    l2_weights: Float32Array,  # (stride,) float32, of the squared coordinates
    key: int,  # uint64: the epoch's randomness
    start: int,  # first position of the slice in the epoch's order, a multiple of POOL_BLOCK
    stop: int,
) -> tuple[float, int]:
    """Train on positions [start, stop) of the key's order; return (sum of losses, number of positives trained).

    A user who has interacted with every item has no negative; such positives are skipped.
    """
    n_levels, n_items = len(widths), len(items) // stride
    padded = (stride + DIMENSION_LANES - 1) // DIMENSION_LANES * DIMENSION_LANES
    each: Any = np.float32(n_items / pool_size)
    panels = lay_out_panels(widths, l2_weights)
    b = new_buffers(padded, pool_size, n_levels, len(panels.levels))
    rows = new_rows(pool_size)
    order_block(rows, start, stop, indices, user_of, key)
    n_next = look_up_block(rows, start, stop, indptr, indices, user_of, n_items, key)
    prefetched = (POOL_BLOCK + n_levels - 1) // n_levels  # rows of the next block, with each level
    summed_loss, n_trained = 0.0, 0
    for block_start in range(start, stop, POOL_BLOCK):
        move_on(rows)
        n_rows = n_next
        n_next = look_up_block(rows, block_start + POOL_BLOCK, stop, indptr, indices, user_of, n_items, key)
        copy_block(users, items, stride, rows, n_rows, panels, b)
        score_positives(b.user_columns, b.positive_columns, widths, b.positive_scores)
        score_pool(b.user_columns, b.pool, padded, widths, pool_size, b.scores)
        mask_seen(b.scores, rows.users, n_rows, n_levels, rows.pool, n_items, indptr, indices, b.marks, b.found)
        for level in range(n_levels):
            for row in range(level * prefetched, min((level + 1) * prefetched, n_next)):
                prefetch_row(users, user_squares, rows.next_users[row] * stride, stride)
                prefetch_row(items, item_squares, rows.next_items[row] * stride, stride)
            exponentiate_scores(
                b.scores, level * pool_size * POOL_BLOCK, pool_size, b.positive_scores, level * POOL_BLOCK, b.trained,
                inverse_temperature[level], each, b.scales, b.slopes, b.denominators, b.margins,
            )  # fmt: skip
            loss = sum_losses(b.denominators, b.margins, n_rows)
            summed_loss += level_weights[level] / inverse_temperature[level] * loss
        mix_slopes(b.slopes, b.scales, gradient_weights, n_levels, b.coefficients)
        start_gradients(
            b.user_columns, b.positive_columns, b.slopes, widths, b.user_gradients, b.positive_gradients
        )  # fmt: skip
        for first in range(0, pool_size, _CHUNK):
            last = first + _CHUNK
            for lane in range(first, last):
                prefetch_row(items, item_squares, rows.next_pool[lane] * stride, stride)
            mix_shares(b.scores, b.coefficients, n_levels, pool_size, first, last, b.masses)
            add_user_gradients(b.scores, b.pool, padded, widths, pool_size, first, last, b.user_gradients)
            sum_pool_gradients(b.scores, b.user_panels, panels, padded, pool_size, first, last, b.pool_gradients)
        step_block(users, items, user_squares, item_squares, stride, rows, n_rows, panels, b, l2_weights, learning_rate)
        n_trained += n_rows
    return summed_loss, n_trained
