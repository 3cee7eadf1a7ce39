"""Fold-in of a model: its objective, with what is computed once for all histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Float64Array
from nestrec.data.interactions import Interactions
from nestrec.fold_in.contributions import softmax_contributions
from nestrec.fold_in.histories import Histories
from nestrec.fold_in.item_softmax import ItemSoftmax
from nestrec.fold_in.objective import QuadraticObjective, SoftmaxObjective, read_objective
from nestrec.fold_in.pool import POOL_SIZE, SMALL_POOL_SIZE, Pool, draw_pool
from nestrec.fold_in.solvers import LeastSquares, fold_in_by_softmax
from nestrec.widths import Widths

_ROWS = 65_536  # averaged at once


@dataclass(frozen=True, eq=False)
class FoldIn:
    """Folds new users and new items into a model."""

    manifest: Mapping[str, Any]
    widths: Widths
    user_embeddings: Float32Array  # (n_users, embedding_size)
    item_embeddings: Float32Array  # (n_items, embedding_size)
    seen: Interactions

    def fold_users(self, histories: Histories, threads: int | None) -> Float32Array:
        """Return the vectors of users, (n, embedding_size); the mean of the model's users for an empty history."""
        if isinstance(self.objective, SoftmaxObjective):
            pools = self._pool, self._small_pool
            vectors = fold_in_by_softmax(self.objective, self.widths, self.item_embeddings, *pools, histories, threads)
        else:
            vectors = self._user_squares.fold(histories, threads)
        return _fill_empty(vectors, histories, self.user_embeddings)

    def fold_items(self, histories: Histories, threads: int | None) -> Float32Array:
        """Return the vectors of items, (n, embedding_size); the mean of the model's items for an empty history."""
        return _fill_empty(self._item_solver.fold(histories, threads), histories, self.item_embeddings)

    def split_user(self, histories: Histories, vector: Float32Array) -> Float64Array:
        """Return the part of the only user's folded vector that each item contributes, (n_entries, embedding_size)."""
        own, weights = self.item_embeddings[histories.indices].astype(np.float64), histories.weights
        if not isinstance(self.objective, SoftmaxObjective):
            return self._user_squares.contributions(own, weights)
        in_pool = self._pool.places_of(histories.indices)
        return softmax_contributions(self.objective, self.widths, own, weights, in_pool, self._pool, vector)

    @cached_property
    def objective(self) -> SoftmaxObjective | QuadraticObjective:
        """What is minimized for a user."""
        mean_history = self.seen.n_interactions / max(1, self.seen.n_users)
        return read_objective(self.manifest, self.widths, self.user_embeddings, mean_history)

    @cached_property
    def _pool(self) -> Pool:
        return self._draw_pool(POOL_SIZE)

    @cached_property
    def _small_pool(self) -> Pool:
        is_small = len(self.item_embeddings) <= SMALL_POOL_SIZE
        return self._pool if is_small else self._draw_pool(SMALL_POOL_SIZE)

    def _draw_pool(self, size: int) -> Pool:
        counts = np.bincount(self.seen.indices, minlength=len(self.item_embeddings))
        return draw_pool(self.item_embeddings, counts, size)

    @cached_property
    def _user_squares(self) -> LeastSquares:
        objective = self.objective
        assert isinstance(objective, QuadraticObjective)
        return LeastSquares(objective, self.widths, self.item_embeddings)

    @cached_property
    def _item_solver(self) -> ItemSoftmax | LeastSquares:
        objective = self.objective
        if isinstance(objective, SoftmaxObjective):
            return ItemSoftmax(objective, self.widths, self.user_embeddings, self._pool, self.seen)
        return LeastSquares(objective, self.widths, self.user_embeddings)


def _fill_empty(vectors: Float32Array, histories: Histories, table: Float32Array) -> Float32Array:
    """Set the vectors of empty histories to the mean of the table."""
    empty = np.diff(histories.indptr) == 0
    if empty.any():
        total = np.zeros(table.shape[1])
        for start in range(0, len(table), _ROWS):
            total += table[start : start + _ROWS].sum(axis=0, dtype=np.float64)
        vectors[empty] = total / len(table)
    return vectors
