"""How negatives are chosen, per level, from items the user has not interacted with.

Dynamic sampling: Zhang et al. 2013; per level and by that level's prefix: Lai et al. 2024, arXiv 2406.07432.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nestrec.errors import OptionError

LARGEST_POOL = 1024


class Sampler(Protocol):
    """A rule for negatives that the CPU engine can run: the hardest of a number of candidates per level."""

    @property
    def n_candidates(self) -> int | None:
        """Candidates drawn per level and positive; None lets the data decide."""


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
