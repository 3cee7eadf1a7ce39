"""Signals beside interactions, as both engines train with them: weights and dislikes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array
from nestrec.data.interactions import Interactions


def normalize_weights(weights: Float32Array | None) -> Float32Array | None:
    """Return w / mean(w) of weights (n_interactions,), so that learning rate and regularization keep their meaning.

    >>> normalize_weights(np.array([1, 3], dtype=np.float32))
    array([0.5, 1.5], dtype=float32)
    """
    if weights is None:
        return None
    return np.asarray(weights / weights.mean(dtype=np.float64), dtype=np.float32)


class Signals(NamedTuple):
    """What is known of interactions beside that there were any; None where nothing is."""

    weights: Float32Array | None = None  # (n_interactions,) with mean 1
    disliking: Int32Array | None = None  # (n_dislikes,) user of each dislike
    disliked: Int32Array | None = None  # (n_dislikes,) item of each dislike

    @classmethod
    def of(cls, interactions: Interactions) -> Signals:
        """Return those of interactions, weights normalized."""
        weights, dislikes = normalize_weights(interactions.weights), interactions.dislikes
        if dislikes is None or not dislikes.n_interactions:
            return cls(weights)
        users = np.repeat(np.arange(dislikes.n_users, dtype=np.int32), np.diff(dislikes.indptr))
        return cls(weights, users, dislikes.indices)

    @property
    def n_dislikes(self) -> int:
        """Dislikes in an epoch."""
        return 0 if self.disliked is None else len(self.disliked)

    def dislikes_of_slice(self, start: int, stop: int, n_positives: int) -> tuple[int, int]:
        """Return the positions of the dislikes that are trained after positives [start, stop) of an epoch.

        >>> Signals(disliked=np.zeros(10, dtype=np.int32)).dislikes_of_slice(50, 100, 100)
        (5, 10)
        """
        return self.n_dislikes * start // n_positives, self.n_dislikes * stop // n_positives
