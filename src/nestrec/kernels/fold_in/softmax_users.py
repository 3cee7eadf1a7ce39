"""Vectors of users from their histories: the nested softmax, minimized block by block by Newton's method.

The items are fixed. At level l the dimensions x that it adds to the narrower ones, which are fixed too, minimize

    sum over items i of the history of w_i * (log(1 + sum over j of c_j * exp(t * (s_j - s_i))) / t + l2 / 2 * |x|^2)

where s are the scores of the level, t is its inverse temperature, and j are the items of a pool, which stand for c_j
items each, those of the history left out: the loss of training (`kernels/training/nested_softmax.py`) with one pool.
It is convex in x and has as many unknowns as the level adds. A step is halved where the loss would rise. Where there is
a larger pool too, the minimum for the small one is then corrected (`correction.py`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.fold_in.cholesky import solve_cholesky
from nestrec.kernels.fold_in.correction import correct_level, new_corrections
from nestrec.kernels.simd.lanes import LANES
from nestrec.kernels.simd.vectors import loading, maximum, multiply_add, power_of_two, splatting, store

MASKED = np.float32(-1e20)  # score of a pool item that is in the history
_LOG2_E = np.float32(1 / np.log(2))
_MOST_STEPS = 16
_MOST_HALVINGS = 12
_ROUGHER = 100.0  # tolerance of a minimum that is corrected
_TOLERANCE = 1e-5  # of the decrease that a step promises, for each interaction

_load, _splat = loading(LANES), splatting(LANES)


class PoolArrays(NamedTuple):
    """Items of a pool, and how many each stands for."""

    columns: Float32Array  # (embedding_size, pool_size), pool_size a multiple of 16
    log_each: Float32Array  # (pool_size,) logarithm of the number of items that each stands for
    n_unused: int  # places at the end that hold no item


class Buffers(NamedTuple):
    """Memory of a thread; n is the longest history of the slice."""

    narrower: Float32Array  # (pool_size,) scores of the pool by the narrower levels
    scores: Float32Array  # (pool_size,)
    shares: Float32Array  # (pool_size,) of the softmax
    weighted: Float32Array  # (pool_size,)
    own_narrower: Float64Array  # (n,) scores of the history by the narrower levels
    own_scores: Float64Array  # (n,)
    own_slopes: Float64Array  # (n,) derivative of each item's loss by its margin
    x: Float64Array  # (embedding_size,)
    step: Float64Array  # (embedding_size,)
    tried: Float32Array  # (embedding_size,)
    mean: Float64Array  # (embedding_size,)
    hessian: Float64Array  # (embedding_size, embedding_size)


@compiled
def new_buffers(pool_size: int, n: int, size: int) -> Any:
    """Return the buffers of a thread."""
    return Buffers(
        np.zeros(pool_size, np.float32),
        np.zeros(pool_size, np.float32),
        np.zeros(pool_size, np.float32),
        np.zeros(pool_size, np.float32),
        np.zeros(n, np.float64),
        np.zeros(n, np.float64),
        np.zeros(n, np.float64),
        np.zeros(size, np.float64),
        np.zeros(size, np.float64),
        np.zeros(size, np.float32),
        np.zeros(size, np.float64),
        np.zeros((size, size), np.float64),
    )


@compiled
def score_pool(pool: Float32Array, x: Float32Array, first: int, last: int, scores: Float32Array) -> None:
    """Add the products of x with the pool's dimensions first to last, (embedding_size, pool_size), to the scores."""
    for d in range(first, last):
        value, column = x[d - first], pool[d]
        for j in range(len(scores)):
            scores[j] += value * column[j]


@compiled
def exponentiate(scores: Float32Array, inverse_temperature: float, shares: Float32Array) -> float:
    """Set the shares of the softmax of the scores, and return the logarithm of the sum of its exponentials."""
    highest = _load(scores, 0)
    for at in range(LANES, len(scores), LANES):
        highest = maximum(highest, _load(scores, at))
    store(shares, 0, highest)
    top = shares[0]
    for lane in range(1, LANES):
        top = max(top, shares[lane])
    sharp = np.float32(inverse_temperature * _LOG2_E)
    factor, offset, denominator = _splat(sharp), _splat(np.float32(-top * sharp)), np.float32(0)
    for at in range(0, len(scores), LANES):
        store(shares, at, power_of_two(multiply_add(_load(scores, at), factor, offset)))
    for j in range(len(shares)):
        denominator += shares[j]
    for j in range(len(shares)):
        shares[j] /= denominator
    return float(inverse_temperature) * float(top) + math.log(denominator)


@compiled
def evaluate_loss(
    positives: Float32Array,  # (n, embedding_size) vectors of the history
    weights: Float64Array,  # (n,)
    pool: Float32Array,  # (embedding_size, pool_size)
    log_each: Float32Array,  # (pool_size,) logarithm of the number of items that each stands for
    first: int,
    last: int,
    inverse_temperature: float,
    l2_weights: Float64Array,
    b: Buffers,
) -> float:
    """Return the level's loss at x + step; set the shares, scores and slopes that its derivatives need."""
    n, size, squares, loss = len(weights), last - first, 0.0, 0.0
    for k in range(size):
        b.tried[k] = b.x[k] + b.step[k]
        squares += l2_weights[first + k] * float(b.tried[k]) ** 2
    for j in range(len(b.scores)):
        b.scores[j] = b.narrower[j] + log_each[j] / np.float32(inverse_temperature)
    score_pool(pool, b.tried, first, last, b.scores)
    log_sum = exponentiate(b.scores, inverse_temperature, b.shares)
    for i in range(n):
        score = b.own_narrower[i]
        for k in range(size):
            score += float(b.tried[k]) * float(positives[i, first + k])
        b.own_scores[i] = score
        margin = log_sum - inverse_temperature * score
        loss += weights[i] * (
            (max(margin, 0.0) + math.log1p(math.exp(-abs(margin)))) / inverse_temperature + squares / 2
        )
        b.own_slopes[i] = 1 / (1 + math.exp(-margin))
    return loss


@compiled
def find_step(
    positives: Float32Array,
    weights: Float64Array,
    pool: Float32Array,
    first: int,
    last: int,
    inverse_temperature: float,
    l2_weights: Float64Array,
    b: Buffers,
) -> float:
    """Set the step of Newton's method from x, where the loss was evaluated; return the decrease that it promises."""
    n, size = len(weights), last - first
    pull, mass = 0.0, 0.0
    for i in range(n):
        pull += weights[i] * b.own_slopes[i]
        mass += weights[i]
    for k in range(size):
        column, mean = pool[first + k], np.float32(0)
        for j in range(len(column)):
            b.weighted[j] = b.shares[j] * column[j]
            mean += b.weighted[j]
        b.mean[k] = mean
        for m in range(k + 1):
            other, product = pool[first + m], np.float32(0)
            for j in range(len(other)):
                product += b.weighted[j] * other[j]
            b.hessian[k, m] = inverse_temperature * pull * (product - b.mean[k] * b.mean[m])
        b.hessian[k, k] = max(b.hessian[k, k], 0.0) + l2_weights[first + k] * mass
        b.step[k] = -l2_weights[first + k] * mass * b.x[k]
    for i in range(n):
        slope = weights[i] * b.own_slopes[i]
        curvature = inverse_temperature * slope * (1 - b.own_slopes[i])
        for k in range(size):
            apart = positives[i, first + k] - b.mean[k]
            b.step[k] += slope * apart
            for m in range(k + 1):
                b.hessian[k, m] += curvature * apart * (positives[i, first + m] - b.mean[m])
    promise = 0.0
    for k in range(size):
        b.mean[k] = b.step[k]
    solve_cholesky(b.hessian, b.step, size)
    for k in range(size):
        promise += b.mean[k] * b.step[k] / 2
    return promise


@compiled
def solve_level(
    positives: Float32Array,
    weights: Float64Array,
    pool: Float32Array,
    log_each: Float32Array,
    first: int,
    last: int,
    inverse_temperature: float,
    l2_weights: Float64Array,
    tolerance: float,
    b: Buffers,
) -> None:
    """Set x[: last - first] to the minimum of the level's loss."""
    size = last - first
    b.x[:size] = 0.0
    b.step[:size] = 0.0
    loss = evaluate_loss(positives, weights, pool, log_each, first, last, inverse_temperature, l2_weights, b)
    for _ in range(_MOST_STEPS):
        promise = find_step(positives, weights, pool, first, last, inverse_temperature, l2_weights, b)
        if promise < tolerance:
            for k in range(size):
                b.x[k] += b.step[k]
            return
        after = evaluate_loss(positives, weights, pool, log_each, first, last, inverse_temperature, l2_weights, b)
        halvings = 0
        while not after <= loss and halvings < _MOST_HALVINGS:
            for k in range(size):
                b.step[k] /= 2
            after = evaluate_loss(positives, weights, pool, log_each, first, last, inverse_temperature, l2_weights, b)
            halvings += 1
        if not after <= loss:
            return
        for k in range(size):
            b.x[k] += b.step[k]
            b.step[k] = 0.0
        loss = after


@compiled
def mask(narrower: Float32Array, n_unused: int, in_pool: Int64Array) -> None:
    """Set the scores of a pool by no level: 0, and `MASKED` for unused places and items of the history."""
    narrower[:] = 0
    narrower[len(narrower) - n_unused :] = MASKED
    for place in in_pool:
        if place >= 0:
            narrower[place] = MASKED


@compiled
def fold_in_users(
    positives: Float32Array,  # (n_entries, embedding_size) item vectors of the histories
    weights: Float64Array,  # (n_entries,) above 0
    indptr: Int64Array,  # (n_users + 1,)
    small: PoolArrays,
    in_small: Int64Array,  # (n_entries,) place of the item in the pool, -1 if it has none
    large: PoolArrays,  # of no columns where there is none
    in_large: Int64Array,  # (n_entries,)
    widths: Int64Array,  # (n_levels,)
    inverse_temperatures: Float64Array,  # (n_levels,)
    l2_weights: Float64Array,  # (embedding_size,)
    users: Float32Array,  # (n_users, embedding_size) set; rows with an empty history keep their values
) -> None:
    """Fold in one user after the other."""
    longest = 0
    for user in range(len(indptr) - 1):
        longest = max(longest, indptr[user + 1] - indptr[user])
    pool, log_each, n_unused = small
    has_large = large.columns.shape[1] > 0
    b = new_buffers(pool.shape[1], longest, widths[-1])
    large_columns = large.columns.reshape(-1)
    c = new_corrections(large.columns.shape[1], widths[-1])
    for user in range(len(indptr) - 1):
        low, high = indptr[user], indptr[user + 1]
        if low == high:
            continue
        mask(b.narrower, n_unused, in_small[low:high])
        mask(c.narrower, large.n_unused, in_large[low:high])
        b.own_narrower[:] = 0
        tolerance, first = _TOLERANCE * weights[low:high].sum(), 0
        rough = tolerance * _ROUGHER if has_large else tolerance
        for level in range(len(widths)):
            last = widths[level]
            own, of_own = positives[low:high], weights[low:high]
            solve_level(own, of_own, pool, log_each, first, last, inverse_temperatures[level], l2_weights, rough, b)
            if has_large:
                correct_level(
                    own, of_own, b.own_narrower, large_columns, large.log_each, first, last,
                    inverse_temperatures[level], l2_weights, b.hessian, tolerance, b.x, c,
                )  # fmt: skip
            for k in range(last - first):
                b.tried[k] = b.x[k]
                users[user, first + k] = b.tried[k]
            if level + 1 == len(widths):
                break
            score_pool(pool, b.tried, first, last, b.narrower)
            score_pool(large.columns, b.tried, first, last, c.narrower)
            for i in range(high - low):
                for k in range(last - first):
                    b.own_narrower[i] += float(b.tried[k]) * float(own[i, first + k])
            first = last
