"""Accuracy metrics of ranked lists with binary relevance, as formulas over hits; independent of any model.

A list is the first k items of a user's full ranking; `position` counts from 0. The values equal those of the `ranx`
library at every cutoff. Every metric is 0 for a user without hits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.kernels.search.hits import find_hits


@dataclass(frozen=True)
class Hits:
    """Positions of held-out items in the ranked lists of n users; row by row, best position first."""

    rows: Int64Array  # (n_hits,) user, from 0
    positions: Int64Array  # (n_hits,) position in the user's list, from 0
    n_relevant: Int64Array  # (n,) held-out items of each user, at least 1

    @classmethod
    def of(cls, ranked: Int32Array, indptr: Int64Array, indices: Int32Array, n_relevant: Int64Array) -> Hits:
        """Look up the held-out items (CSR over the users, ascending in a row) in ranked lists (n, k), -1 for none."""
        return cls(*find_hits(ranked, indptr, indices), n_relevant)

    def at(self, k: int) -> Hits:
        """Keep the hits among the first k."""
        within = self.positions < k
        return Hits(self.rows[within], self.positions[within], self.n_relevant)

    def total(self, gains: Float64Array | None = None) -> Float64Array:
        """Sum the gains of each user's hits, (n,); without gains, count the hits."""
        return np.bincount(self.rows, gains, minlength=len(self.n_relevant)).astype(np.float64)

    def ordinals(self) -> Int64Array:
        """Return for each hit the number of its user's hits up to and including it."""
        starts = np.searchsorted(self.rows, self.rows)
        return np.arange(1, len(self.rows) + 1) - starts


def recall_at_k(hits: Hits, k: int) -> Float64Array:
    """Return the share of a user's held-out items in the top k; divides by all held-out items, not min(., k)."""
    return hits.at(k).total() / hits.n_relevant


def precision_at_k(hits: Hits, k: int) -> Float64Array:
    """Return the share of held-out items in the top k; divides by k even if fewer items are left to rank."""
    return hits.at(k).total() / k


def hit_rate_at_k(hits: Hits, k: int) -> Float64Array:
    """Return 1 if any held-out item is in the top k, else 0."""
    return np.minimum(hits.at(k).total(), 1.0)


def ndcg_at_k(hits: Hits, k: int) -> Float64Array:
    """Return the normalized discounted cumulative gain: gain 1 / log2(position + 2) per hit, over the ideal list's.

    Binary gains; the ideal list has min(k, held-out items) hits. Järvelin and Kekäläinen 2002.
    """
    found = hits.at(k)
    discounts = 1.0 / np.log2(np.arange(2.0, k + 2.0))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    best: Float64Array = ideal[np.minimum(hits.n_relevant, k)]
    return found.total(discounts[found.positions]) / best


def mrr_at_k(hits: Hits, k: int) -> Float64Array:
    """Return the reciprocal rank 1 / (1 + position) of the first hit in the top k, 0 without one; its mean is MRR."""
    found = hits.at(k)
    first = found.ordinals() == 1
    return found.total(np.where(first, 1.0 / (1.0 + found.positions), 0.0))


def map_at_k(hits: Hits, k: int) -> Float64Array:
    """Return the average precision: precision at each hit in the top k, summed, over the number of held-out items.

    Its mean over users is MAP as in ranx and trec_eval; some libraries divide by min(k, held-out items) instead.
    """
    found = hits.at(k)
    return found.total(found.ordinals() / (1.0 + found.positions)) / hits.n_relevant


def user_values(
    hits: Hits, functions: Sequence[Callable[[Hits, int], Float64Array]], cutoffs: Sequence[int]
) -> Float32Array:
    """Return the values of every user, (n_users, n_cutoffs * n_functions) float32: by cutoff, then by function."""
    columns = [function(hits, k) for k in cutoffs for function in functions]
    if not columns:
        return np.empty((len(hits.n_relevant), 0), dtype=np.float32)
    return np.stack(columns, axis=1, dtype=np.float32, casting="same_kind")
