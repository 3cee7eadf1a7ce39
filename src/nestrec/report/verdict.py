"""How other models stand to nestrec: better, worse, or not told apart, by the corrected p-value of each gap."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nestrec.comparison.result import Cell, Comparison, Gap

ALPHA = 0.05  # the chance of any false difference in a metric that is put up with


class Verdict(StrEnum):
    """Of another model to nestrec."""

    WORSE = "worse"
    BETTER = "better"
    UNCLEAR = "not told apart"

    @property
    def mark(self) -> str:
        """The sign in tables."""
        return {Verdict.WORSE: "▼", Verdict.BETTER: "▲", Verdict.UNCLEAR: " "}[self]


class Rival(NamedTuple):
    """Another model beside nestrec at a width."""

    name: str
    width: int
    cell: Cell
    gap: Gap


def standing(gap: Gap) -> Verdict:
    """Return how the model of a gap stands to nestrec."""
    if gap.corrected_p_value >= ALPHA:
        return Verdict.UNCLEAR
    return Verdict.WORSE if gap.mean > 0 else Verdict.BETTER


def rivals(found: Comparison, label: str) -> Iterator[Rival]:
    """Yield every other model at every width where both have figures, width by width."""
    own = found.model(found.reference)
    for width in (width for width in found.protocol.widths if label in own.at(width).metrics):
        for model in found.models:
            if model.name != found.reference:
                cell = model.at(width)
                gap = cell.gap(label, width)
                if gap is not None:
                    yield Rival(model.name, width, cell, gap)


def labels_of(found: Comparison) -> tuple[str, ...]:
    """Return the metrics compared user by user, at the cutoff that tuning went by first."""
    cutoffs = sorted(found.protocol.cutoffs, key=lambda k: not found.protocol.metric.endswith(f"@{k}"))
    return tuple(f"{name}@{k}" for k in cutoffs for name in ("ndcg", "recall"))
