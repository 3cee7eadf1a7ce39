"""What the lists do to the catalogue: coverage, concentration, popularity, novelty. Definitions at each function.

All follow from two numbers an item: how many lists it stands in, and how many users interacted with it in training.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]

BEYOND_ACCURACY = ("coverage", "gini", "popularity_rank", "novelty")


def listed(ranked: Indices, k: int, n_items: int) -> Counts:
    """Count the lists (n, >= k), cut at k, that each item stands in; (n_items,)."""
    return np.bincount(ranked[:, :k].ravel() + 1, minlength=n_items + 1)[1:]


def coverage(n_lists: Counts) -> float:
    """Share of the catalogue that stands in at least one list (Ge, Delgado-Battenfeld and Jannach 2010)."""
    return float(np.mean(n_lists > 0))


def gini(n_lists: Counts) -> float:
    """How unequally the lists' places are spread over the catalogue: 0 evenly, 1 all on one item.

    With the counts c ascending, sum of (2 j - n - 1) c_j for j from 1 to n, divided by (n - 1) times the sum of c
    (Gunawardana, Shani and Yogev, Recommender Systems Handbook). 0 for a catalogue of one item; NaN without lists.
    """
    n_items, places = len(n_lists), n_lists.sum()
    if n_items == 1:
        return 0.0
    signs = 2 * np.arange(1, n_items + 1) - n_items - 1
    return _ratio(float(signs @ np.sort(n_lists)), (n_items - 1) * float(places))


def popularity_rank(n_lists: Counts, n_interactions: Counts) -> float:
    """Mean rank by popularity of the items listed: 1 is the item with most training interactions; equals share a rank.

    Each place of each list counts. Higher means further into the long tail. NaN without lists.
    """
    ascending = np.sort(n_interactions)
    above = len(ascending) - np.searchsorted(ascending, n_interactions, side="right")
    not_below = len(ascending) - np.searchsorted(ascending, n_interactions, side="left")
    ranks = (above + 1 + not_below) / 2
    return _ratio(float(n_lists @ ranks), float(n_lists.sum()))


def novelty(n_lists: Counts, n_interactions: Counts, n_users: int) -> float:
    """Mean self-information of the items listed, in bits: -log2 of the share of users who met the item in training.

    Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems". An item nobody met
    counts as met by one user, so that the mean stays finite. NaN without lists.
    """
    information = np.log2(n_users / np.maximum(n_interactions, 1))
    return _ratio(float(n_lists @ information), float(n_lists.sum()))


def _ratio(total: float, count: float) -> float:
    return total / count if count else float("nan")
