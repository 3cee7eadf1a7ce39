"""The gradients of a block of positives that share a pool, from copies of its vectors.

The objective is that of `nested_softmax.py`; scores and gradients are matrix products (`block_products.py`) of copies
of the block's vectors, those of users and positives transposed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.simd.lanes import LANES
from nestrec.kernels.training.block_lanes import DIMENSION_LANES
from nestrec.kernels.training.block_products import add_user_gradients, score_pool, sum_pool_gradients
from nestrec.kernels.training.block_rows import BlockRows
from nestrec.kernels.training.block_softmax import (
    exponentiate_scores,
    mix_shares,
    mix_slopes,
    score_positives,
    sum_losses,
    sum_weighted_losses,
)
from nestrec.kernels.training.block_steps import (
    copy_rows,
    fill_panels,
    start_gradients,
    transpose_columns,
    transpose_rows,
)
from nestrec.kernels.training.panels import Panels
from nestrec.kernels.training.pool import MANY, N_MARKS, mask_seen
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.kernels.training.updates import prefetch_row, prefetch_vector

_CHUNK = 32  # candidates whose shares are mixed and used while they are in the cache; divides the size of a pool
_LINE = 16  # float32 numbers in a cache line


class Tables(NamedTuple):
    """Parameters and sums of squared gradients, flat, stride numbers a row of which the first `size` are trained."""

    users: Float32Array
    items: Float32Array
    user_squares: Float32Array
    item_squares: Float32Array
    stride: int
    size: int  # a multiple of LANES


class Levels(NamedTuple):
    """What the objective is at each level."""

    widths: Int64Array  # (n_levels,)
    level_weights: Float32Array  # (n_levels,)
    gradient_weights: Float32Array  # (n_levels * n_levels,)
    inverse_temperature: Float32Array  # (n_levels,)


class Gradients(NamedTuple):
    """Gradients of a block's rows, and the candidates' shares in the sums; flat."""

    users: Float32Array  # (POOL_BLOCK, padded); may be the memory of the block's copies
    positives: Float32Array  # (POOL_BLOCK, padded); the same
    pool: Float32Array  # (pool_size, padded)
    masses: Float32Array  # (n_levels, pool_size), sums of the slopes of a candidate's scores


class Buffers(NamedTuple):
    """Copies of a block's vectors, its scores and what they become; flat, each from a cache line on."""

    users: Float32Array  # (POOL_BLOCK, padded)
    positives: Float32Array  # (POOL_BLOCK, padded)
    pool: Float32Array  # (pool_size, padded)
    user_columns: Float32Array  # (padded, POOL_BLOCK)
    positive_columns: Float32Array  # (padded, POOL_BLOCK)
    user_panels: Float32Array  # (n_panels, POOL_BLOCK, DIMENSION_LANES)
    scores: Float32Array  # (n_levels, pool_size, POOL_BLOCK)
    positive_scores: Float32Array  # (n_levels, POOL_BLOCK)
    weights: Float32Array  # (POOL_BLOCK,) of the block's positives, 0 behind them
    scales: Float32Array  # (n_levels, POOL_BLOCK)
    slopes: Float32Array  # (n_levels, POOL_BLOCK)
    denominators: Float32Array  # (POOL_BLOCK,)
    margins: Float32Array  # (POOL_BLOCK,)
    coefficients: Float32Array  # (n_levels, n_levels, POOL_BLOCK)
    user_gradients: Float32Array  # (padded, POOL_BLOCK), 0 from the embedding size on
    positive_gradients: Float32Array  # (padded, POOL_BLOCK), the same
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
def new_tables(
    users: Float32Array,
    items: Float32Array,
    user_squares: Float32Array,
    item_squares: Float32Array,
    stride: int,
    width: int,  # of the widest level that is trained
) -> Any:
    """Return the tables of which the dimensions below the width are trained."""
    return Tables(users, items, user_squares, item_squares, stride, (width + LANES - 1) // LANES * LANES)


@compiled
def padded_size(size: int) -> int:
    """Return the numbers of a copy of a row: the trained ones rounded up to whole registers of dimensions."""
    return (size + DIMENSION_LANES - 1) // DIMENSION_LANES * DIMENSION_LANES


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
        aligned_zeros(padded * POOL_BLOCK),
        aligned_zeros(padded * POOL_BLOCK),
        aligned_zeros(padded),
        np.zeros(N_MARKS, np.uint8),
        np.zeros(MANY * pool_size, np.int64),
    )


@compiled
def copy_block(tables: Tables, rows: BlockRows, n_rows: int, panels: Panels, buffers: Buffers) -> None:
    """Copy the vectors of a block of n_rows positives in all layouts that its products need."""
    padded, pool_size = len(buffers.decays), len(rows.pool)
    for row in range(POOL_BLOCK):
        buffers.weights[row] = rows.weights[row] if row < n_rows else np.float32(0)
    copy_rows(tables.users, rows.users, n_rows, tables.stride, tables.size, buffers.users, padded)
    copy_rows(tables.items, rows.items, n_rows, tables.stride, tables.size, buffers.positives, padded)
    buffers.users[n_rows * padded :] = np.float32(0)
    buffers.positives[n_rows * padded :] = np.float32(0)
    copy_rows(tables.items, rows.pool, pool_size, tables.stride, tables.size, buffers.pool, padded)
    fill_panels(buffers.users, padded, panels, buffers.user_panels)
    transpose_rows(buffers.users, padded, buffers.user_columns)
    transpose_rows(buffers.positives, padded, buffers.positive_columns)


@compiled
def prefetch_user(tables: Tables, row: int, for_update: bool) -> None:
    """Prefetch a user's vector, for an update with its sums of squares."""
    if for_update:
        prefetch_row(tables.users, tables.user_squares, row * tables.stride, tables.size)
    else:
        prefetch_vector(tables.users, row * tables.stride, tables.size)


@compiled
def prefetch_item(tables: Tables, row: int, for_update: bool) -> None:
    """Prefetch an item's vector, for an update with its sums of squares."""
    if for_update:
        prefetch_row(tables.items, tables.item_squares, row * tables.stride, tables.size)
    else:
        prefetch_vector(tables.items, row * tables.stride, tables.size)


@compiled
def compute_gradients(
    tables: Tables,
    indptr: Int64Array,
    indices: Int32Array,
    levels: Levels,
    rows: BlockRows,
    n_rows: int,
    n_next: int,
    panels: Panels,
    b: Buffers,
    gradients: Gradients,
    summed_loss: float,
    is_weighted: bool,  # whether some weight of the positives is not 1
    steps_next: bool,  # whether this thread updates the next block's rows, so that they are prefetched for it
) -> Any:
    """Set the gradients of a block of n_rows positives; return summed_loss plus the sum of their losses.

    Meanwhile the rows of the next block, of n_next positives, are prefetched.
    """
    widths, pool_size, padded = levels.widths, len(rows.pool), len(b.decays)
    n_levels, n_items = len(widths), len(tables.items) // tables.stride
    each: Any = np.float32(n_items / pool_size)
    prefetched = (POOL_BLOCK + n_levels - 1) // n_levels  # rows of the next block, with each level
    copy_block(tables, rows, n_rows, panels, b)
    score_positives(b.user_columns, b.positive_columns, widths, b.positive_scores)
    score_pool(b.user_columns, b.pool, padded, widths, pool_size, b.scores)
    mask_seen(b.scores, rows.users, n_rows, n_levels, rows.pool, n_items, indptr, indices, b.marks, b.found)
    for level in range(n_levels):
        for row in range(level * prefetched, min((level + 1) * prefetched, n_next)):
            prefetch_user(tables, rows.next_users[row], steps_next)
            prefetch_item(tables, rows.next_items[row], steps_next)
        inverse_temperature = levels.inverse_temperature[level]
        exponentiate_scores(
            b.scores, level * pool_size * POOL_BLOCK, pool_size, b.positive_scores, level * POOL_BLOCK, b.weights,
            inverse_temperature, each, b.scales, b.slopes, b.denominators, b.margins,
        )  # fmt: skip
        if is_weighted:
            loss = sum_weighted_losses(b.denominators, b.margins, b.weights, n_rows)
        else:
            loss = sum_losses(b.denominators, b.margins, n_rows)
        summed_loss += levels.level_weights[level] / inverse_temperature * loss
    mix_slopes(b.slopes, b.scales, levels.gradient_weights, n_levels, b.coefficients)
    start_gradients(b.user_columns, b.positive_columns, b.slopes, widths, b.user_gradients, b.positive_gradients)
    for first in range(0, pool_size, _CHUNK):
        last = first + _CHUNK
        for lane in range(first, last):
            prefetch_item(tables, rows.next_pool[lane], steps_next)
        mix_shares(b.scores, b.coefficients, n_levels, pool_size, first, last, gradients.masses)
        add_user_gradients(b.scores, b.pool, padded, widths, pool_size, first, last, b.user_gradients)
        sum_pool_gradients(b.scores, b.user_panels, panels, padded, pool_size, first, last, gradients.pool)
    transpose_columns(b.user_gradients, padded, gradients.users)
    transpose_columns(b.positive_gradients, padded, gradients.positives)
    return summed_loss
