"""How negatives are chosen, per level, from items the user has not interacted with, and the loss they stand in.

Sampled softmax: Jean et al. 2015. Dynamic sampling: Zhang et al. 2013; per level and by that level's prefix: Lai et al.
2024, arXiv 2406.07432.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nestrec.errors import OptionError
from nestrec.kernels.candidates import TILE
from nestrec.training.adaptive import PAIRWISE, SOFTMAX, Rules

LARGEST_POOL = 1024


class Sampler(Protocol):
    """A rule for negatives that the CPU engine can run, and the loss they stand in."""

    @property
    def coupling(self) -> float:
        """What the loss of the next wider level weighs for a block of coordinates beside the narrower one's."""

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

    With `coupling` 1 all coordinates minimise one loss, the weighted sum over the levels, and narrow prefixes serve the
    wide widths first. Below 1 the coordinates that a level adds heed a wider level less, by this factor for each level
    between; with 0 they heed their own alone. In between, narrow widths gain more than wide ones lose.

    >>> SoftmaxSampler(n_candidates=64).rules.softmax
    True
    """

    n_candidates: int | None = None  # a multiple of 64; None: 64
    coupling: float = 0.3  # 0 to 1

    def __post_init__(self) -> None:
        """Check the numbers."""
        n = self.n_candidates
        if n is not None and not (1 <= n <= LARGEST_POOL and n % TILE == 0):
            raise OptionError(
                f"{n} candidates cannot share a softmax; give a multiple of {TILE} up to {LARGEST_POOL}, as in 64"
            )
        if not 0 <= self.coupling <= 1:
            raise OptionError(f"coupling {self.coupling} is not between 0 and 1; give a number that is, as in 0.3")

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
    def coupling(self) -> float:
        """1: pairs have one loss for all coordinates, as in the paper."""
        return 1.0

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
    def coupling(self) -> float:
        """1: pairs have one loss for all coordinates, as in the paper."""
        return 1.0

    @property
    def rules(self) -> Rules:
        """Those of the pairwise loss."""
        return PAIRWISE
