"""Options that the data decide where the user does not: functions of sizes and degrees.

Where a rule says it is unsure (`Rules.is_unsure`), what it gives is where a short search starts (`strength.py`).

They were read off validation parts (never test parts) of data sets of different density and catalogue; see
docs/results/defaults.md. Each loss has rules of its own: a softmax pulls at every positive, a pair of items only as
long as the wrong one comes near, so they bear different regularization and need different numbers of epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nestrec.data.interactions import Interactions

_SMALL_CATALOGUE = 4000  # items
_MANY_PER_USER = 20  # interactions
_NOISE_SHARE = 0.55  # of the singular values that are chance, taken as regularization of the softmax
_STRONGEST = 0.08  # regularization of pairs for users with few interactions, whose vectors are mostly prior
_FEW = 6.0  # interactions per user up to which that holds
_FALL = 0.2  # how fast it falls beyond


@dataclass(frozen=True)
class Rules:
    """What a loss makes of the data's sizes."""

    softmax: bool  # over all candidates; or pairwise, against the hardest of them
    candidates: int  # per level
    candidates_of_few: int  # the same in a small catalogue
    regularization_for: Callable[[Interactions], float]  # the weight of the squared lengths
    share_power: float  # how it falls with the share of the loss that holds a coordinate
    steps_per_user: int
    epochs_least: int
    epochs_most: int
    unsure_from: float  # interactions per user from which the regularization is tuned

    def is_unsure(self, interactions: Interactions) -> bool:
        """Say whether data are so dense that the rule for the regularization misses what some of them want."""
        return _per_user(interactions) >= self.unsure_from

    def candidates_for(self, interactions: Interactions) -> int:
        """Return how many candidates to draw per level.

        Where items are few, the hardest of many candidates is too often one that the user would like.
        """
        return self.candidates_of_few if interactions.n_items < _SMALL_CATALOGUE else self.candidates

    def epochs_for(self, interactions: Interactions, *, moves_all: bool) -> int:
        """Return the number of epochs that gives a typical user's vector a fixed number of steps, within bounds.

        Where a step moves all vectors, users with few interactions need no more epochs than those with many.
        """
        if moves_all:
            return self.epochs_least
        wanted = round(self.steps_per_user / _per_user(interactions))
        return min(self.epochs_most, max(self.epochs_least, wanted))


def below_noise(interactions: Interactions) -> float:
    """Return 0.55 of `chance_edge`.

    At small scores the softmax acts on a coordinate as the interactions divided by the roots of their degrees do: what
    is held down is what has a singular value below the regularization. A little more than half of the largest one that
    chance gives was best in data of every density that was tried.
    """
    return _NOISE_SHARE * chance_edge(interactions)


def chance_edge(interactions: Interactions) -> float:
    """Return the mean over interactions of 1 / sqrt(those of its user) + 1 / sqrt(those of its item).

    Were all degrees alike, it would be the largest singular value that chance alone gives the matrix of interactions
    divided by the roots of their degrees (Marchenko & Pastur 1967).
    """
    per_user, per_item = np.diff(interactions.indptr), np.bincount(interactions.indices)
    summed = float(np.sqrt(per_user).sum() + np.sqrt(per_item).sum())  # d interactions of 1 / sqrt(d) each are sqrt(d)
    return summed / max(1, interactions.n_interactions)


def by_user_degree(interactions: Interactions) -> float:
    """Return a weight that falls slowly with the interactions per user, from 6 on."""
    weight: float = _STRONGEST * min(1.0, (_FEW / max(1.0, _per_user(interactions))) ** _FALL)
    return weight


def _per_user(interactions: Interactions) -> float:
    active = int((interactions.indptr[1:] > interactions.indptr[:-1]).sum())
    return interactions.n_interactions / max(1, active)


def little(_: Interactions) -> float:
    """Return a weight that keeps lengths from drifting and does no more: the loss does not see them."""
    return 1e-4


PAIRWISE = Rules(False, 16, 8, by_user_degree, 0.7, 600, 50, 120, math.inf)
SOFTMAX = Rules(True, 64, 64, below_noise, 0.0, 400, 20, 40, _MANY_PER_USER)
DIRECT = Rules(False, 0, 0, little, 0.0, 600, 50, 120, math.inf)
