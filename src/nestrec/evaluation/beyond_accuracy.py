"""Catalogue metrics of recommendation lists: coverage, concentration, popularity and novelty.

All follow from two numbers per item: the lists it appears in and its training interactions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nestrec.arrays import Float64Array, Int32Array, Int64Array


def count_lists(ranked: Int32Array, k: int, n_items: int) -> Int64Array:
    """Count the lists (n, >= k), cut at k, that each item appears in; (n_items,). -1 pads short lists."""
    return np.bincount(ranked[:, :k].ravel() + 1, minlength=n_items + 1)[1:]


@dataclass(frozen=True)
class Catalogue:
    """Items with their popularity in the training data."""

    n_interactions: Int64Array  # (n_items,) training interactions
    n_users: int  # in training

    @cached_property
    def popularity_ranks(self) -> Float64Array:
        """Ranks by training interactions, 1 for the most popular; ties share the mean of their ranks. (n_items,)."""
        ascending = np.sort(self.n_interactions)
        above = len(ascending) - np.searchsorted(ascending, self.n_interactions, side="right")
        not_below = len(ascending) - np.searchsorted(ascending, self.n_interactions, side="left")
        return (above + 1 + not_below) / 2

    @cached_property
    def self_information(self) -> Float64Array:
        """-log2 of the share of users with each item in training, in bits; (n_items,).

        Cold items count as seen by one user, so that means stay finite.
        """
        return np.log2(self.n_users / np.maximum(self.n_interactions, 1))


@dataclass(frozen=True)
class CatalogueLists:
    """How often each item is recommended: the argument of catalogue metrics."""

    n_lists: Int64Array  # (n_items,) lists that contain the item
    catalogue: Catalogue

    def mean(self, values: Float64Array) -> float:
        """Return the mean of per-item values over all positions of all lists; NaN without lists."""
        return _ratio(float(self.n_lists @ values), float(self.n_lists.sum()))


def coverage(lists: CatalogueLists) -> float:
    """Return the share of items in at least one list (Ge, Delgado-Battenfeld and Jannach 2010)."""
    return float(np.mean(lists.n_lists > 0))


def gini(lists: CatalogueLists) -> float:
    """Return the Gini coefficient of recommendation counts: 0 if all items are equally frequent, 1 if one has all.

    With counts c in ascending order: sum of (2 j - n - 1) c_j for j = 1 to n, over (n - 1) times the sum of c
    (Gunawardana, Shani and Yogev, Recommender Systems Handbook). 0 for a catalogue of one item; NaN without lists.
    """
    n_items, total = len(lists.n_lists), lists.n_lists.sum()
    if n_items == 1:
        return 0.0
    signs = 2 * np.arange(1, n_items + 1) - n_items - 1
    return _ratio(float(signs @ np.sort(lists.n_lists)), (n_items - 1) * float(total))


def popularity_rank(lists: CatalogueLists) -> float:
    """Return the mean popularity rank of recommended items; higher is further into the long tail."""
    return lists.mean(lists.catalogue.popularity_ranks)


def novelty(lists: CatalogueLists) -> float:
    """Return the mean self-information of recommended items in bits (Zhou et al. 2010, PNAS 107)."""
    return lists.mean(lists.catalogue.self_information)


def _ratio(total: float, count: float) -> float:
    return total / count if count else float("nan")
