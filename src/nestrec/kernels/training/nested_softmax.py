"""One pass of nested sampled softmax over shuffled positives, updated in place.

For a positive (u, i) and each level l of width d_l, the loss is

    L_l = log(1 + sum over items j of exp(t_l * (score_l(u, j) - score_l(u, i)))) / t_l

over the items that u has not interacted with: the softmax over the whole catalogue; t_l is the level's sharpness, the
inverse of a temperature. The sum is estimated from a pool of items drawn uniformly (sampled softmax: Jean et al. 2015),
which every level weighs by its own scores. The coordinates that level b adds to the one before it go down the gradient
of

    sum over levels l from b on of pulls[b, l] * L_l

plus half of the squared coordinates of u, v_i and, by the share that j has in the sums, v_j, each times its own weight
(`decays`). Where a level pulls all blocks alike, that is one nested loss; where it pulls those of narrower levels less,
every level is first served by its own. Each coordinate has its own adaptive step (Adagrad: Duchi et al. 2011).

What makes it fast: BLOCK consecutive positives share a pool (`pool.py`), copied once and transposed. A positive's
gradients of the pool's items are added up beside it and taken as one step at the end of the block; the positive's own
two vectors move at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import half_bits_of, shuffled
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
from nestrec.kernels.training.nested_bpr import (
    AHEAD,
    adaptive_step,
    positive_scores,
    prefetch_row,
    start_user_gradient,
    step_positive,
    step_user,
)
from nestrec.kernels.training.pool import draw_ascending, strike_seen
from nestrec.kernels.training.tile_sizes import BLOCK, TILE

Lanes = Any  # eight float32 numbers, known to numba alone


@compiled
def softmax_shares(scores: Float32Array, start: int, n: int, positive: float, sharpness: float, each: Any) -> Any:
    """Turn scores[start : start + n] into their shares of the softmax; return (loss, share of all of them).

    A share is each * exp(sharpness * score) / (exp(sharpness * positive) + each * sum of exp(sharpness * score)):
    `each` is how many items a drawn one stands for.
    """
    highest = positive
    for lane in range(0, n, LANES):
        highest = max(highest, largest(load(scores, start + lane)))
    sharp, offset, summed = splat(sharpness), splat(sharpness * highest), splat(np.float32(0))
    for lane in range(0, n, LANES):
        e = exponential(subtract(multiply(sharp, load(scores, start + lane)), offset))
        store(scores, start + lane, e)
        summed = add(summed, e)
    others = each * total(summed)
    above = sharpness * (positive - highest)
    own = np.exp(above)
    scale = splat(each / (own + others))
    for lane in range(0, n, LANES):
        store(scores, start + lane, multiply(scale, load(scores, start + lane)))
    return (np.log(own + others) - above) / sharpness, others / (own + others)


@compiled
def mix_shares(shares: Float32Array, n: int, n_levels: int, pulls: Float32Array) -> None:
    """Turn shares (n_levels, n) of each level's softmax into the pull on each level's own coordinates."""
    for lane in range(0, n, LANES):
        for own in range(n_levels):
            pulled = splat(np.float32(0))
            for level in range(own, n_levels):
                pulled = multiply_add(splat(pulls[own * n_levels + level]), load(shares, level * n + lane), pulled)
            store(shares, own * n + lane, pulled)


@compiled
def mix_slopes(slopes: Float32Array, widths: Int64Array, pulls: Float32Array, pull: Float32Array) -> None:
    """Fill pull (stride,) with that of the positive: the same mixture, for each coordinate."""
    n_levels, d = len(widths), 0
    for own in range(n_levels):
        summed = np.float32(0)
        for level in range(own, n_levels):
            summed += pulls[own * n_levels + level] * slopes[level]
        while d < widths[own]:
            pull[d] = summed
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
    """Add the pool's pull to the user's gradient, and the user's to tile_gradient, (embedding_size, pool_size)."""
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
    mass: Float32Array,
    decays: Float32Array,
    rate: float,
    gradient: Float32Array,
) -> None:
    """Take the block's one step for each item of the pool; mass (n_levels, pool_size) is the summed pull on it."""
    n, rates = len(pool), splat(rate)
    for lane in range(n):
        row, level = pool[lane] * stride, 0
        for d in range(widths[-1]):
            while d >= widths[level]:
                level += 1
            regular = mass[level * n + lane] * decays[d] * items[row + d]
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
    pulls: Float32Array,  # (n_levels * n_levels,) float32, of each level's loss (column) on each block of coordinates
    sharpness: Float32Array,  # (n_levels,) float32
    stride: int,  # embedding size rounded up to a multiple of LANES
    pool_size: int,  # a multiple of TILE
    learning_rate: float,  # float32
    decays: Float32Array,  # (stride,) float32, weight of each squared coordinate
    key: int,  # uint64: the epoch's randomness
    start: int,  # first position of the slice in the epoch's order, a multiple of BLOCK
    stop: int,
) -> tuple[float, int]:
    """Train on positions [start, stop) of the key's order; return (sum of losses, number of positives trained).

    A user who has interacted with every item has no negative; such positives are passed over.
    """
    n, n_levels = len(indices), len(widths)
    n_items, embedding_size = len(items) // stride, widths[-1]
    half_bits = half_bits_of(n)
    each = np.float32(n_items / pool_size)
    pool = np.empty(pool_size, np.int64)
    tile = np.empty(embedding_size * pool_size, np.float32)
    tile_gradient = np.empty(embedding_size * pool_size, np.float32)
    shares = np.empty(n_levels * pool_size, np.float32)
    mass = np.empty(n_levels * pool_size, np.float32)
    scores_positive = np.empty(n_levels, np.float32)
    slopes = np.empty(n_levels, np.float32)
    products = np.zeros(stride, np.float32)
    pull = np.zeros(stride, np.float32)
    gradient = np.zeros(stride, np.float32)
    order = np.empty(BLOCK, np.int64)
    summed_loss, n_trained = 0.0, 0
    for block_start in range(start, stop, BLOCK):
        block_size = min(BLOCK, stop - block_start)
        for k in range(block_size):
            order[k] = shuffled(block_start + k, n, half_bits, key)
        draw_ascending(pool, n_items, key, block_start // BLOCK)
        for lane in range(pool_size):
            prefetch_row(items, item_squares, pool[lane] * stride, stride)
        load_tile(items, stride, embedding_size, pool, tile)
        tile_gradient[:] = np.float32(0)
        mass[:] = np.float32(0)
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
            strike_seen(shares, n_levels, pool, n_items, indices, low, high)
            for level in range(n_levels):
                loss, share = softmax_shares(
                    shares, level * pool_size, pool_size, scores_positive[level], sharpness[level], each
                )
                summed_loss += level_weights[level] * loss
                slopes[level] = share
            mix_shares(shares, pool_size, n_levels, pulls)
            mix_slopes(slopes, widths, pulls, pull)
            start_user_gradient(users, user, items, item, pull, stride, decays, gradient)
            add_pool_gradients(users, user, tile, widths, shares, gradient, tile_gradient)
            add_to(mass, shares)
            step_positive(users, user, items, item_squares, item, pull, stride, decays, learning_rate)
            step_user(users, user_squares, user, gradient, stride, learning_rate)
            n_trained += 1
        gradient[:] = np.float32(0)
        step_pool(
            items, item_squares, stride, pool, widths, tile_gradient, mass, decays, learning_rate, gradient
        )  # fmt: skip
    return summed_loss, n_trained
