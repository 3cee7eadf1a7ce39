"""Calibrated lists (Steck 2018): their groups in the proportions of the user's history."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nestrec.arrays import Float64Array, Int64Array
from nestrec.reranking.catalogue import Groups
from nestrec.reranking.groups import Topics
from nestrec.reranking.reranker import Candidates, check_candidates, check_strength, choose_greedily

_SMOOTHING = 0.01  # share of the history's distribution that is mixed into the list's, so that logarithms stay finite


@dataclass(frozen=True)
class Calibrate:
    """Choose items one by one: high scores, and groups in the proportions of the user's history.

    A list of items I has the value (1 - strength) * (sum of scores) - strength * KL(p, q): scores are scaled to 1 for
    the best candidate and 0 for the last, p is the distribution of the history over the groups, and q that of the list,
    with a hundredth of p mixed in. A user without a history gets the best scores.

    Raises OptionError for values out of range.
    """

    strength: float = 0.5
    """From 0 (scores alone) to 1 (proportions alone)."""
    groups: Groups = field(default_factory=Topics)
    """What is counted: `Topics` of a narrow width, or `Categories` of the item table."""
    candidates: int = 10
    """Candidates for each item of the list."""

    def __post_init__(self) -> None:
        """Validate the numbers."""
        check_strength(self.strength)
        check_candidates(self.candidates)

    def choose(self, found: Candidates, k: int) -> Int64Array:
        """Return the positions of at most k candidates of each query, (n, k)."""
        return choose_greedily(found, k, _Calibration(self, found))


class _Calibration:
    def __init__(self, options: Calibrate, found: Candidates) -> None:
        shares = found.catalogue.shares_of(options.groups)
        self._target = _average(found, shares)  # (n, n_groups)
        self._shares = shares[np.maximum(found.items, 0)]  # (n, m, n_groups)
        self._gains = (1 - options.strength) * found.gains
        self._strength = options.strength
        self._counts, self._n_chosen = np.zeros(self._target.shape), 0

    def of_candidates(self) -> Float64Array:
        mixed = (self._counts[:, None] + self._shares) / (self._n_chosen + 1)
        target = self._target[:, None]
        mixed = (1 - _SMOOTHING) * mixed + _SMOOTHING * target
        agreement = np.einsum("ng,nmg->nm", self._target, np.log(np.maximum(mixed, 1e-300)))  # KL(p, q) less a constant
        values: Float64Array = self._gains + self._strength * agreement
        return values

    def add(self, places: Int64Array) -> None:
        chosen = places >= 0
        self._counts += np.where(chosen[:, None], self._shares[np.arange(len(places)), places], 0.0)
        self._n_chosen += 1


def _average(found: Candidates, shares: Float64Array) -> Float64Array:
    """Return the distribution of each history over the groups; zeros for one without groups."""
    totals = np.zeros((len(found.items), shares.shape[1]))
    np.add.at(totals, found.histories.rows, shares[found.histories.indices])
    sums = totals.sum(axis=1, keepdims=True)
    averages: Float64Array = np.divide(totals, sums, out=np.zeros_like(totals), where=sums > 0)
    return averages
