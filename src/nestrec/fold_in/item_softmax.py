"""Fold items into a model that was trained by the softmax: a new item competes with all others for each user.

Its users gain from a high score, and every other user's softmax loses by it. With Z_u the sum of the exponentials of a
user's scores over the catalogue, items seen left out, the dimensions x that a level adds minimize

    sum over its users u of w_u * log(1 + Z_u * exp(-t * s_u)) / t
    + sum over other users u of n_u * log(1 + exp(t * s_u) / Z_u) / t + 1.4 * W * l2 / 2 * |x|^2

where n_u is the number of interactions of u, W the sum of the weights w_u, and the others are a pool of users.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array
from nestrec.data.interactions import Interactions
from nestrec.fold_in.histories import Histories
from nestrec.fold_in.objective import SoftmaxObjective
from nestrec.fold_in.pool import SMALL_POOL_SIZE, Pool, draw_pool
from nestrec.parallel.threads import map_in_threads, resolve_threads
from nestrec.retrieval.item_lists import ItemLists
from nestrec.widths import Widths

_L2_FACTOR = 1.4  # in training an item is regularized as a positive and as a negative
_MOST_STEPS = 30
_TOLERANCE = 1e-6  # of the decrease that a step promises, for each interaction
_USERS_AT_ONCE = 4_096


class ItemSoftmax:
    """Folds in items: some tens of milliseconds each."""

    def __init__(
        self,
        objective: SoftmaxObjective,
        widths: Widths,
        users: Float32Array,  # (n_users, embedding_size)
        items: Pool,
        seen: Interactions,
    ) -> None:
        """Draw a pool of users and compute their log(Z)."""
        self.objective, self.widths, self.users, self.items, self.seen = objective, widths, users, items, seen
        counts = np.diff(seen.indptr)
        self.pool = draw_pool(users, counts, SMALL_POOL_SIZE)
        self.masses = self.pool.each * counts[self.pool.rows]  # interactions they stand for
        self.log_sums = self._log_sums(self.pool.rows)

    def fold(self, histories: Histories, threads: int | None) -> Float32Array:
        """Return the vector of each history, (n, embedding_size); zeros for an empty one."""
        vectors = np.zeros((len(histories), self.widths.embedding_size), dtype=np.float32)

        def fold(row: int) -> None:
            entries = slice(histories.indptr[row], histories.indptr[row + 1])
            vectors[row] = self._fold_one(histories.indices[entries], histories.weights[entries])

        filled = np.flatnonzero(np.diff(histories.indptr)).tolist()
        map_in_threads(fold, filled, resolve_threads(threads))
        return vectors

    def _fold_one(self, rows: Int32Array, weights: Float64Array) -> Float64Array:
        places = self.pool.places_of(rows)
        others = self.masses.copy()
        others[places[places >= 0]] = 0.0
        vectors = np.concatenate([self.users[rows], self.users[self.pool.rows]]).astype(np.float64)
        masses = np.concatenate([weights, others])
        signs = np.concatenate([np.ones(len(rows)), -np.ones(len(others))])
        log_sums = np.concatenate([self._log_sums(rows), self.log_sums], axis=1)
        kept = (masses > 0) & np.isfinite(log_sums).all(axis=0)
        vectors, masses, signs, log_sums = vectors[kept], masses[kept], signs[kept], log_sums[:, kept]
        x, scores, first = np.zeros(vectors.shape[1]), np.zeros(len(vectors)), 0
        for level, last in enumerate(self.widths.values):
            sharp = self.objective.inverse_temperatures[level]
            l2 = _L2_FACTOR * weights.sum() * self.objective.l2_weights[first:last]
            block = vectors[:, first:last]
            x[first:last] = _minimize(block, masses, signs, scores - log_sums[level] / sharp, sharp, l2)
            scores = scores + block @ x[first:last]
            first = last
        return x

    def _log_sums(self, rows: Int32Array) -> Float64Array:
        """Return log(Z) of each user at each level, (n_levels, n); minus infinity where all of the pool is seen."""
        seen = ItemLists(self.seen.indptr, self.seen.indices)
        sums = np.empty((len(self.widths), len(rows)))
        for start in range(0, len(rows), _USERS_AT_ONCE):
            some = rows[start : start + _USERS_AT_ONCE]
            own = seen.select(some)
            places = self.items.places_of(own.indices)
            masked = own.rows[places >= 0], places[places >= 0]
            for level, width in enumerate(self.widths.values):
                columns = self.items.columns[:width, : len(self.items.rows)]
                scores = self.objective.inverse_temperatures[level] * (
                    self.users[some, :width].astype(np.float64) @ columns.astype(np.float64)
                )
                scores += self.items.log_each
                scores[masked] = -np.inf
                highest = np.maximum(scores.max(axis=1), -1e300)
                with np.errstate(divide="ignore"):
                    sum_ = np.log(np.exp(scores - highest[:, None]).sum(axis=1))
                sums[level, start : start + len(some)] = highest + sum_
        return sums


def _minimize(
    vectors: Float64Array,  # (n, size)
    masses: Float64Array,  # (n,)
    signs: Float64Array,  # (n,) 1 for users of the item, -1 for others
    offsets: Float64Array,  # (n,) narrower scores less log(Z) / t
    sharp: float,
    l2: Float64Array,  # (size,)
) -> Float64Array:
    """Return the minimum of sum of masses * softplus(-signs * t * (offset + score)) / t + l2 / 2 * x^2, by Newton."""

    def loss_at(x: Float64Array) -> float:
        margins = signs * sharp * (offsets + vectors @ x)
        return float(masses @ np.logaddexp(0, -margins) / sharp + l2 @ x**2 / 2)

    x, total = np.zeros(vectors.shape[1]), max(masses[signs > 0].sum(), 1e-300)
    loss = loss_at(x)
    for _ in range(_MOST_STEPS):
        shares = np.exp(-np.logaddexp(0, signs * sharp * (offsets + vectors @ x)))
        gradient = vectors.T @ (masses * signs * shares) - l2 * x
        hessian = (vectors.T * (sharp * masses * shares * (1 - shares))) @ vectors + np.diag(l2)
        step = np.linalg.solve(hessian, gradient)
        promise = float(gradient @ step)
        while loss_at(x + step) > loss and np.abs(step).max() > 1e-12:
            step /= 2
        x = x + step
        loss = loss_at(x)
        if promise < _TOLERANCE * total:
            break
    return x
