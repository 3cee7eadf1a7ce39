"""The softmax of a block of positives over its pool at every level, and the slopes that its gradients need.

Scores are (n_levels, pool_size, POOL_BLOCK), so that maxima and sums over candidates are those of whole registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.simd.vectors import (
    add,
    divide,
    maximum,
    multiply,
    multiply_add,
    power_of_two,
    store,
    store_totals,
    subtract,
)
from nestrec.kernels.training.block_lanes import ROW_LANES, load_rows, splat_rows
from nestrec.kernels.training.tile_sizes import POOL_BLOCK

_FACTORS = 32
_LOG2_E = np.float32(1 / np.log(2))


@compiled
def score_positives(
    users: Float32Array,  # (padded, POOL_BLOCK), transposed
    positives: Float32Array,  # the same
    widths: Int64Array,
    scores: Float32Array,  # (n_levels, POOL_BLOCK), set
) -> None:
    """Score every positive at every level."""
    for part in range(0, POOL_BLOCK, ROW_LANES):
        score, d = splat_rows(np.float32(0)), 0
        for level in range(len(widths)):
            while d < widths[level]:
                at = d * POOL_BLOCK + part
                score = multiply_add(load_rows(users, at), load_rows(positives, at), score)
                d += 1
            store(scores, level * POOL_BLOCK + part, score)


@compiled
def exponentiate_scores(
    scores: Float32Array,  # flat; those from `first` on are (pool_size, POOL_BLOCK)
    first: int,
    pool_size: int,
    positive: Float32Array,  # flat; those from `own` on are (POOL_BLOCK,)
    own: int,
    weights: Float32Array,  # (POOL_BLOCK,) of the positives, 0 where the block has none
    inverse_temperature: float,
    each: float,
    scales: Float32Array,  # flat like positive, set
    slopes: Float32Array,  # flat like positive, set
    denominators: Float32Array,  # (POOL_BLOCK,), set
    margins: Float32Array,  # (POOL_BLOCK,), set
) -> None:
    """Turn a level's scores into exponentials, and set what gives shares, slopes and the loss.

    A candidate's share of the softmax times the positive's weight is scale * exponential, the positive's slope the sum
    of these, and its unweighted loss (log(denominator) - margin) / inverse_temperature. `each` is the number of items
    that a candidate stands for.
    """
    sharp, weight = splat_rows(inverse_temperature * _LOG2_E), splat_rows(each)  # exponentials are powers of 2
    for part in range(0, POOL_BLOCK, ROW_LANES):
        score = load_rows(positive, own + part)
        h0 = h1 = h2 = h3 = score
        begin, end = first + part, first + part + pool_size * POOL_BLOCK
        for at in range(begin, end, 4 * POOL_BLOCK):
            h0 = maximum(h0, load_rows(scores, at))
            h1 = maximum(h1, load_rows(scores, at + POOL_BLOCK))
            h2 = maximum(h2, load_rows(scores, at + 2 * POOL_BLOCK))
            h3 = maximum(h3, load_rows(scores, at + 3 * POOL_BLOCK))
        highest = maximum(maximum(h0, h1), maximum(h2, h3))
        s0 = s1 = splat_rows(np.float32(0))
        shift = subtract(s0, multiply(sharp, highest))
        for at in range(begin, end, 2 * POOL_BLOCK):
            e0 = power_of_two(multiply_add(sharp, load_rows(scores, at), shift))
            e1 = power_of_two(multiply_add(sharp, load_rows(scores, at + POOL_BLOCK), shift))
            store(scores, at, e0)
            store(scores, at + POOL_BLOCK, e1)
            s0, s1 = add(s0, e0), add(s1, e1)
        margin = subtract(score, highest)
        others = multiply(weight, add(s0, s1))
        denominator = add(power_of_two(multiply(sharp, margin)), others)
        scale = divide(load_rows(weights, part), denominator)
        store(scales, own + part, multiply(weight, scale))
        store(slopes, own + part, multiply(others, scale))
        store(denominators, part, denominator)
        store(margins, part, multiply(splat_rows(inverse_temperature), margin))


@compiled
def sum_losses(denominators: Float32Array, margins: Float32Array, n: int) -> Any:
    """Return the sum of log(denominator) - margin over the first n positives of a block.

    One logarithm of a product serves _FACTORS of them: a denominator is between 2^-11 and 2^31 + 1, so that a product
    of 32 is in the range of float64.
    """
    summed = 0.0
    for first in range(0, n, _FACTORS):
        product, margin = 1.0, 0.0
        for row in range(first, min(first + _FACTORS, n)):
            product *= np.float64(denominators[row])
            margin += np.float64(margins[row])
        summed += np.log(product) - margin
    return summed


@compiled
def sum_weighted_losses(denominators: Float32Array, margins: Float32Array, weights: Float32Array, n: int) -> Any:
    """Return the sum of weight * (log(denominator) - margin) over the first n positives of a block."""
    summed = 0.0
    for row in range(n):
        loss = np.log(np.float64(denominators[row])) - np.float64(margins[row])
        summed += np.float64(weights[row]) * loss
    return summed


@compiled
def mix_slopes(
    slopes: Float32Array,  # (n_levels, POOL_BLOCK), of each level's loss; set to those of each block of dimensions
    scales: Float32Array,  # (n_levels, POOL_BLOCK)
    gradient_weights: Float32Array,  # (n_levels * n_levels,)
    n_levels: int,
    coefficients: Float32Array,  # (n_levels, n_levels, POOL_BLOCK), set from the diagonal on
) -> None:
    """Weight the positives' slopes, and set what `mix_shares` multiplies exponentials with."""
    for part in range(0, POOL_BLOCK, ROW_LANES):
        for own in range(n_levels):
            mixed = splat_rows(np.float32(0))
            for level in range(own, n_levels):
                weight, at = splat_rows(gradient_weights[own * n_levels + level]), level * POOL_BLOCK + part
                mixed = multiply_add(weight, load_rows(slopes, at), mixed)
                store(coefficients, own * n_levels * POOL_BLOCK + at, multiply(weight, load_rows(scales, at)))
            store(slopes, own * POOL_BLOCK + part, mixed)


@compiled
def mix_shares(
    scores: Float32Array,  # (n_levels, pool_size, POOL_BLOCK): exponentials; overwritten by shares
    coefficients: Float32Array,  # (n_levels, n_levels, POOL_BLOCK)
    n_levels: int,
    pool_size: int,
    start: int,
    stop: int,
    masses: Float32Array,  # (n_levels, pool_size), set
) -> None:
    """Turn exponentials of each level into the slopes of each level's own block of dimensions; sum them by candidate.

    Of the candidates [start, stop). A block of dimensions is trained for its own level and the wider ones, so the
    narrowest may be replaced first.
    """
    zero = splat_rows(np.float32(0))
    for candidate in range(start, stop, 4):
        for own in range(n_levels):
            to = own * pool_size + candidate
            m0 = m1 = m2 = m3 = zero
            for part in range(0, POOL_BLOCK, ROW_LANES):
                s0 = s1 = s2 = s3 = zero
                for level in range(own, n_levels):
                    weight = load_rows(coefficients, (own * n_levels + level) * POOL_BLOCK + part)
                    at = (level * pool_size + candidate) * POOL_BLOCK + part
                    s0 = multiply_add(weight, load_rows(scores, at), s0)
                    s1 = multiply_add(weight, load_rows(scores, at + POOL_BLOCK), s1)
                    s2 = multiply_add(weight, load_rows(scores, at + 2 * POOL_BLOCK), s2)
                    s3 = multiply_add(weight, load_rows(scores, at + 3 * POOL_BLOCK), s3)
                at = to * POOL_BLOCK + part
                store(scores, at, s0)
                store(scores, at + POOL_BLOCK, s1)
                store(scores, at + 2 * POOL_BLOCK, s2)
                store(scores, at + 3 * POOL_BLOCK, s3)
                m0, m1, m2, m3 = add(m0, s0), add(m1, s1), add(m2, s2), add(m3, s3)
            store_totals(masses, to, m0, m1, m2, m3)
