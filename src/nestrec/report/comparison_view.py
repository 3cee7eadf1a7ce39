"""View model of a comparison: metrics in order, verdicts, the best other model and formatted costs, for all reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from nestrec.report.durations import format_seconds
from nestrec.report.sizes import format_bytes

if TYPE_CHECKING:
    from nestrec.comparison.result import Comparison, ModelResult, PairedDifference

SIGNIFICANCE_LEVEL = 0.05  # family-wise error rate per metric, after Holm's correction
NOTHING = "–"


class Verdict(StrEnum):
    """How another model compares with nestrec."""

    WORSE = "worse"
    BETTER = "better"
    NOT_SIGNIFICANT = "not significant"

    @property
    def mark(self) -> str:
        """The mark in tables."""
        return {Verdict.WORSE: "▼", Verdict.BETTER: "▲", Verdict.NOT_SIGNIFICANT: " "}[self]


class Rival(NamedTuple):
    """Another model at a width, beside nestrec."""

    name: str
    width: int
    value: float
    reference_value: float
    difference: PairedDifference  # nestrec minus this model
    verdict: Verdict


@dataclass(frozen=True)
class ComparisonView:
    """A comparison prepared for tables, charts and text."""

    comparison: Comparison

    @property
    def reference(self) -> str:
        """The name of nestrec."""
        return self.comparison.reference

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths compared."""
        return self.comparison.protocol.widths

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The metrics tested by paired differences, the one that tuning maximized first."""
        metric = self.comparison.protocol.metric
        cells = [cell for model in self.comparison.models for cell in model.cells]
        labels = dict.fromkeys(label for cell in cells for label in cell.intervals)
        name, _, k = metric.partition("@")
        return tuple(sorted(labels, key=lambda label: (not label.endswith(f"@{k}"), not label.startswith(f"{name}@"))))

    @property
    def has_cold_users(self) -> bool:
        """Whether some test users have no training interactions."""
        return self.comparison.data.known_test_users not in (None, self.comparison.data.test_users)

    @cached_property
    def rivals(self) -> dict[str, list[Rival]]:
        """All other models at all widths by metric, width by width."""
        return {label: self._find_rivals(label) for label in self.labels}

    def verdict(self, name: str, label: str, width: int) -> Verdict:
        """Return how a model compares with nestrec; NOT_SIGNIFICANT for nestrec itself."""
        return self._verdicts.get((name, label, width), Verdict.NOT_SIGNIFICANT)

    def best_rivals(self, label: str) -> list[Rival]:
        """Return the other model with the highest value at each width."""
        best: dict[int, Rival] = {}
        for rival in self.rivals[label]:
            if rival.width not in best or rival.value > best[rival.width].value:
                best[rival.width] = rival
        return list(best.values())

    @cached_property
    def _verdicts(self) -> dict[tuple[str, str, int], Verdict]:
        return {(r.name, label, r.width): r.verdict for label, rivals in self.rivals.items() for r in rivals}

    def _find_rivals(self, label: str) -> list[Rival]:
        own = self.comparison.model(self.reference)
        found = []
        for width in self.widths:
            for model in self.comparison.models:
                cell = model.at(width)
                difference = cell.difference(label, width)
                own_value = own.at(width).metrics.get(label)
                if model.name != self.reference and difference is not None and own_value is not None:
                    value = cell.metrics[label]
                    found.append(Rival(model.name, width, value, own_value, difference, judge(difference)))
        return found


def judge(difference: PairedDifference) -> Verdict:
    """Return the verdict on the other model by its Holm-corrected p-value."""
    if difference.corrected_p_value >= SIGNIFICANCE_LEVEL:
        return Verdict.NOT_SIGNIFICANT
    return Verdict.WORSE if difference.mean > 0 else Verdict.BETTER


def format_p_value(p_value: float) -> str:
    """Return a p-value as text.

    >>> format_p_value(0.0301), format_p_value(0.0004), format_p_value(1.0)
    ('0.030', '<0.001', '1.000')
    """
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def format_costs(model: ModelResult) -> tuple[str, str]:
    """Return the training time at all widths and the peak memory of a model."""
    memory = format_bytes(model.peak_memory_bytes) if model.peak_memory_bytes else NOTHING
    return format_seconds(model.training_seconds), memory
