"""Corrections of a level's solution by a larger pool: steps of Newton's method with the matrix of the smaller one.

The matrix of second derivatives costs most and decides nothing but the way to the minimum, so that of a small pool
serves. The gradient decides where the minimum is, and is taken over the large pool, in chunks that stay in the cache.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Float64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.fold_in.cholesky import solve_factorized
from nestrec.kernels.simd.register_width import has_wide_registers
from nestrec.kernels.simd.vectors import add, loading, maximum, multiply_add, power_of_two, splatting, store

_LOG2_E = np.float32(1 / np.log(2))
_CHUNK = 512  # items; a multiple of _WIDE
_COLUMNS = 4  # dimensions at once
_WIDE = 16 if has_wide_registers() else 8
_MOST_EVALUATIONS = 4
_LOWEST = np.float32(-3e38)

_load, _splat = loading(_WIDE), splatting(_WIDE)


class Corrections(NamedTuple):
    """Memory of a thread."""

    narrower: Float32Array  # (pool_size,) scores of the large pool by the narrower levels
    scores: Float32Array  # (_CHUNK,)
    lanes: Float32Array  # (_WIDE,)
    x: Float32Array  # (embedding_size,)
    mean: Float64Array  # (embedding_size,)
    gradient: Float64Array  # (embedding_size,)
    step: Float64Array  # (embedding_size,)


@compiled
def new_corrections(pool_size: int, size: int) -> Any:
    """Return the buffers of a thread."""
    return Corrections(
        np.zeros(pool_size, np.float32),
        np.zeros(_CHUNK, np.float32),
        np.zeros(_WIDE, np.float32),
        np.zeros(size, np.float32),
        np.zeros(size, np.float64),
        np.zeros(size, np.float64),
        np.zeros(size, np.float64),
    )


@compiled
def score_chunk(
    pool: Float32Array,  # flat
    log_each: Float32Array,
    start: int,
    n: int,
    first: int,
    size: int,
    inverse_temperature: float,
    c: Corrections,
) -> float:
    """Set the scores of n items of the pool, with the logarithm of what they stand for; return the highest."""
    pool_size, softened = len(log_each), _splat(np.float32(1 / inverse_temperature))
    for at in range(0, n, _WIDE):
        narrower = _load(c.narrower, start + at)
        store(c.scores, at, multiply_add(_load(log_each, start + at), softened, narrower))
    for k in range(0, size - size % _COLUMNS, _COLUMNS):
        one = (first + k) * pool_size + start
        two, three, four = one + pool_size, one + 2 * pool_size, one + 3 * pool_size
        x_1, x_2, x_3, x_4 = _splat(c.x[k]), _splat(c.x[k + 1]), _splat(c.x[k + 2]), _splat(c.x[k + 3])
        for at in range(0, n, _WIDE):
            score = multiply_add(_load(pool, one + at), x_1, _load(c.scores, at))
            score = multiply_add(_load(pool, two + at), x_2, score)
            score = multiply_add(_load(pool, three + at), x_3, score)
            store(c.scores, at, multiply_add(_load(pool, four + at), x_4, score))
    for k in range(size - size % _COLUMNS, size):
        column, x = (first + k) * pool_size + start, _splat(c.x[k])
        for at in range(0, n, _WIDE):
            store(c.scores, at, multiply_add(_load(pool, column + at), x, _load(c.scores, at)))
    highest = _load(c.scores, 0)
    for at in range(_WIDE, n, _WIDE):
        highest = maximum(highest, _load(c.scores, at))
    store(c.lanes, 0, highest)
    return float(c.lanes.max())


@compiled
def sum_lanes(summed: Any, lanes: Float32Array) -> float:
    """Return the sum of a vector's numbers."""
    result = np.float32(0)
    store(lanes, 0, summed)
    for lane in range(_WIDE):
        result += lanes[lane]
    return float(result)


@compiled
def add_chunk(
    pool: Float32Array,
    pool_size: int,
    start: int,
    n: int,
    first: int,
    size: int,
    inverse_temperature: float,
    top: float,
    c: Corrections,
) -> float:
    """Add the exponentials of a chunk, relative to a score, times its vectors to the mean; return their sum."""
    sharp, zero = np.float32(inverse_temperature * _LOG2_E), _splat(np.float32(0))
    factor, offset, denominator = _splat(sharp), _splat(np.float32(-top * sharp)), zero
    for at in range(0, n, _WIDE):
        powers = power_of_two(multiply_add(_load(c.scores, at), factor, offset))
        denominator = add(denominator, powers)
        store(c.scores, at, powers)
    for k in range(0, size - size % _COLUMNS, _COLUMNS):
        one = (first + k) * pool_size + start
        two, three, four = one + pool_size, one + 2 * pool_size, one + 3 * pool_size
        sum_1, sum_2, sum_3, sum_4 = zero, zero, zero, zero
        for at in range(0, n, _WIDE):
            powers = _load(c.scores, at)
            sum_1 = multiply_add(_load(pool, one + at), powers, sum_1)
            sum_2 = multiply_add(_load(pool, two + at), powers, sum_2)
            sum_3 = multiply_add(_load(pool, three + at), powers, sum_3)
            sum_4 = multiply_add(_load(pool, four + at), powers, sum_4)
        c.mean[k] += sum_lanes(sum_1, c.lanes)
        c.mean[k + 1] += sum_lanes(sum_2, c.lanes)
        c.mean[k + 2] += sum_lanes(sum_3, c.lanes)
        c.mean[k + 3] += sum_lanes(sum_4, c.lanes)
    for k in range(size - size % _COLUMNS, size):
        column, summed = (first + k) * pool_size + start, zero
        for at in range(0, n, _WIDE):
            summed = multiply_add(_load(pool, column + at), _load(c.scores, at), summed)
        c.mean[k] += sum_lanes(summed, c.lanes)
    return sum_lanes(denominator, c.lanes)


@compiled
def average_pool(
    pool: Float32Array,  # (embedding_size * pool_size,), pool_size a multiple of 16
    log_each: Float32Array,  # (pool_size,)
    first: int,
    last: int,
    inverse_temperature: float,
    c: Corrections,
) -> float:
    """Set the mean of the level's dimensions under the softmax at c.x; return the logarithm of its denominator.

    Exponentials are relative to the highest score so far, and what is summed is scaled where a higher one comes.
    """
    size, top, denominator = last - first, float(_LOWEST), 0.0
    c.mean[:size] = 0.0
    for start in range(0, len(log_each), _CHUNK):
        n = min(_CHUNK, len(log_each) - start)
        highest = score_chunk(pool, log_each, start, n, first, size, inverse_temperature, c)
        if highest > top:
            shrinking = math.exp(inverse_temperature * (top - highest))
            denominator *= shrinking
            for k in range(size):
                c.mean[k] *= shrinking
            top = highest
        denominator += add_chunk(pool, len(log_each), start, n, first, size, inverse_temperature, top, c)
    for k in range(size):
        c.mean[k] /= denominator
    return inverse_temperature * top + math.log(denominator)


@compiled
def evaluate_loss(
    positives: Float32Array,  # (n, embedding_size)
    weights: Float64Array,  # (n,)
    own_narrower: Float64Array,  # (n,) scores of the history by the narrower levels
    log_sum: float,
    first: int,
    last: int,
    inverse_temperature: float,
    l2_weights: Float64Array,
    c: Corrections,
) -> float:
    """Return the level's loss at c.x, and set its negative gradient."""
    size, mass, loss = last - first, weights.sum(), 0.0
    for k in range(size):
        weight = l2_weights[first + k] * mass
        loss += weight * float(c.x[k]) ** 2 / 2
        c.gradient[k] = -weight * float(c.x[k])
    for i in range(len(weights)):
        score = own_narrower[i]
        for k in range(size):
            score += float(c.x[k]) * float(positives[i, first + k])
        margin = log_sum - inverse_temperature * score
        loss += weights[i] * (max(margin, 0.0) + math.log1p(math.exp(-abs(margin)))) / inverse_temperature
        slope = weights[i] / (1 + math.exp(-margin))
        for k in range(size):
            c.gradient[k] += slope * (float(positives[i, first + k]) - c.mean[k])
    return loss


@compiled
def correct_level(
    positives: Float32Array,
    weights: Float64Array,
    own_narrower: Float64Array,
    pool: Float32Array,
    log_each: Float32Array,
    first: int,
    last: int,
    inverse_temperature: float,
    l2_weights: Float64Array,
    factor: Float64Array,  # (size, size), Cholesky factor of the small pool's matrix
    tolerance: float,  # decrease of the loss that a step promises, below which it is the last
    x: Float64Array,  # the minimum for the small pool, replaced by that for the large one
    c: Corrections,
) -> None:
    """Step until little is gained; a step after which the loss is higher is halved."""
    size, lowest = last - first, np.inf
    c.step[:size] = 0.0
    for _ in range(_MOST_EVALUATIONS):
        for k in range(size):
            c.x[k] = x[k]
        log_sum = average_pool(pool, log_each, first, last, inverse_temperature, c)
        loss = evaluate_loss(
            positives, weights, own_narrower, log_sum, first, last, inverse_temperature, l2_weights, c
        )  # fmt: skip
        if not loss <= lowest:
            for k in range(size):
                c.step[k] /= 2
                x[k] -= c.step[k]
            continue
        lowest, promise = loss, 0.0
        for k in range(size):
            c.step[k] = c.gradient[k]
        solve_factorized(factor, c.step, size)
        for k in range(size):
            promise += c.gradient[k] * c.step[k] / 2
            x[k] += c.step[k]
        if promise < tolerance:
            return
    for k in range(size):
        x[k] -= c.step[k]
