"""Options that the data decide where the user does not: functions of two sizes, no search.

Both were read off validation parts (never test parts) of data sets of different density and catalogue; see
docs/results/defaults.md.
"""

from __future__ import annotations

import math

from nestrec.data.interactions import Interactions
from nestrec.kernels.lanes import LANES

_MOST_CANDIDATES = 32
_STRONGEST = 0.05  # for users with few interactions, whose vectors are mostly prior
_FEW = 6.0  # interactions per user up to which that holds
_FALL = 0.2  # how fast the weight falls beyond


def candidates_for(interactions: Interactions) -> int:
    """Return how many candidates to draw per level: a sixth of the root of the catalogue's size, in whole vectors.

    In a small catalogue the hardest of many candidates is too often one that the user would like: 8 candidates beat 16
    at 1,700 items and lose at 9,000.
    """
    wanted = math.sqrt(interactions.n_items) / 6
    return min(_MOST_CANDIDATES, max(1, round(wanted / LANES)) * LANES)


def regularization_for(interactions: Interactions) -> float:
    """Return the weight of the squared lengths: the more interactions a user has, the less is needed."""
    active = max(1, int((interactions.indptr[1:] > interactions.indptr[:-1]).sum()))
    per_user = interactions.n_interactions / active
    weight: float = _STRONGEST * min(1.0, (_FEW / per_user) ** _FALL)
    return weight
