"""What a baseline is: hyperparameters, the ranges in which to tune them, and a fit that gives something to evaluate.

A baseline is a frozen dataclass whose fields are its hyperparameters. `fit` gives `NestedEmbeddings` where the method
has vectors, so that everything works on it, and `ItemSimilarities` where it has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.item_similarities import ItemSimilarities
    from nestrec.training.options import Run
    from nestrec.widths import Widths

    Model: TypeAlias = NestedEmbeddings | ItemSimilarities
else:
    Model: TypeAlias = Any


class Kind(StrEnum):
    """How a method meets widths."""

    NESTED = "nested"
    """One fit serves every width: it is called with all of them."""
    SINGLE = "single"
    """Trained anew for each width: it is called with one."""
    WHOLE = "whole"
    """Has no width: it is called once, and its only result, under width 1, stands at every width."""


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both among them; `log` draws evenly over orders of magnitude.

    >>> Range(10, 1000, log=True, integer=True)
    Range(low=10, high=1000, log=True, integer=True)
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        """Check the order of the bounds."""
        if not self.low < self.high or (self.log and self.low <= 0):
            rule = "from above 0 to something larger" if self.log else "from something to something larger"
            raise OptionError(f"a range of {self.low} to {self.high} holds nothing to choose from; give one {rule}")


@dataclass(frozen=True)
class Choice:
    """One of these values; None lets the data decide, where the field says so.

    >>> Choice((8, 16)).values
    (8, 16)
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        """Check that there is something to choose from."""
        if not self.values:
            raise OptionError("a choice of no values was given; name at least one")


class Baseline(Protocol):
    """A method with its hyperparameters. Implementations are frozen dataclasses, checked where they are made."""

    name: ClassVar[str]
    """What it is called at the command line."""
    kind: ClassVar[Kind]
    """How it meets widths."""
    space: ClassVar[dict[str, Range | Choice]]
    """Field -> where to look for its best value; fields that are not in it keep their value in tuning."""
    extra: ClassVar[str | None]
    """What has to be installed beside nestrec: `pip install "nestrec[extra]"`."""

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> Model:
        """Fit on all interactions; seed, threads and callbacks are those of the run.

        The model knows the users and items with interactions and no others (`fitting.prepare_interactions`).

        Raises MissingExtraError where a library is absent, OptionError for a run or widths the method cannot do, and
        DataError for interactions it cannot learn from.
        """
