"""Copies of a block's vectors, as its products need them, and the updates of its rows."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.simd.lanes import LANES, load, splat
from nestrec.kernels.simd.transpose import transpose_tile
from nestrec.kernels.simd.vectors import multiply, multiply_add, store, subtract
from nestrec.kernels.training.block_lanes import (
    DIMENSION_LANES,
    ROW_LANES,
    load_dimensions,
    load_rows,
    splat_dimensions,
    splat_dimensions_at,
    splat_rows,
)
from nestrec.kernels.training.panels import Panels
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.kernels.training.updates import adaptive_step


@compiled
def copy_rows(
    vectors: Float32Array,
    rows: Int64Array,
    n: int,
    stride: int,
    size: int,
    copies: Float32Array,
    padded: int,
) -> None:
    """Copy `size` dimensions of the first n rows to copies (n, padded), which keeps what is behind them."""
    for number in range(n):
        row, to = rows[number] * stride, number * padded
        for d in range(0, size, LANES):
            store(copies, to + d, load(vectors, row + d))


@compiled
def transpose_rows(rows: Float32Array, padded: int, columns: Float32Array) -> None:
    """Set columns (padded, POOL_BLOCK) to rows (POOL_BLOCK, padded)."""
    for d in range(0, padded, LANES):
        for row in range(0, POOL_BLOCK, LANES):
            transpose_tile(rows, row * padded + d, padded, columns, d * POOL_BLOCK + row, POOL_BLOCK)


@compiled
def transpose_columns(columns: Float32Array, padded: int, rows: Float32Array) -> None:
    """Set rows (POOL_BLOCK, padded) to columns (padded, POOL_BLOCK)."""
    for row in range(0, POOL_BLOCK, LANES):
        for d in range(0, padded, LANES):
            transpose_tile(columns, d * POOL_BLOCK + row, POOL_BLOCK, rows, row * padded + d, padded)


@compiled
def fill_panels(
    rows: Float32Array,  # (POOL_BLOCK, padded)
    padded: int,
    panels: Panels,
    vectors: Float32Array,  # (n_panels, POOL_BLOCK, DIMENSION_LANES), set
) -> None:
    """Copy the dimensions of each panel, 0 outside of its level's own."""
    for panel in range(len(panels.dimensions)):
        mask, d = load_dimensions(panels.masks, panel * DIMENSION_LANES), panels.dimensions[panel]
        for row in range(POOL_BLOCK):
            to = (panel * POOL_BLOCK + row) * DIMENSION_LANES
            store(vectors, to, multiply(mask, load_dimensions(rows, row * padded + d)))


@compiled
def start_gradients(
    users: Float32Array,  # (padded, POOL_BLOCK), transposed
    positives: Float32Array,  # the same
    slopes: Float32Array,  # (n_levels, POOL_BLOCK), of each level's own block of dimensions
    widths: Int64Array,
    user_gradients: Float32Array,  # (padded, POOL_BLOCK), set up to the embedding size
    positive_gradients: Float32Array,  # the same
) -> None:
    """Set the gradients by the positives' scores."""
    zero = splat_rows(np.float32(0))
    for part in range(0, POOL_BLOCK, ROW_LANES):
        d = 0
        for level in range(len(widths)):
            slope = subtract(zero, load_rows(slopes, level * POOL_BLOCK + part))
            while d < widths[level]:
                at = d * POOL_BLOCK + part
                store(user_gradients, at, multiply(slope, load_rows(positives, at)))
                store(positive_gradients, at, multiply(slope, load_rows(users, at)))
                d += 1


@compiled
def step_row(
    parameters: Float32Array,
    squares: Float32Array,
    row: int,
    gradients: Float32Array,
    at: int,
    decays: Float32Array,  # (size,) or more: weight of each squared coordinate
    size: int,
    rate: float,
) -> None:
    """Update the first `size` dimensions by their gradient and regularization; row and at are offsets."""
    whole = size - size % DIMENSION_LANES
    for d in range(0, whole, DIMENSION_LANES):
        decay, own = load_dimensions(decays, d), load_dimensions(parameters, row + d)
        gradient = multiply_add(decay, own, load_dimensions(gradients, at + d))
        adaptive_step(parameters, squares, row + d, gradient, splat_dimensions(rate))
    for d in range(whole, size, LANES):
        gradient = multiply_add(load(decays, d), load(parameters, row + d), load(gradients, at + d))
        adaptive_step(parameters, squares, row + d, gradient, splat(rate))


@compiled
def weight_decays(
    masses: Float32Array,  # (n_levels, pool_size), sums of the slopes of a candidate's scores
    candidate: int,
    pool_size: int,
    panels: Panels,
    decays: Float32Array,  # (padded,), set
) -> None:
    """Set the weights of a candidate's squared coordinates: by its share in the sums of each block of dimensions."""
    panel = 0
    for d in range(0, len(decays), DIMENSION_LANES):
        summed = splat_dimensions(np.float32(0))
        while panel < len(panels.levels) and panels.dimensions[panel] == d:
            mass = splat_dimensions_at(masses, panels.levels[panel] * pool_size + candidate)
            summed = multiply_add(mass, load_dimensions(panels.decays, panel * DIMENSION_LANES), summed)
            panel += 1
        store(decays, d, summed)
