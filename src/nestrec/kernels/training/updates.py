"""Steps that both nested losses share: prefetching rows, scoring the positive, and adaptive updates in place.

Each coordinate has its own learning rate (Adagrad: Duchi et al. 2011). L2 regularization is part of the gradient: the
weight of each squared coordinate times the coordinate itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.simd.lanes import LANES, load, prefetch, prefetch_to_read, splat, total
from nestrec.kernels.simd.vectors import inverse_root, load_like, multiply, multiply_add, store, subtract

Lanes = Any  # a vector of float32 numbers, known to numba alone

AHEAD = 2  # positives between prefetching their rows and using them


@compiled
def prefetch_row(vectors: Float32Array, squares: Float32Array, row: int, stride: int) -> None:
    """Prefetch a vector and its squared gradients, which will be read and mostly written; row is an offset."""
    for d in range(0, stride, 2 * LANES):
        prefetch(vectors, row + d)
        prefetch(squares, row + d)


@compiled
def prefetch_vector(vectors: Float32Array, row: int, stride: int) -> None:
    """Prefetch a vector that will be read alone; row is an offset."""
    for d in range(0, stride, 2 * LANES):
        prefetch_to_read(vectors, row + d)


@compiled
def positive_scores(
    users: Float32Array,
    user: int,
    items: Float32Array,
    item: int,
    widths: Int64Array,
    stride: int,
    products: Float32Array,
    scores: Float32Array,
) -> None:
    """Fill scores (n_levels,) of the positive; products (stride,) is scratch."""
    for d in range(0, stride, LANES):
        store(products, d, multiply(load(users, user + d), load(items, item + d)))
    result = np.float32(0)
    d = 0
    for level in range(len(widths)):
        width = widths[level]
        while d < width and d % LANES != 0:
            result += products[d]
            d += 1
        while d + LANES <= width:
            result += total(load(products, d))
            d += LANES
        while d < width:
            result += products[d]
            d += 1
        scores[level] = result


@compiled
def adaptive_step(
    parameters: Float32Array, squares: Float32Array, at: int, gradient: Lanes, learning_rate: Lanes
) -> None:
    """Update the gradient's parameters, each with its own learning rate: learning_rate / sqrt(sum of squares)."""
    summed = multiply_add(gradient, gradient, load_like(gradient, squares, at))
    store(squares, at, summed)
    step = multiply(multiply(learning_rate, gradient), inverse_root(summed))
    store(parameters, at, subtract(load_like(gradient, parameters, at), step))


@compiled
def start_user_gradient(
    users: Float32Array,
    user: int,
    items: Float32Array,
    item: int,
    coordinate_slopes: Float32Array,
    stride: int,
    l2_weights: Float32Array,
    user_gradient: Float32Array,
) -> None:
    """Set user_gradient to that of the L2 regularization and of the positive."""
    for d in range(0, stride, LANES):
        regular = multiply(load(l2_weights, d), load(users, user + d))
        store(user_gradient, d, subtract(regular, multiply(load(coordinate_slopes, d), load(items, item + d))))


@compiled
def step_positive(
    users: Float32Array,
    user: int,
    items: Float32Array,
    item_squares: Float32Array,
    item: int,
    coordinate_slopes: Float32Array,
    stride: int,
    l2_weights: Float32Array,
    rate: float,
) -> None:
    """Update the positive item's vector; coordinate_slopes[d] is the sum of the slopes of the levels that contain d."""
    rates = splat(rate)
    for d in range(0, stride, LANES):
        regular = multiply(load(l2_weights, d), load(items, item + d))
        gradient = subtract(regular, multiply(load(coordinate_slopes, d), load(users, user + d)))
        adaptive_step(items, item_squares, item + d, gradient, rates)


@compiled
def step_user(
    users: Float32Array, user_squares: Float32Array, user: int, user_gradient: Float32Array, stride: int, rate: float
) -> None:
    """Update the user's vector."""
    rates = splat(rate)
    for d in range(0, stride, LANES):
        adaptive_step(users, user_squares, user + d, load(user_gradient, d), rates)
