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
from nestrec.kernels.simd.lanes import LANES
from nestrec.kernels.simd.vectors import loading, multiply_add, power_of_two, splatting, store

_LOG2_E = np.float32(1 / np.log(2))
_CHUNK = 512  # items; a multiple of LANES
_MOST_CORRECTIONS = 8
_LOWEST = np.float32(-3e38)

_load, _splat = loading(LANES), splatting(LANES)


class Corrections(NamedTuple):
    """Memory of a thread."""

    narrower: Float32Array  # (pool_size,) scores of the large pool by the narrower levels
    scores: Float32Array  # (_CHUNK,)
    x: Float32Array  # (embedding_size,)
    mean: Float64Array  # (embedding_size,)
    gradient: Float64Array  # (embedding_size,)
    step: Float64Array  # (embedding_size,)
    previous: Float64Array  # (embedding_size,)


@compiled
def new_corrections(pool_size: int, size: int) -> Any:
    """Return the buffers of a thread."""
    return Corrections(
        np.zeros(pool_size, np.float32),
        np.zeros(_CHUNK, np.float32),
        np.zeros(size, np.float32),
        np.zeros(size, np.float64),
        np.zeros(size, np.float64),
        np.zeros(size, np.float64),
        np.zeros(size, np.float64),
    )


@compiled
def score_chunk(
    pool: Float32Array,
    log_each: Float32Array,
    start: int,
    n: int,
    first: int,
    last: int,
    inverse_temperature: float,
    c: Corrections,
) -> float:
    """Set the scores of n items of the pool, with the logarithm of what they stand for; return the highest."""
    softened, highest = np.float32(1 / inverse_temperature), _LOWEST
    for j in range(n):
        c.scores[j] = c.narrower[start + j] + log_each[start + j] * softened
    for k in range(last - first):
        value, column = c.x[k], pool[first + k, start : start + n]
        for j in range(n):
            c.scores[j] += value * column[j]
    for j in range(n):
        highest = max(highest, c.scores[j])
    return float(highest)


@compiled
def add_chunk(
    pool: Float32Array,
    start: int,
    n: int,
    first: int,
    last: int,
    inverse_temperature: float,
    top: float,
    c: Corrections,
) -> float:
    """Add the exponentials of a chunk, relative to a score, times its vectors to the mean; return their sum."""
    sharp, denominator = np.float32(inverse_temperature * _LOG2_E), np.float32(0)
    factor, offset = _splat(sharp), _splat(np.float32(-top * sharp))
    for at in range(0, n, LANES):
        store(c.scores, at, power_of_two(multiply_add(_load(c.scores, at), factor, offset)))
    for j in range(n):
        denominator += c.scores[j]
    for k in range(last - first):
        column, product = pool[first + k, start : start + n], np.float32(0)
        for j in range(n):
            product += c.scores[j] * column[j]
        c.mean[k] += product
    return float(denominator)


@compiled
def average_pool(
    pool: Float32Array,  # (embedding_size, pool_size), pool_size a multiple of LANES
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
    for start in range(0, pool.shape[1], _CHUNK):
        n = min(_CHUNK, pool.shape[1] - start)
        highest = score_chunk(pool, log_each, start, n, first, last, inverse_temperature, c)
        if highest > top:
            shrinking = math.exp(inverse_temperature * (top - highest))
            denominator *= shrinking
            for k in range(size):
                c.mean[k] *= shrinking
            top = highest
        denominator += add_chunk(pool, start, n, first, last, inverse_temperature, top, c)
    for k in range(size):
        c.mean[k] /= denominator
    return inverse_temperature * top + math.log(denominator)


@compiled
def set_gradient(
    positives: Float32Array,  # (n, embedding_size)
    weights: Float64Array,  # (n,)
    own_narrower: Float64Array,  # (n,) scores of the history by the narrower levels
    log_sum: float,
    first: int,
    last: int,
    inverse_temperature: float,
    l2_weights: Float64Array,
    c: Corrections,
) -> None:
    """Set the negative gradient of the level's loss at c.x."""
    size, mass = last - first, weights.sum()
    for k in range(size):
        c.gradient[k] = -l2_weights[first + k] * mass * float(c.x[k])
    for i in range(len(weights)):
        score = own_narrower[i]
        for k in range(size):
            score += float(c.x[k]) * float(positives[i, first + k])
        slope = weights[i] / (1 + math.exp(inverse_temperature * score - log_sum))
        for k in range(size):
            c.gradient[k] += slope * (float(positives[i, first + k]) - c.mean[k])


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
    """Step until little is gained; a step after which more seems to be left than before is taken back."""
    size, left = last - first, np.inf
    c.previous[:size] = 0.0
    for _ in range(_MOST_CORRECTIONS):
        for k in range(size):
            c.x[k] = x[k]
        log_sum = average_pool(pool, log_each, first, last, inverse_temperature, c)
        set_gradient(positives, weights, own_narrower, log_sum, first, last, inverse_temperature, l2_weights, c)
        for k in range(size):
            c.step[k] = c.gradient[k]
        solve_factorized(factor, c.step, size)
        promise = 0.0
        for k in range(size):
            promise += c.gradient[k] * c.step[k] / 2
        if not promise < left:
            for k in range(size):
                x[k] -= c.previous[k]
            return
        for k in range(size):
            x[k] += c.step[k]
            c.previous[k] = c.step[k]
        if promise < tolerance:
            return
        left = promise
