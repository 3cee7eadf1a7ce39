"""Data-dependent defaults: options as functions of the sizes and degrees of the data.

The defaults were chosen on validation parts (never test parts) of data sets of different density and catalogue size;
see docs/results/defaults.md. Each kind of loss has its own: a softmax has a gradient at every positive, a pair only
while the negative's score is near, so they need different regularization and epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nestrec.data.interactions import Interactions
from nestrec.kernels.training.tile_sizes import TILE

_SMALL_CATALOGUE = 4000  # items
_ITEMS_PER_TILE = 10_000
_MOST_TILES = 4
_NOISE_SHARE = 0.55  # of the largest singular value of noise, taken as regularization at the reference width
_LARGE_CATALOGUE = 10_000  # items from which that holds; smaller catalogues take a little more
_CATALOGUE_POWER = 0.05
_REFERENCE_WIDTH = 64
_WIDTH_SLOPE = 0.12  # increase of the exponent of the width with the decimal logarithm of the number of items
_FEWEST_ITEMS = 160  # from which the regularization depends on the width
_STRONG = 0.33  # regularization at the reference width from which it does not
_STRENGTH_SLOPE = 3  # decrease of the exponent with that regularization
_STRONGEST = 0.08  # regularization of pairs for users with few interactions
_FEW = 6.0  # interactions per user up to which that holds
_LAST_START = 0.25  # share of the epochs after which all levels are trained
_FALL = 0.2  # exponent of its decrease beyond


@dataclass(frozen=True, kw_only=True)
class DataDefaults:
    """Defaults of a kind of loss, as functions of the interactions."""

    softmax: bool  # over all candidates; otherwise pairwise, against the hardest of them
    candidates_for: Callable[[Interactions], int]  # per level
    regularization_for: Callable[[Interactions, Sequence[int]], tuple[float, ...]]  # of the block of each width
    l2_power: float  # exponent of the level weight that a coordinate has in its regularization
    cpu_learning_rate: float  # of Adagrad in the first epoch, a step per interaction
    steps_per_user: int
    epochs_least: int
    epochs_most: int
    joins_levels: bool  # one after the other; otherwise all levels are trained from the first epoch on

    def epochs_for(self, interactions: Interactions, *, moves_all: bool) -> int:
        """Return the number of epochs that gives a typical user's vector a fixed number of steps, within bounds.

        If every step moves all vectors, users with few interactions need no more epochs than those with many.
        """
        if moves_all:
            return self.epochs_least
        epochs = round(self.steps_per_user / _per_user(interactions))
        return min(self.epochs_most, max(self.epochs_least, epochs))

    def level_starts_for(self, n_levels: int, *, moves_all: bool) -> tuple[float, ...]:
        """Return the share of the epochs after which each level is trained.

        A tenth for the second and a twentieth more for each that follows: narrow levels find the strongest signal
        before wide ones take their part of it, and cost less. All levels start at once where every step moves all
        vectors.
        """
        if not self.joins_levels or moves_all:
            return (0.0,) * n_levels
        return tuple(min(_LAST_START, 0.05 + 0.05 * level) if level else 0.0 for level in range(n_levels))


def softmax_candidates(interactions: Interactions) -> int:
    """Return 64 candidates for each 10,000 items, rounded to a multiple of 64, from 64 to 256.

    The sum over the catalogue is estimated from them: a larger catalogue needs more for the same error.
    """
    return TILE * min(_MOST_TILES, max(1, round(interactions.n_items / _ITEMS_PER_TILE)))


def pair_candidates(interactions: Interactions) -> int:
    """Return 16, and 8 in a small catalogue: the hardest of many is too often an item that the user would like."""
    return 8 if interactions.n_items < _SMALL_CATALOGUE else 16


def no_candidates(_: Interactions) -> int:
    """Return 0: the loss compares no items."""
    return 0


def softmax_regularization(interactions: Interactions, widths: Sequence[int]) -> tuple[float, ...]:
    """Return the weight of each block: by the noise of the data, lower for narrow widths.

    At small scores, the softmax acts on a coordinate as the interactions normalised by the roots of their degrees do:
    directions with a singular value below the regularization shrink to zero. A little more than half of the largest
    singular value of noise was best in data of every density and size that was tried, somewhat more in small
    catalogues. The first dimensions hold the strongest signal, far above the noise in a large catalogue: less
    regularization serves them better, unless the noise is strong.
    """
    small = max(1.0, _LARGE_CATALOGUE / max(1, interactions.n_items)) ** _CATALOGUE_POWER
    at_reference = _NOISE_SHARE * small * sum(noise_parts(interactions))
    by_catalogue = _WIDTH_SLOPE * math.log10(max(1, interactions.n_items) / _FEWEST_ITEMS)
    exponent = max(0.0, min(by_catalogue, _STRENGTH_SLOPE * (_STRONG - at_reference)))
    return tuple(at_reference * _width_factor(width, exponent) for width in widths)


def _width_factor(width: int, exponent: float) -> float:
    """Return (width / 64)^exponent, and 1 beyond 64."""
    return math.pow(min(1.0, width / _REFERENCE_WIDTH), exponent)


def noise_parts(interactions: Interactions) -> tuple[float, float]:
    """Return the means over interactions of 1 / sqrt(user degree) and of 1 / sqrt(item degree).

    If all degrees were equal, their sum would be the largest singular value that noise gives the matrix of interactions
    normalised by the roots of their degrees (Marchenko & Pastur 1967).
    """
    per_user, per_item = np.diff(interactions.indptr), np.bincount(interactions.indices)
    n_interactions = max(1, interactions.n_interactions)  # d of them, of 1 / sqrt(d) each, are sqrt(d)
    return float(np.sqrt(per_user).sum()) / n_interactions, float(np.sqrt(per_item).sum()) / n_interactions


def pair_regularization(interactions: Interactions, widths: Sequence[int]) -> tuple[float, ...]:
    """Return one weight for all blocks; it falls slowly with the interactions per user, from 6 on."""
    weight: float = _STRONGEST * min(1.0, (_FEW / max(1.0, _per_user(interactions))) ** _FALL)
    return (weight,) * len(widths)


def _per_user(interactions: Interactions) -> float:
    active = int((interactions.indptr[1:] > interactions.indptr[:-1]).sum())
    return interactions.n_interactions / max(1, active)


def small_regularization(_: Interactions, widths: Sequence[int]) -> tuple[float, ...]:
    """Return a weight that only keeps lengths from drifting: losses of normalised vectors do not depend on them."""
    return (1e-4,) * len(widths)


PAIRWISE = DataDefaults(
    softmax=False,
    candidates_for=pair_candidates,
    regularization_for=pair_regularization,
    l2_power=0.7,
    cpu_learning_rate=0.2,
    steps_per_user=600,
    epochs_least=50,
    epochs_most=120,
    joins_levels=False,
)
SOFTMAX = DataDefaults(
    softmax=True,
    candidates_for=softmax_candidates,
    regularization_for=softmax_regularization,
    l2_power=0.0,
    cpu_learning_rate=0.3,
    steps_per_user=1600,
    epochs_least=20,
    epochs_most=40,
    joins_levels=True,
)
DIRECT = DataDefaults(
    softmax=False,
    candidates_for=no_candidates,
    regularization_for=small_regularization,
    l2_power=0.0,
    cpu_learning_rate=0.2,
    steps_per_user=600,
    epochs_least=50,
    epochs_most=120,
    joins_levels=False,
)
