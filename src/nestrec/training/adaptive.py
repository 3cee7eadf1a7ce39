"""Options that the data decide where the user does not: functions of two sizes, no search.

They were read off validation parts (never test parts) of data sets of different density and catalogue; see
docs/results/defaults.md.
"""

from __future__ import annotations

from nestrec.data.interactions import Interactions

_SMALL_CATALOGUE = 4000  # items
_STRONGEST = 0.08  # regularization for users with few interactions, whose vectors are mostly prior
_FEW = 6.0  # interactions per user up to which that holds
_FALL = 0.2  # how fast it falls beyond
_STEPS_PER_USER = 600
_EPOCHS = (50, 120)  # least and most


def candidates_for(interactions: Interactions) -> int:
    """Return how many candidates to draw per level: 16, or 8 in a small catalogue.

    Where items are few, the hardest of many candidates is too often one that the user would like.
    """
    return 8 if interactions.n_items < _SMALL_CATALOGUE else 16


def regularization_for(interactions: Interactions) -> float:
    """Return the weight of the squared lengths: the more interactions a user has, the less is needed."""
    weight: float = _STRONGEST * min(1.0, (_FEW / _per_user(interactions)) ** _FALL)
    return weight


def epochs_for(interactions: Interactions) -> int:
    """Return the number of epochs that gives a typical user's vector a fixed number of steps, within bounds."""
    least, most = _EPOCHS
    return min(most, max(least, round(_STEPS_PER_USER / _per_user(interactions))))


def _per_user(interactions: Interactions) -> float:
    active = int((interactions.indptr[1:] > interactions.indptr[:-1]).sum())
    return interactions.n_interactions / max(1, active)
