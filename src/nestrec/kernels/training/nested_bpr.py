"""One pass of nested BPR with a negative per level over shuffled positives, updated in place.

For a positive (u, i) and each level l of width d_l, the objective is

    w_l * softplus(score_l(u, j_l) - score_l(u, i)),   score_l(u, i) = <u[:d_l], v_i[:d_l]>

times the weight of the positive, plus L2 regularization: half of the squared coordinates of u, v_i and, times w_l,
v_{j_l}[:d_l], each with its weight in `l2_weights`. j_l is the highest-scoring item, by that level's own prefix, of
n_candidates drawn uniformly, seen items masked (dynamic negative sampling per level: Lai et al. 2024, arXiv 2406.07432;
BPR: Rendle et al. 2009). The update is Adagrad's (`updates.py`).

For speed, BLOCK consecutive positives share a tile of drawn items (`candidates.py`), and each level of each positive
reads its own window of it. So a positive's candidates are uniform, and only neighbours in the random order share them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import below, half_bits_of, permute, random_bits
from nestrec.kernels.simd.lanes import (
    LANES,
    load,
    multiply,
    multiply_add,
    prefetch,
    splat,
    store,
)
from nestrec.kernels.training.candidates import any_unseen, draw_pool, hardest_unseen, load_tile, score_tile
from nestrec.kernels.training.tile_sizes import BLOCK, TILE
from nestrec.kernels.training.updates import (
    AHEAD,
    adaptive_step,
    positive_scores,
    prefetch_row,
    start_user_gradient,
    step_positive,
    step_user,
)


@compiled
def prefix_score(users: Float32Array, user: int, items: Float32Array, item: int, width: int) -> Any:
    """Return the inner product of two prefixes; user and item are offsets."""
    result = np.float32(0)
    for d in range(width):
        result += users[user + d] * items[item + d]
    return result


@compiled
def step_negative(
    users: Float32Array,
    user: int,
    items: Float32Array,
    item_squares: Float32Array,
    item: int,
    level_mask: Float32Array,
    at: int,
    width: int,
    slope: float,
    level_weight: float,
    l2_weights: Float32Array,
    rate: float,
    user_gradient: Float32Array,
) -> None:
    """Update a negative's prefix and add its part of user_gradient; level_mask[at + d] is 1 below the width, else 0."""
    slopes, weights, rates = splat(slope), splat(level_weight), splat(rate)
    for d in range(0, width, LANES):
        mask = load(level_mask, at + d)
        vector = load(items, item + d)
        store(user_gradient, d, multiply_add(multiply(slopes, mask), vector, load(user_gradient, d)))
        regular = multiply(multiply(weights, load(l2_weights, d)), vector)
        gradient = multiply(mask, multiply_add(slopes, load(users, user + d), regular))
        adaptive_step(items, item_squares, item + d, gradient, rates)


@compiled
def softplus_and_slope(margin: float) -> tuple[float, float]:
    """Return log(1 + exp(margin)) and its derivative, finite for every finite margin."""
    small = np.exp(-abs(margin))
    one = np.float32(1)
    loss = max(margin, np.float32(0)) + np.log1p(small)
    slope = one / (one + small) if margin > 0 else small / (one + small)
    return loss, slope


@compiled
def spread_slopes(slopes: Float32Array, widths: Int64Array, coordinate_slopes: Float32Array) -> None:
    """Fill coordinate_slopes (stride,): the sum of the slopes of the levels that contain each coordinate."""
    summed = np.float32(0)
    for level in range(len(widths) - 1, -1, -1):
        summed += slopes[level]
        start = widths[level - 1] if level > 0 else 0
        for d in range(start, widths[level]):
            coordinate_slopes[d] = summed


@compiled
def train_slice(
    users: Float32Array,  # (n_users * stride,) float32, updated
    items: Float32Array,  # (n_items * stride,) float32, updated
    user_squares: Float32Array,  # (n_users * stride,) float32, sums of squared gradients, updated
    item_squares: Float32Array,  # (n_items * stride,) float32, updated
    indptr: Int64Array,  # (n_users + 1,) int64
    indices: Int32Array,  # (n_interactions,) int32, ascending per user
    user_of: Int32Array,  # (n_interactions,) int32
    weights: Float32Array,  # (n_interactions,) float32 with mean 1, or (0,) where all are 1
    widths: Int64Array,  # (n_levels,) int64
    level_weights: Float32Array,  # (n_levels,) float32
    level_mask: Float32Array,  # (n_levels * stride,) float32, 1 below the level's width and 0 from it on
    stride: int,  # embedding size rounded up to a multiple of LANES
    n_candidates: int,
    learning_rate: float,  # float32
    l2_weights: Float32Array,  # (stride,) float32, of the squared coordinates
    key: int,  # uint64: the epoch's randomness
    start: int,  # first position of the slice in the epoch's order, a multiple of BLOCK
    stop: int,
) -> tuple[float, int]:
    """Train on positions [start, stop) of the key's order; return (sum of losses, number of positives trained).

    A user who has interacted with every item has no negative; such positives are skipped.
    """
    n, n_levels = len(indices), len(widths)
    n_items, embedding_size = len(items) // stride, widths[-1]
    window = (n_candidates + LANES - 1) // LANES * LANES
    tile_size = (window + TILE - 1) // TILE * TILE
    n_windows = tile_size // window
    half_bits = half_bits_of(n)
    pool = np.empty(tile_size, np.int64)
    tile = np.empty(embedding_size * tile_size, np.float32)
    scores = np.empty(n_levels * tile_size, np.float32)
    scores_positive = np.empty(n_levels, np.float32)
    slopes = np.empty(n_levels, np.float32)
    negatives = np.empty(n_levels, np.int64)
    products = np.zeros(stride, np.float32)
    coordinate_slopes = np.zeros(stride, np.float32)
    user_gradient = np.zeros(stride, np.float32)
    order = np.empty(BLOCK, np.int64)
    summed_loss, n_trained = 0.0, 0
    for block_start in range(start, stop, BLOCK):
        block_size = min(BLOCK, stop - block_start)
        for k in range(block_size):
            order[k] = permute(block_start + k, n, half_bits, key)
            prefetch(user_of, order[k])
            prefetch(indices, order[k])
            if len(weights) > 0:
                prefetch(weights, order[k])
        draw_pool(pool, n_items, key, block_start // BLOCK)
        for lane in range(tile_size):
            prefetch_row(items, item_squares, pool[lane] * stride, stride)
        for k in range(block_size):
            prefetch(indptr, user_of[order[k]])
        load_tile(items, stride, embedding_size, pool, tile)
        for k in range(block_size):
            user_index, item_index = user_of[order[k]], indices[order[k]]
            if k + AHEAD < block_size:
                prefetch_row(users, user_squares, user_of[order[k + AHEAD]] * stride, stride)
                prefetch_row(items, item_squares, indices[order[k + AHEAD]] * stride, stride)
            low, high = indptr[user_index], indptr[user_index + 1]
            if high - low >= n_items:
                continue
            user, item = user_index * stride, item_index * stride
            importance = weights[order[k]] if len(weights) > 0 else np.float32(1)
            score_tile(users, user, tile, widths, scores)
            positive_scores(users, user, items, item, widths, stride, products, scores_positive)
            bits = random_bits(~key, block_start + k)
            for level in range(n_levels):
                first = ((below(bits, n_windows) + level) % n_windows) * window
                at = level * tile_size + first
                lane = hardest_unseen(scores, at, n_candidates, pool, first, indices, low, high)
                if lane >= 0:
                    negative, score = pool[first + lane], scores[at + lane]
                else:
                    negative = any_unseen(indices, low, high, n_items, random_bits(bits, level))
                    score = prefix_score(users, user, items, negative * stride, widths[level])
                loss, slope = softplus_and_slope(score - scores_positive[level])
                level_weight = importance * level_weights[level]
                summed_loss += level_weight * loss
                slopes[level] = level_weight * slope
                negatives[level] = negative * stride
            spread_slopes(slopes, widths, coordinate_slopes)
            start_user_gradient(users, user, items, item, coordinate_slopes, stride, l2_weights, user_gradient)
            for level in range(n_levels):
                step_negative(
                    users, user, items, item_squares, negatives[level], level_mask, level * stride, widths[level],
                    slopes[level], level_weights[level], l2_weights, learning_rate, user_gradient,
                )  # fmt: skip
            step_positive(users, user, items, item_squares, item, coordinate_slopes, stride, l2_weights, learning_rate)
            step_user(users, user_squares, user, user_gradient, stride, learning_rate)
            n_trained += 1
    return summed_loss, n_trained
