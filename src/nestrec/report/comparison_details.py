"""All figures of a comparison as tables: by model and width, beyond accuracy, by seed, and the options chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nestrec.report.comparison import p_text
from nestrec.report.table import TextTable
from nestrec.report.verdict import Verdict, labels_of, standing

if TYPE_CHECKING:
    from nestrec.comparison.result import Cell, Comparison, Gap

_NOTHING = "–"


def figures_table(found: Comparison, label: str) -> TextTable:
    """Return a metric of every model at every width, with intervals, differences and corrected p-values."""
    leads = (f"{found.reference} leads by", "95% interval", "corrected p", f"beside {found.reference}")
    rows = [
        (model.name, str(width), *_value(model.at(width), label), *_gap(model.at(width).gap(label, width)))
        for model in found.models
        for width in found.protocol.widths
    ]
    headers = ("model", "width", label, "95% interval", *leads)
    return TextTable(headers, tuple(rows), f"{label}: every model at every width", n_left=1)


def catalogue_table(found: Comparison) -> TextTable:
    """Return what the lists do to the catalogue, at the cutoff that tuning went by."""
    labels = _catalogue_labels(found)
    rows = tuple(
        (name, width, *(_figure(cell.beyond_accuracy.get(label)) for label in labels))
        for name, width, cell in _cells(found)
    )
    return TextTable(("model", "width", *labels), rows, "Beyond accuracy: what the lists do to the catalogue", n_left=1)


def seeds_table(found: Comparison) -> TextTable:
    """Return each fit's figures, which show how far training is random."""
    labels = labels_of(found)
    rows = tuple(
        (
            name,
            width,
            str(fit.seed),
            *(_figure(fit.metrics.get(label)) for label in labels),
            f"{fit.training_seconds:.3g}",
        )
        for name, width, cell in _cells(found)
        for fit in cell.seeds
    )
    return TextTable(("model", "width", "seed", *labels, "seconds"), rows, "Every fit", n_left=1)


def options_table(found: Comparison) -> TextTable:
    """Return the options that each model was trained with, and what they reached in tuning."""
    rows = tuple(
        (name, width, _options(cell.options), str(cell.trials), _figure(cell.validation_value))
        for name, width, cell in _cells(found)
    )
    metric = f"{found.protocol.metric} in tuning"
    return TextTable(("model", "width", "options", "trials", metric), rows, "Options chosen", n_left=3)


def _cells(found: Comparison) -> Iterator[tuple[str, str, Cell]]:
    for model in found.models:
        for cell in model.cells:
            yield model.name, "any" if cell.width is None else str(cell.width), cell


def _catalogue_labels(found: Comparison) -> tuple[str, ...]:
    cutoff = labels_of(found)[0].rpartition("@")[2]
    known: dict[str, None] = {label: None for _, _, cell in _cells(found) for label in cell.beyond_accuracy}
    return tuple(label for label in known if label.rpartition("@")[2] == cutoff)


def _value(cell: Cell, label: str) -> tuple[str, str]:
    if label not in cell.metrics:
        return (_NOTHING, _NOTHING)
    interval = cell.intervals.get(label)
    return f"{cell.metrics[label]:.4f}", _NOTHING if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"


def _gap(gap: Gap | None) -> tuple[str, str, str, str]:
    if gap is None:
        return (_NOTHING,) * 4
    stands = standing(gap)
    told = str(stands) if stands is Verdict.UNCLEAR else f"{stands.mark} {stands}"
    return f"{gap.mean:+.4f}", f"{gap.low:+.4f} to {gap.high:+.4f}", p_text(gap.corrected_p_value), told


def _figure(value: float | None) -> str:
    return _NOTHING if value is None or math.isnan(value) else f"{value:.4g}"


def _options(options: dict[str, Any]) -> str:
    told = (f"{name} {f'{value:.4g}' if isinstance(value, float) else value}" for name, value in options.items())
    return ", ".join(told) or _NOTHING
