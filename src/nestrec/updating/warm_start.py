"""Where an update starts: vectors of all users and items, and the sums of squared gradients of Adagrad.

At small scores, the gradient of the softmax is that of a factorization of the interactions normalised by the roots of
their degrees: a vector is, up to a factor for each level, the normalised sum of the vectors of its neighbours. So the
first-order effect of new interactions is the change of that sum. It is added to the vectors of the model, and is all
that new users and items have. Then few epochs are enough (docs/results/update.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array
from nestrec.data.cold_ids import restrict_to
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.training.cpu_engine import CpuEngine
from nestrec.training.optimizers import FIRST_SQUARE
from nestrec.training.signals import normalize_weights
from nestrec.widths import Widths

Vectors = tuple[Float32Array, Float32Array]  # users and items, (n, embedding_size) each

_MEASURED = 0.2  # of an epoch, from which gradients are measured
_MEASURING_EPOCH = 2**31  # number of an epoch whose order no other has


@dataclass(frozen=True)
class KnownRows:
    """Rows of the merged interactions that the model has vectors of, and its rows."""

    users: Int32Array  # (n,) rows of the merged interactions
    items: Int32Array
    model_users: Int32Array  # (n,) rows of the model
    model_items: Int32Array

    @classmethod
    def match(cls, model: NestedEmbeddings, interactions: Interactions) -> KnownRows:
        """Match the ids."""
        users = interactions.users.index_of(model.users.ids, unknown="mark")
        items = interactions.items.index_of(model.items.ids, unknown="mark")
        model_users, model_items = (np.flatnonzero(rows >= 0).astype(np.int32) for rows in (users, items))
        return cls(users[model_users], items[model_items], model_users, model_items)


def correct_vectors(model: NestedEmbeddings, interactions: Interactions, known: KnownRows) -> Vectors:
    """Return vectors of all users and items of the interactions: those of the model, and the effect of what is new."""
    users = _place(model.user_embeddings[known.model_users], known.users, interactions.n_users)
    items = _place(model.item_embeddings[known.model_items], known.items, interactions.n_items)
    before = restrict_to(model.seen, interactions.users, interactions.items)
    old_users, old_items = _sum_neighbours(before, users, items)
    new_users, new_items = _sum_neighbours(interactions, users, items)
    users += _level_factors(users, old_users, model.widths) * (new_users - old_users)
    items += _level_factors(items, old_items, model.widths) * (new_items - old_items)
    return users, items


def load_state(engine: CpuEngine, interactions: Interactions, vectors: Vectors, epochs: float) -> None:
    """Set the parameters, and the sums of squared gradients to those of so many epochs.

    Gradients are measured in a part of an epoch with learning rate 0, and spread over the rows in proportion to their
    interactions, those of items also evenly, as candidates are drawn.
    """
    state, size = engine.state(), engine.objective.widths.embedding_size
    for side, table in zip(("users", "items"), vectors, strict=True):
        state[side][:, :size] = table
    n = _measure_gradients(engine)
    epochs_of_one = epochs * interactions.n_interactions / n
    for side, counts in zip(("user", "item"), _count_interactions(interactions), strict=True):
        squares = state[f"{side}_squares"]
        shares = _fit_shares(squares.sum(axis=1, dtype=np.float64), counts, even=side == "item")
        by_dimension = squares.sum(axis=0, dtype=np.float64) * epochs_of_one
        np.multiply(shares[:, None], by_dimension, out=squares, casting="same_kind")
        squares += FIRST_SQUARE


def _place(vectors: Float32Array, rows: Int32Array, n: int) -> Float32Array:
    table = np.zeros((n, vectors.shape[1]), dtype=np.float32)
    table[rows] = vectors
    return table


def _count_interactions(interactions: Interactions) -> tuple[Float64Array, Float64Array]:
    per_item = np.bincount(interactions.indices, minlength=interactions.n_items)
    return np.diff(interactions.indptr).astype(np.float64), per_item.astype(np.float64)


def _sum_neighbours(interactions: Interactions, users: Float32Array, items: Float32Array) -> Vectors:
    """Return the normalised sums of the vectors of each user's items, and of each item's users."""
    matrix = interactions.to_scipy()
    weights = normalize_weights(interactions.weights)
    if weights is not None:
        matrix.data[:] = weights
    of_users, of_items = (
        (1 / np.sqrt(np.maximum(matrix.sum(axis=axis), 1e-6)))[:, None].astype(np.float32) for axis in (1, 0)
    )
    return of_users * (matrix @ (of_items * items)), of_items * (matrix.T @ (of_users * users))


def _level_factors(vectors: Float32Array, sums: Float32Array, widths: Widths) -> Float32Array:
    """Return the factor of each dimension, (embedding_size,): for each level that of the least squares fit."""
    products = np.einsum("nd,nd->d", vectors, sums, dtype=np.float64)
    squares = np.einsum("nd,nd->d", sums, sums, dtype=np.float64)
    factors, first = np.zeros(len(products), dtype=np.float32), 0
    for last in widths.values:
        factors[first:last] = products[first:last].sum() / max(squares[first:last].sum(), 1e-30)
        first = last
    return factors


def _measure_gradients(engine: CpuEngine) -> int:
    """Sum the squared gradients of some positives; return how many."""
    state = engine.state()
    state["user_squares"][:] = state["item_squares"][:] = FIRST_SQUARE
    n, size = engine.n_positives, engine.slice_size
    stop = min(n, -(-int(_MEASURED * n) // size) * size)
    for start in range(0, stop, size):
        engine.train(_MEASURING_EPOCH, start, min(stop, start + size), 0.0)
    return stop


def _fit_shares(sums: Float64Array, counts: Float64Array, *, even: bool) -> Float64Array:
    """Return the share of each row in all squared gradients, as its count and, if asked, an even part explain it."""
    columns = [counts / counts.sum()] + ([np.full(len(counts), 1 / len(counts))] if even else [])
    factors = np.linalg.lstsq(np.stack(columns, axis=1), sums, rcond=None)[0]
    fitted = np.stack(columns, axis=1) @ np.maximum(factors, 0.0)
    result: Float64Array = fitted / max(fitted.sum(), 1e-300)
    return result
