"""The protocol of baselines: hyperparameters with their search space, and a fit that returns a model.

A baseline is a frozen dataclass whose fields are its hyperparameters. `fit` returns `NestedEmbeddings` for methods with
embeddings, and `ItemSimilarities` for item-to-item models.
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
    """How many fits a method needs for several widths."""

    NESTED = "nested"
    """One fit for all widths; it is called with all of them."""
    SINGLE = "single"
    """One fit per width; it is called with one."""
    WHOLE = "whole"
    """No widths; it is called once, and its only result, of width 1, counts at every width."""


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, inclusive; `log` samples uniformly on a logarithmic scale.

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
            rule = "above 0 and ascending" if self.log else "ascending"
            raise OptionError(f"bounds of a range must be {rule}, got a range from {self.low} to {self.high}")


@dataclass(frozen=True)
class Choice:
    """One of several values; None stands for a data-dependent default.

    >>> Choice((8, 16)).values
    (8, 16)
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        """Check that there are values."""
        if not self.values:
            raise OptionError("a choice must have at least one value, got none")


class Baseline(Protocol):
    """A method with its hyperparameters. Implementations are frozen dataclasses, checked where they are made."""

    name: ClassVar[str]
    """The name on the command line."""
    kind: ClassVar[Kind]
    """The number of fits for several widths."""
    space: ClassVar[dict[str, Range | Choice]]
    """Field -> search domain; other fields keep their value in tuning."""
    extra: ClassVar[str | None]
    """The extra of nestrec to install: `pip install "nestrec[extra]"`."""

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> Model:
        """Fit on all interactions, with the seed, threads and callbacks of the run.

        Users and items without interactions are dropped (`fitting.prepare_interactions`).

        Raises MissingExtraError if a library is not installed, OptionError for unsupported runs or widths, and
        DataError for too few interactions.
        """


class DerivedBaseline(Baseline, Protocol):
    """A baseline whose model is computed from that of another one, which a comparison fits once for both."""

    source: ClassVar[str]
    """The name of the other baseline. It has the same options and is fitted at the widest width alone."""

    def derive(self, model: NestedEmbeddings, widths: Widths) -> NestedEmbeddings:
        """Return the model of all widths, given the source's model of the widest one."""
