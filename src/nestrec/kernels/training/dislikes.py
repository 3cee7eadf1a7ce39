"""One pass over shuffled dislikes, each against a random positive of its user, updated in place.

For a user u who dislikes k and interacted with i, the loss of each level l is

    D_l = log(1 + exp(t_l * (score_l(u, k) - score_l(u, i)))) / t_l

which is that of the softmax (`nested_softmax.py`) over i and k alone and, with t_l = 1, that of a pair
(`nested_bpr.py`). The block of coordinates of level b has the loss

    sum over levels l from b on of slope_weights[b, l] * D_l

without L2 regularization, which is that of interactions. i is drawn uniformly from the user's interactions, each time
anew; dislikes of users without any are skipped. The update is Adagrad's (`updates.py`).

Ranges: users and items are those of a CSR matrix that `Interactions` has checked.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import below, half_bits_of, permute, random_bits
from nestrec.kernels.simd.lanes import LANES, load, multiply, splat
from nestrec.kernels.simd.vectors import subtract
from nestrec.kernels.training.nested_bpr import softplus_and_slope
from nestrec.kernels.training.updates import adaptive_step, positive_scores


@compiled
def weigh_slopes(
    slopes: Float32Array,  # (n_levels,)
    slope_weights: Float32Array,  # (n_levels * n_levels,)
    widths: Int64Array,
    coordinate_slopes: Float32Array,  # (stride,), set up to the embedding size
) -> None:
    """Set for each coordinate the weighted sum of the slopes of the levels that contain it."""
    n_levels, d = len(widths), 0
    for own in range(n_levels):
        summed = np.float32(0)
        for level in range(own, n_levels):
            summed += slope_weights[own * n_levels + level] * slopes[level]
        while d < widths[own]:
            coordinate_slopes[d] = summed
            d += 1


@compiled
def step_triple(
    users: Float32Array,
    items: Float32Array,
    user_squares: Float32Array,
    item_squares: Float32Array,
    user: int,
    positive: int,
    disliked: int,
    coordinate_slopes: Float32Array,
    stride: int,
    rate: float,
) -> None:
    """Update the three vectors, given as offsets; the gradients are those before the step."""
    rates, zero = splat(rate), splat(np.float32(0))
    for d in range(0, stride, LANES):
        slope, of_user = load(coordinate_slopes, d), load(users, user + d)
        difference = subtract(load(items, disliked + d), load(items, positive + d))
        of_disliked = multiply(slope, of_user)
        adaptive_step(users, user_squares, user + d, multiply(slope, difference), rates)
        adaptive_step(items, item_squares, disliked + d, of_disliked, rates)
        adaptive_step(items, item_squares, positive + d, subtract(zero, of_disliked), rates)


@compiled
def train_slice(
    users: Float32Array,  # (n_users * stride,) float32, updated
    items: Float32Array,  # (n_items * stride,) float32, updated
    user_squares: Float32Array,  # (n_users * stride,) float32, sums of squared gradients, updated
    item_squares: Float32Array,  # (n_items * stride,) float32, updated
    indptr: Int64Array,  # (n_users + 1,) int64, of the interactions
    indices: Int32Array,  # (n_interactions,) int32
    disliking: Int32Array,  # (n_dislikes,) int32 user of each dislike
    disliked: Int32Array,  # (n_dislikes,) int32 item of each dislike
    widths: Int64Array,  # (n_levels,) int64
    level_weights: Float32Array,  # (n_levels,) float32, of the loss that is returned
    slope_weights: Float32Array,  # (n_levels * n_levels,) float32, of level losses (columns) for blocks (rows)
    inverse_temperature: Float32Array,  # (n_levels,) float32
    stride: int,  # embedding size rounded up to a multiple of LANES
    learning_rate: float,  # float32
    key: int,  # uint64: the epoch's randomness
    start: int,  # first position of the slice in the epoch's order
    stop: int,
) -> float:
    """Train on positions [start, stop) of the key's order; return the sum of losses."""
    n, n_levels = len(disliked), len(widths)
    half_bits = half_bits_of(n)
    products, coordinate_slopes = np.zeros(stride, np.float32), np.zeros(stride, np.float32)
    of_positive, of_disliked = np.empty(n_levels, np.float32), np.empty(n_levels, np.float32)
    slopes = np.empty(n_levels, np.float32)
    summed_loss = 0.0
    for position in range(start, stop):
        row = permute(position, n, half_bits, key)
        user_index = disliking[row]
        low, high = indptr[user_index], indptr[user_index + 1]
        if high == low:
            continue
        user, item = user_index * stride, disliked[row] * stride
        positive = indices[low + below(random_bits(key, position), high - low)] * stride
        positive_scores(users, user, items, positive, widths, stride, products, of_positive)
        positive_scores(users, user, items, item, widths, stride, products, of_disliked)
        for level in range(n_levels):
            sharp = inverse_temperature[level]
            loss, slope = softplus_and_slope(sharp * (of_disliked[level] - of_positive[level]))
            summed_loss += level_weights[level] * loss / sharp
            slopes[level] = slope
        weigh_slopes(slopes, slope_weights, widths, coordinate_slopes)
        step_triple(
            users, items, user_squares, item_squares, user, positive, item, coordinate_slopes, stride, learning_rate
        )  # fmt: skip
    return summed_loss
