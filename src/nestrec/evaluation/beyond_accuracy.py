"""What the lists do to the catalogue: coverage, concentration, popularity, novelty. Definitions at each function.

All follow from two numbers an item: how many lists it stands in, and how many users interacted with it in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float64Array, Int32Array, Int64Array


def listed(ranked: Int32Array, k: int, n_items: int) -> Int64Array:
    """Count the lists (n, >= k), cut at k, that each item stands in; (n_items,)."""
    return np.bincount(ranked[:, :k].ravel() + 1, minlength=n_items + 1)[1:]


def coverage(n_lists: Int64Array) -> float:
    """Share of the catalogue that stands in at least one list (Ge, Delgado-Battenfeld and Jannach 2010)."""
    return float(np.mean(n_lists > 0))


def gini(n_lists: Int64Array) -> float:
    """How unequally the lists' places are spread over the catalogue: 0 evenly, 1 all on one item.

    With the counts c ascending, sum of (2 j - n - 1) c_j for j from 1 to n, divided by (n - 1) times the sum of c
    (Gunawardana, Shani and Yogev, Recommender Systems Handbook). 0 for a catalogue of one item; NaN without lists.
    """
    n_items, places = len(n_lists), n_lists.sum()
    if n_items == 1:
        return 0.0
    signs = 2 * np.arange(1, n_items + 1) - n_items - 1
    return _ratio(float(signs @ np.sort(n_lists)), (n_items - 1) * float(places))


def popularity_ranks(n_interactions: Int64Array) -> Float64Array:
    """Rank items by training interactions, 1 for the most; items with equally many share the mean of their ranks."""
    ascending = np.sort(n_interactions)
    above = len(ascending) - np.searchsorted(ascending, n_interactions, side="right")
    not_below = len(ascending) - np.searchsorted(ascending, n_interactions, side="left")
    return (above + 1 + not_below) / 2


def self_information(n_interactions: Int64Array, n_users: int) -> Float64Array:
    """Return -log2 of the share of users who met each item in training, in bits.

    An item nobody met counts as met by one user, so that means stay finite.
    """
    return np.log2(n_users / np.maximum(n_interactions, 1))


def mean_listed(n_lists: Int64Array, values: Float64Array) -> float:
    """Mean of a value of the items over all places of all lists; NaN without lists."""
    return _ratio(float(n_lists @ values), float(n_lists.sum()))


@dataclass(frozen=True)
class CatalogueFigures:
    """All figures of lists, by name.

    `popularity_rank` is the mean of `popularity_ranks`: higher means further into the long tail. `novelty` is the mean
    of `self_information` (Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems").
    """

    ranks: Float64Array  # (n_items,)
    information: Float64Array  # (n_items,)

    @classmethod
    def of(cls, n_interactions: Int64Array, n_users: int) -> CatalogueFigures:
        """Take the training interactions of each item, and the number of users in training."""
        return cls(popularity_ranks(n_interactions), self_information(n_interactions, n_users))

    def __call__(self, n_lists: Int64Array) -> dict[str, float]:
        """Return the figures of lists in which each item stands so many times."""
        return {
            "coverage": coverage(n_lists),
            "gini": gini(n_lists),
            "popularity_rank": mean_listed(n_lists, self.ranks),
            "novelty": mean_listed(n_lists, self.information),
        }


def _ratio(total: float, count: float) -> float:
    return total / count if count else float("nan")
