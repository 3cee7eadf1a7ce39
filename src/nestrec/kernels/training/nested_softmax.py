"""One pass of nested sampled softmax over shuffled positives, updated in place.

For a positive (u, i) and each level l of width d_l, the loss is

    L_l = log(1 + sum over items j of exp(t_l * (score_l(u, j) - score_l(u, i)))) / t_l

over the items that u has not interacted with: the softmax over the whole catalogue; t_l is the level's inverse
temperature. The sum is estimated from a pool of items drawn uniformly (sampled softmax: Jean et al. 2015), which every
level scores by its own prefixes. The block of coordinates that level b adds to the one before it has the loss

    sum over levels l from b on of gradient_weights[b, l] * L_l

plus L2 regularization: half of the squared coordinates of u, v_i and, by the share of j in the sums, v_j, each with its
own weight (`l2_weights`). If a level has the same weight for all blocks, that is one nested loss; if it has less weight
for the blocks of narrower levels, each block is trained for its own level first. The update is that of `updates.py`.

For speed, BLOCK consecutive positives share a pool (`pool.py`), copied once and transposed. The gradients of the pool's
items are summed over the block and applied at its end; the positive's own two vectors are updated at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import half_bits_of, permute
from nestrec.kernels.simd.lanes import (
    LANES,
    add,
    exponential,
    largest,
    load,
    multiply,
    multiply_add,
    splat,
    store,
    subtract,
    total,
)
from nestrec.kernels.training.candidates import load_tile, score_tile
from nestrec.kernels.training.pool import draw_ascending, mask_seen
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

Lanes = Any  # eight float32 numbers, known to numba alone


@compiled
def softmax_shares(
    scores: Float32Array, start: int, n: int, positive: float, inverse_temperature: float, each: Any
) -> Any:
    """Turn scores[start : start + n] into their shares of the softmax; return (loss, the sum of the shares).

    A share is each * exp(t * score) / (exp(t * positive) + each * sum of exp(t * score)), where t is the inverse
    temperature and `each` the number of items that a candidate stands for.
    """
    highest = positive
    for lane in range(0, n, LANES):
        highest = max(highest, largest(load(scores, start + lane)))
    sharp, offset, summed = splat(inverse_temperature), splat(inverse_temperature * highest), splat(np.float32(0))
    for lane in range(0, n, LANES):
        e = exponential(subtract(multiply(sharp, load(scores, start + lane)), offset))
        store(scores, start + lane, e)
        summed = add(summed, e)
    others = each * total(summed)
    above = inverse_temperature * (positive - highest)
    own = np.exp(above)
    scale = splat(each / (own + others))
    for lane in range(0, n, LANES):
        store(scores, start + lane, multiply(scale, load(scores, start + lane)))
    return (np.log(own + others) - above) / inverse_temperature, others / (own + others)


@compiled
def mix_shares(shares: Float32Array, n: int, n_levels: int, gradient_weights: Float32Array) -> None:
    """Turn shares (n_levels, n) of each level's softmax into the slopes of each level's own block of coordinates."""
    for lane in range(0, n, LANES):
        for own in range(n_levels):
            summed = splat(np.float32(0))
            for level in range(own, n_levels):
                summed = multiply_add(
                    splat(gradient_weights[own * n_levels + level]), load(shares, level * n + lane), summed
                )
            store(shares, own * n + lane, summed)


@compiled
def mix_slopes(
    slopes: Float32Array, widths: Int64Array, gradient_weights: Float32Array, coordinate_slopes: Float32Array
) -> None:
    """Fill coordinate_slopes (stride,) with those of the positive: the same mixture, for each coordinate."""
    n_levels, d = len(widths), 0
    for own in range(n_levels):
        summed = np.float32(0)
        for level in range(own, n_levels):
            summed += gradient_weights[own * n_levels + level] * slopes[level]
        while d < widths[own]:
            coordinate_slopes[d] = summed
            d += 1


@compiled
def add_product(sums: Float32Array, at: int, left: Lanes, right: Lanes) -> None:
    """Add left * right to sums[at : at + LANES]."""
    store(sums, at, multiply_add(left, right, load(sums, at)))


@compiled
def add_pool_gradients(
    users: Float32Array,
    user: int,
    tile: Float32Array,
    widths: Int64Array,
    shares: Float32Array,
    user_gradient: Float32Array,
    tile_gradient: Float32Array,
) -> None:
    """Add the pool's part of the user's gradient, and the user's of tile_gradient, (embedding_size, pool_size)."""
    n = len(shares) // len(widths)
    for start in range(0, n, TILE):
        d = 0
        for level in range(len(widths)):
            at = level * n + start
            c0 = load(shares, at)
            c1 = load(shares, at + LANES)
            c2 = load(shares, at + 2 * LANES)
            c3 = load(shares, at + 3 * LANES)
            c4 = load(shares, at + 4 * LANES)
            c5 = load(shares, at + 5 * LANES)
            c6 = load(shares, at + 6 * LANES)
            c7 = load(shares, at + 7 * LANES)
            while d < widths[level]:
                x = splat(users[user + d])
                to = d * n + start
                s = multiply(c0, load(tile, to))
                r = multiply(c1, load(tile, to + LANES))
                s = multiply_add(c2, load(tile, to + 2 * LANES), s)
                r = multiply_add(c3, load(tile, to + 3 * LANES), r)
                s = multiply_add(c4, load(tile, to + 4 * LANES), s)
                r = multiply_add(c5, load(tile, to + 5 * LANES), r)
                s = multiply_add(c6, load(tile, to + 6 * LANES), s)
                r = multiply_add(c7, load(tile, to + 7 * LANES), r)
                user_gradient[d] += total(add(s, r))
                add_product(tile_gradient, to, x, c0)
                add_product(tile_gradient, to + LANES, x, c1)
                add_product(tile_gradient, to + 2 * LANES, x, c2)
                add_product(tile_gradient, to + 3 * LANES, x, c3)
                add_product(tile_gradient, to + 4 * LANES, x, c4)
                add_product(tile_gradient, to + 5 * LANES, x, c5)
                add_product(tile_gradient, to + 6 * LANES, x, c6)
                add_product(tile_gradient, to + 7 * LANES, x, c7)
                d += 1


@compiled
def step_pool(
    items: Float32Array,
    item_squares: Float32Array,
    stride: int,
    pool: Int64Array,
    widths: Int64Array,
    tile_gradient: Float32Array,
    summed_shares: Float32Array,
    l2_weights: Float32Array,
    rate: float,
    gradient: Float32Array,
) -> None:
    """Update each item of the pool once; summed_shares (n_levels, pool_size) are the block's slopes of its scores."""
    n, rates = len(pool), splat(rate)
    for lane in range(n):
        row, level = pool[lane] * stride, 0
        for d in range(widths[-1]):
            while d >= widths[level]:
                level += 1
            regular = summed_shares[level * n + lane] * l2_weights[d] * items[row + d]
            gradient[d] = tile_gradient[d * n + lane] + regular
        for d in range(0, stride, LANES):
            adaptive_step(items, item_squares, row + d, load(gradient, d), rates)


@compiled
def add_to(sums: Float32Array, numbers: Float32Array) -> None:
    """Add numbers to sums, both of a length that is a multiple of LANES."""
    for at in range(0, len(sums), LANES):
        store(sums, at, add(load(sums, at), load(numbers, at)))


@compiled
def train_slice(
    users: Float32Array,  # (n_users * stride,) float32, updated
    items: Float32Array,  # (n_items * stride,) float32, updated
    user_squares: Float32Array,  # (n_users * stride,) float32, sums of squared gradients, updated
    item_squares: Float32Array,  # (n_items * stride,) float32, updated
    indptr: Int64Array,  # (n_users + 1,) int64
    indices: Int32Array,  # (n_interactions,) int32, ascending per user
    user_of: Int32Array,  # (n_interactions,) int32
    widths: Int64Array,  # (n_levels,) int64
    level_weights: Float32Array,  # (n_levels,) float32, of the loss that is returned
    gradient_weights: Float32Array,  # (n_levels * n_levels,) float32, of level losses (columns) for blocks (rows)
    inverse_temperature: Float32Array,  # (n_levels,) float32
    stride: int,  # embedding size rounded up to a multiple of LANES
    pool_size: int,  # a multiple of TILE
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
    half_bits = half_bits_of(n)
    each = np.float32(n_items / pool_size)
    pool = np.empty(pool_size, np.int64)
    tile = np.empty(embedding_size * pool_size, np.float32)
    tile_gradient = np.empty(embedding_size * pool_size, np.float32)
    shares = np.empty(n_levels * pool_size, np.float32)
    summed_shares = np.empty(n_levels * pool_size, np.float32)
    scores_positive = np.empty(n_levels, np.float32)
    slopes = np.empty(n_levels, np.float32)
    products = np.zeros(stride, np.float32)
    coordinate_slopes = np.zeros(stride, np.float32)
    gradient = np.zeros(stride, np.float32)
    order = np.empty(BLOCK, np.int64)
    summed_loss, n_trained = 0.0, 0
    for block_start in range(start, stop, BLOCK):
        block_size = min(BLOCK, stop - block_start)
        for k in range(block_size):
            order[k] = permute(block_start + k, n, half_bits, key)
        draw_ascending(pool, n_items, key, block_start // BLOCK)
        for lane in range(pool_size):
            prefetch_row(items, item_squares, pool[lane] * stride, stride)
        load_tile(items, stride, embedding_size, pool, tile)
        tile_gradient[:] = np.float32(0)
        summed_shares[:] = np.float32(0)
        for k in range(block_size):
            user_index, item_index = user_of[order[k]], indices[order[k]]
            if k + AHEAD < block_size:
                prefetch_row(users, user_squares, user_of[order[k + AHEAD]] * stride, stride)
                prefetch_row(items, item_squares, indices[order[k + AHEAD]] * stride, stride)
            low, high = indptr[user_index], indptr[user_index + 1]
            if high - low >= n_items:
                continue
            user, item = user_index * stride, item_index * stride
            score_tile(users, user, tile, widths, shares)
            positive_scores(users, user, items, item, widths, stride, products, scores_positive)
            mask_seen(shares, n_levels, pool, n_items, indices, low, high)
            for level in range(n_levels):
                loss, share = softmax_shares(
                    shares, level * pool_size, pool_size, scores_positive[level], inverse_temperature[level], each
                )
                summed_loss += level_weights[level] * loss
                slopes[level] = share
            mix_shares(shares, pool_size, n_levels, gradient_weights)
            mix_slopes(slopes, widths, gradient_weights, coordinate_slopes)
            start_user_gradient(users, user, items, item, coordinate_slopes, stride, l2_weights, gradient)
            add_pool_gradients(users, user, tile, widths, shares, gradient, tile_gradient)
            add_to(summed_shares, shares)
            step_positive(users, user, items, item_squares, item, coordinate_slopes, stride, l2_weights, learning_rate)
            step_user(users, user_squares, user, gradient, stride, learning_rate)
            n_trained += 1
        gradient[:] = np.float32(0)
        step_pool(
            items, item_squares, stride, pool, widths, tile_gradient, summed_shares, l2_weights, learning_rate, gradient
        )  # fmt: skip
    return summed_loss, n_trained
