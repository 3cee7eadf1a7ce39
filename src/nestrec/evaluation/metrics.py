"""Accuracy metrics of ranked lists with binary relevance, each a formula over the hits; they know no model.

A list is the first k of a user's full ranking; `position` counts from 0 in it. Equal to the `ranx` library at every
cutoff (recall, ndcg, precision, hit_rate, mrr, map). Every metric of a user without a hit is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.kernels.search.hits import find_hits


@dataclass(frozen=True)
class Hits:
    """Where held-out items stand in the lists of n users; row by row, best position first."""

    rows: Int64Array  # (n_hits,) user, from 0
    positions: Int64Array  # (n_hits,) place in the user's list, from 0
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
        begins = np.searchsorted(self.rows, self.rows)
        return np.arange(1, len(self.rows) + 1) - begins


def recall_at_k(hits: Hits, k: int) -> Float64Array:
    """Share of a user's held-out items among the first k; divides by all held-out items, not min(., k)."""
    return hits.at(k).total() / hits.n_relevant


def precision_at_k(hits: Hits, k: int) -> Float64Array:
    """Share of held-out items among the first k; divides by k, also where fewer items are left to rank."""
    return hits.at(k).total() / k


def hit_rate_at_k(hits: Hits, k: int) -> Float64Array:
    """1 where any held-out item is among the first k, else 0."""
    return np.minimum(hits.at(k).total(), 1.0)


def ndcg_at_k(hits: Hits, k: int) -> Float64Array:
    """Discounted gain 1 / log2(position + 2) of the hits, as a share of the best possible list's.

    Binary gains; the ideal list is cut at min(k, held-out items). Järvelin and Kekäläinen 2002.
    """
    found = hits.at(k)
    discounts = 1.0 / np.log2(np.arange(2.0, k + 2.0))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    best: Float64Array = ideal[np.minimum(hits.n_relevant, k)]
    return found.total(discounts[found.positions]) / best


def mrr_at_k(hits: Hits, k: int) -> Float64Array:
    """1 / (1 + position) of the first hit among the first k, 0 without one; its mean is the mean reciprocal rank."""
    found = hits.at(k)
    first = found.ordinals() == 1
    return found.total(np.where(first, 1.0 / (1.0 + found.positions), 0.0))


def map_at_k(hits: Hits, k: int) -> Float64Array:
    """Average precision: the precision down to each hit, summed over the first k; divides by all held-out items.

    Its mean over users is the mean average precision (ranx and trec_eval; some others divide by min(k, held-out)).
    """
    found = hits.at(k)
    return found.total(found.ordinals() / (1.0 + found.positions)) / hits.n_relevant


METRICS: dict[str, Callable[[Hits, int], Float64Array]] = {
    "recall": recall_at_k,
    "ndcg": ndcg_at_k,
    "precision": precision_at_k,
    "hit_rate": hit_rate_at_k,
    "mrr": mrr_at_k,
    "map": map_at_k,
}


def labels(cutoffs: tuple[int, ...]) -> tuple[str, ...]:
    """Return the labels `recall@10, ndcg@10, …, map@50`: by cutoff, then by metric."""
    return tuple(f"{name}@{k}" for k in cutoffs for name in METRICS)


def user_values(hits: Hits, cutoffs: tuple[int, ...]) -> Float32Array:
    """Return every metric of every user, (n_users, n_labels) float32, columns in the order of `labels`."""
    columns = [metric(hits, k) for k in cutoffs for metric in METRICS.values()]
    return np.stack(columns, axis=1, dtype=np.float32, casting="same_kind")
