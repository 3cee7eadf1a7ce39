"""Explain a folded vector: the part of it that each item of the history contributes, by the normal equations.

At the minimum of a level, with mean c and covariance C of the items under the softmax, slope q_i of item i's loss and
its apart a_i = v_i - c, the gradient is zero:

    sum over i of w_i * q_i * a_i = l2 * W * x,    W = sum of the weights w_i

The last step of Newton's method has the matrix H = t * Q * C + sum over i of t * w_i * q_i * (1 - q_i) * a_i a_i' +
l2 * W, where Q is the sum of w_i * q_i. So x is the sum over i of

    x_i = w_i * q_i * H^-1 (a_i + t * C x + t * (1 - q_i) * (a_i . x) * a_i)

as in weighted least squares (Hu, Koren and Volinsky 2008): items like those of the history gain, others do not.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int64Array
from nestrec.fold_in.objective import SoftmaxObjective
from nestrec.fold_in.pool import Pool
from nestrec.widths import Widths


def softmax_contributions(
    objective: SoftmaxObjective,
    widths: Widths,
    own: Float64Array,  # (n, embedding_size) item vectors of the history
    weights: Float64Array,  # (n,)
    in_pool: Int64Array,  # (n,) places in the pool, -1 where an item has none
    pool: Pool,
    vector: Float32Array,  # (embedding_size,) the folded vector
) -> Float64Array:
    """Return each item's part of the vector, (n, embedding_size); their sum differs from it by the solver's error."""
    parts, x = np.zeros_like(own), vector.astype(np.float64)
    candidates = pool.columns[:, : len(pool.rows)].astype(np.float64)
    masked = in_pool[in_pool >= 0]
    first = 0
    for last, sharp in zip(widths.values, objective.inverse_temperatures, strict=True):
        scores = x[:last] @ candidates[:last] + pool.log_each / sharp
        scores[masked] = -np.inf
        highest = scores.max()
        if np.isfinite(highest):
            powers = np.exp(sharp * (scores - highest))
            margins = sharp * (highest - own[:, :last] @ x[:last]) + np.log(powers.sum())
            slopes = weights * np.exp(-np.logaddexp(0, -margins))
            l2 = objective.l2_weights[first:last] * weights.sum()
            block = slice(first, last)
            parts[:, block] = _parts_of_block(
                own[:, block], weights, slopes, sharp, l2, candidates[block], powers / powers.sum(), x[block]
            )
        first = last
    return parts


def _parts_of_block(
    own: Float64Array,  # (n, size)
    weights: Float64Array,  # (n,)
    slopes: Float64Array,  # (n,) w_i * q_i
    sharp: float,
    l2: Float64Array,  # (size,)
    candidates: Float64Array,  # (size, pool_size)
    shares: Float64Array,  # (pool_size,)
    x: Float64Array,  # (size,)
) -> Float64Array:
    """Return x_i of every item, (n, size)."""
    mean = candidates @ shares
    apart, spread = own - mean, candidates - mean[:, None]
    covariance = (spread * shares) @ spread.T
    curvatures = sharp * slopes * (1 - slopes / weights)
    matrix = sharp * slopes.sum() * covariance + (apart.T * curvatures) @ apart + np.diag(l2)
    right = slopes[:, None] * (apart + sharp * (covariance @ x)) + (curvatures * (apart @ x))[:, None] * apart
    result: Float64Array = np.linalg.solve(matrix, right.T).T
    return result
