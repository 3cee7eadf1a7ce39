"""The three matrix products of a block of positives with its pool, at every level: scores and both gradients.

Scores and shares are (n_levels, pool_size, POOL_BLOCK): a vector register holds the same candidate's scores for many
positives. Loops keep eight or more accumulators in registers and read the other factor one number at a time, as the
inner kernels of matrix products do (Goto & van de Geijn 2008).
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.simd.vectors import multiply_add, store
from nestrec.kernels.training.block_lanes import (
    DIMENSION_LANES,
    ROW_LANES,
    load_dimensions,
    load_rows,
    splat_dimensions,
    splat_dimensions_at,
    splat_rows,
    splat_rows_at,
)
from nestrec.kernels.training.panels import Panels
from nestrec.kernels.training.tile_sizes import POOL_BLOCK

_GROUP = 8  # candidates whose sums are in registers at once; divides the size of a pool


@compiled
def score_pool(
    users: Float32Array,  # (padded, POOL_BLOCK), transposed
    pool_vectors: Float32Array,  # (pool_size, padded)
    padded: int,
    widths: Int64Array,
    pool_size: int,
    scores: Float32Array,  # (n_levels, pool_size, POOL_BLOCK), set
) -> None:
    """Score every candidate for every positive's user at every level, in one pass over the dimensions."""
    zero = splat_rows(np.float32(0))
    for first in range(0, pool_size, _GROUP):
        v0 = first * padded
        v1, v2, v3, v4 = v0 + padded, v0 + 2 * padded, v0 + 3 * padded, v0 + 4 * padded
        v5, v6, v7 = v0 + 5 * padded, v0 + 6 * padded, v0 + 7 * padded
        for part in range(0, POOL_BLOCK, ROW_LANES):
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = zero
            d = 0
            for level in range(len(widths)):
                while d < widths[level]:
                    x = load_rows(users, d * POOL_BLOCK + part)
                    s0 = multiply_add(x, splat_rows_at(pool_vectors, v0 + d), s0)
                    s1 = multiply_add(x, splat_rows_at(pool_vectors, v1 + d), s1)
                    s2 = multiply_add(x, splat_rows_at(pool_vectors, v2 + d), s2)
                    s3 = multiply_add(x, splat_rows_at(pool_vectors, v3 + d), s3)
                    s4 = multiply_add(x, splat_rows_at(pool_vectors, v4 + d), s4)
                    s5 = multiply_add(x, splat_rows_at(pool_vectors, v5 + d), s5)
                    s6 = multiply_add(x, splat_rows_at(pool_vectors, v6 + d), s6)
                    s7 = multiply_add(x, splat_rows_at(pool_vectors, v7 + d), s7)
                    d += 1
                at = (level * pool_size + first) * POOL_BLOCK + part
                store(scores, at, s0)
                store(scores, at + POOL_BLOCK, s1)
                store(scores, at + 2 * POOL_BLOCK, s2)
                store(scores, at + 3 * POOL_BLOCK, s3)
                store(scores, at + 4 * POOL_BLOCK, s4)
                store(scores, at + 5 * POOL_BLOCK, s5)
                store(scores, at + 6 * POOL_BLOCK, s6)
                store(scores, at + 7 * POOL_BLOCK, s7)


@compiled
def add_user_gradients(
    shares: Float32Array,  # (n_levels, pool_size, POOL_BLOCK), of each level's own block of dimensions
    pool_vectors: Float32Array,  # (pool_size, padded)
    padded: int,
    widths: Int64Array,
    pool_size: int,
    start: int,
    stop: int,
    gradients: Float32Array,  # (padded, POOL_BLOCK), updated
) -> None:
    """Add shares times vectors of the candidates [start, stop) to the users' gradients, transposed."""
    d = 0
    for level in range(len(widths)):
        first = level * pool_size * POOL_BLOCK
        while d + 8 <= widths[level]:
            for part in range(0, POOL_BLOCK, ROW_LANES):
                to = d * POOL_BLOCK + part
                g0, g1 = load_rows(gradients, to), load_rows(gradients, to + POOL_BLOCK)
                g2, g3 = load_rows(gradients, to + 2 * POOL_BLOCK), load_rows(gradients, to + 3 * POOL_BLOCK)
                g4, g5 = load_rows(gradients, to + 4 * POOL_BLOCK), load_rows(gradients, to + 5 * POOL_BLOCK)
                g6, g7 = load_rows(gradients, to + 6 * POOL_BLOCK), load_rows(gradients, to + 7 * POOL_BLOCK)
                for candidate in range(start, stop):
                    share, v = load_rows(shares, first + candidate * POOL_BLOCK + part), candidate * padded + d
                    g0 = multiply_add(share, splat_rows_at(pool_vectors, v), g0)
                    g1 = multiply_add(share, splat_rows_at(pool_vectors, v + 1), g1)
                    g2 = multiply_add(share, splat_rows_at(pool_vectors, v + 2), g2)
                    g3 = multiply_add(share, splat_rows_at(pool_vectors, v + 3), g3)
                    g4 = multiply_add(share, splat_rows_at(pool_vectors, v + 4), g4)
                    g5 = multiply_add(share, splat_rows_at(pool_vectors, v + 5), g5)
                    g6 = multiply_add(share, splat_rows_at(pool_vectors, v + 6), g6)
                    g7 = multiply_add(share, splat_rows_at(pool_vectors, v + 7), g7)
                store(gradients, to, g0)
                store(gradients, to + POOL_BLOCK, g1)
                store(gradients, to + 2 * POOL_BLOCK, g2)
                store(gradients, to + 3 * POOL_BLOCK, g3)
                store(gradients, to + 4 * POOL_BLOCK, g4)
                store(gradients, to + 5 * POOL_BLOCK, g5)
                store(gradients, to + 6 * POOL_BLOCK, g6)
                store(gradients, to + 7 * POOL_BLOCK, g7)
            d += 8
        while d + 4 <= widths[level]:
            for part in range(0, POOL_BLOCK, ROW_LANES):
                to = d * POOL_BLOCK + part
                g0, g1 = load_rows(gradients, to), load_rows(gradients, to + POOL_BLOCK)
                g2, g3 = load_rows(gradients, to + 2 * POOL_BLOCK), load_rows(gradients, to + 3 * POOL_BLOCK)
                for candidate in range(start, stop):
                    share, v = load_rows(shares, first + candidate * POOL_BLOCK + part), candidate * padded + d
                    g0 = multiply_add(share, splat_rows_at(pool_vectors, v), g0)
                    g1 = multiply_add(share, splat_rows_at(pool_vectors, v + 1), g1)
                    g2 = multiply_add(share, splat_rows_at(pool_vectors, v + 2), g2)
                    g3 = multiply_add(share, splat_rows_at(pool_vectors, v + 3), g3)
                store(gradients, to, g0)
                store(gradients, to + POOL_BLOCK, g1)
                store(gradients, to + 2 * POOL_BLOCK, g2)
                store(gradients, to + 3 * POOL_BLOCK, g3)
            d += 4
        while d < widths[level]:
            for part in range(0, POOL_BLOCK, ROW_LANES):
                g0 = load_rows(gradients, d * POOL_BLOCK + part)
                for candidate in range(start, stop):
                    share = load_rows(shares, first + candidate * POOL_BLOCK + part)
                    g0 = multiply_add(share, splat_rows_at(pool_vectors, candidate * padded + d), g0)
                store(gradients, d * POOL_BLOCK + part, g0)
            d += 1


@compiled
def sum_pool_gradients(
    shares: Float32Array,  # (n_levels, pool_size, POOL_BLOCK), of each level's own block of dimensions
    vectors: Float32Array,  # (n_panels, POOL_BLOCK, DIMENSION_LANES), the users' dimensions of each panel
    panels: Panels,
    padded: int,
    pool_size: int,
    start: int,
    stop: int,
    gradients: Float32Array,  # (pool_size, padded), set for [start, stop)
) -> None:
    """Sum shares times the users' vectors over the block, for the candidates [start, stop).

    A panel's vectors are 0 outside of its level's block of dimensions, so that the sums of a register that several
    blocks share are those of all panels.
    """
    zero = splat_dimensions(np.float32(0))
    for first in range(start, stop, _GROUP):
        panel = 0
        for d in range(0, padded, DIMENSION_LANES):
            g0 = g1 = g2 = g3 = g4 = g5 = g6 = g7 = zero
            while panel < len(panels.levels) and panels.dimensions[panel] == d:
                at, u = (panels.levels[panel] * pool_size + first) * POOL_BLOCK, panel * POOL_BLOCK * DIMENSION_LANES
                for row in range(POOL_BLOCK):
                    x = load_dimensions(vectors, u + row * DIMENSION_LANES)
                    g0 = multiply_add(x, splat_dimensions_at(shares, at + row), g0)
                    g1 = multiply_add(x, splat_dimensions_at(shares, at + POOL_BLOCK + row), g1)
                    g2 = multiply_add(x, splat_dimensions_at(shares, at + 2 * POOL_BLOCK + row), g2)
                    g3 = multiply_add(x, splat_dimensions_at(shares, at + 3 * POOL_BLOCK + row), g3)
                    g4 = multiply_add(x, splat_dimensions_at(shares, at + 4 * POOL_BLOCK + row), g4)
                    g5 = multiply_add(x, splat_dimensions_at(shares, at + 5 * POOL_BLOCK + row), g5)
                    g6 = multiply_add(x, splat_dimensions_at(shares, at + 6 * POOL_BLOCK + row), g6)
                    g7 = multiply_add(x, splat_dimensions_at(shares, at + 7 * POOL_BLOCK + row), g7)
                panel += 1
            to = first * padded + d
            store(gradients, to, g0)
            store(gradients, to + padded, g1)
            store(gradients, to + 2 * padded, g2)
            store(gradients, to + 3 * padded, g3)
            store(gradients, to + 4 * padded, g4)
            store(gradients, to + 5 * padded, g5)
            store(gradients, to + 6 * padded, g6)
            store(gradients, to + 7 * padded, g7)
