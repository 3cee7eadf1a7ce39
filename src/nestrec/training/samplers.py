"""How negatives are chosen, per level, from items the user has not interacted with, and the loss they stand in.

Sampled softmax: Jean et al. 2015. Dynamic sampling: Zhang et al. 2013; per level and by that level's prefix: Lai et al.
2024, arXiv 2406.07432.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nestrec.data.interactions import Interactions
from nestrec.errors import OptionError
from nestrec.kernels.candidates import TILE
from nestrec.training.adaptive import PAIRWISE, SOFTMAX, Rules, are_few_per_user

LARGEST_POOL = 1024


class Sampler(Protocol):
    """A rule for negatives that the CPU engine can run."""

    @property
    def n_candidates(self) -> int | None:
        """Candidates drawn per level and positive; None lets the data decide."""

    @property
    def rules(self) -> Rules:
        """What the data decide, and the loss: softmax over all candidates, or pairwise against one."""


@dataclass(frozen=True)
class SoftmaxSampler:
    """All of `n_candidates` items drawn uniformly, each by its share of the softmax of that level's scores.

    Every level weighs the same items by its own prefix, so a level's negatives are its own.

    >>> SoftmaxSampler(n_candidates=64).rules.softmax
    True
    """

    n_candidates: int | None = None  # a multiple of 64; None: 128

    def __post_init__(self) -> None:
        """Check the number."""
        n = self.n_candidates
        if n is not None and not (1 <= n <= LARGEST_POOL and n % TILE == 0):
            raise OptionError(
                f"{n} candidates cannot share a softmax; give a multiple of {TILE} up to {LARGEST_POOL}, as in 128"
            )

    @property
    def rules(self) -> Rules:
        """Those of the softmax."""
        return SOFTMAX


@dataclass(frozen=True)
class DynamicSampler:
    """Per level, the highest-scoring of `n_candidates` items drawn uniformly, scored with that level's prefix.

    >>> DynamicSampler(n_candidates=16)
    DynamicSampler(n_candidates=16)
    """

    n_candidates: int | None = None  # None: chosen from the size of the catalogue

    def __post_init__(self) -> None:
        """Check the number."""
        if self.n_candidates is not None and not 1 <= self.n_candidates <= LARGEST_POOL:
            raise OptionError(
                f"{self.n_candidates} candidates cannot be drawn; give 1 to {LARGEST_POOL}, as in 16, "
                "or leave it out to let the size of the catalogue decide"
            )

    @property
    def rules(self) -> Rules:
        """Those of the pairwise loss."""
        return PAIRWISE


@dataclass(frozen=True)
class UniformSampler:
    """Per level, any one item, drawn uniformly.

    >>> UniformSampler().n_candidates
    1
    """

    @property
    def n_candidates(self) -> int:
        """One: there is nothing to choose from."""
        return 1

    @property
    def rules(self) -> Rules:
        """Those of the pairwise loss."""
        return PAIRWISE


def sampler_for(interactions: Interactions) -> Sampler:
    """Return the sampler the data decide for: the softmax where users have few interactions.

    A softmax spends its pull on all items and places those of users with few interactions better; where users have
    many, the hardest of a handful of candidates does as well or better.
    """
    return SoftmaxSampler() if are_few_per_user(interactions) else DynamicSampler()
