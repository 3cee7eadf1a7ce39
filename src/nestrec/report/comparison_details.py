"""Detailed comparison tables: paired differences, catalogue metrics, every fit, and selected options."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nestrec.report.comparison_view import NOTHING, ComparisonView, Verdict, format_p_value, judge
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.comparison.result import Cell, PairedDifference


def differences_table(view: ComparisonView, label: str) -> TextTable:
    """Return a metric of every model at every width with its interval, paired difference and corrected p-value."""
    difference = (f"{view.reference} − model", "95% interval", "corrected p", "model is")
    rows = tuple(
        (
            model.name,
            str(width),
            *_format_estimate(model.at(width), label),
            *_format_difference(model.at(width).difference(label, width)),
        )
        for model in view.comparison.models
        for width in view.widths
    )
    headers = ("model", "width", label, "95% interval", *difference)
    return TextTable(headers, rows, f"{label}: every model at every width", n_left=1)


def bands_table(view: ComparisonView, label: str) -> TextTable:
    """Return a metric by model, popularity band of the test items and width."""
    rows = tuple(
        (
            model.name,
            band.name,
            *(_format_value(model.at(width).bands.get(band.name, {}).get(label)) for width in view.widths),
        )
        for model in view.comparison.models
        for band in view.comparison.data.bands
    )
    headers = ("model", "test items", *map(str, view.widths))
    return TextTable(headers, rows, f"{label} by popularity of the test items, by width", n_left=2)


def catalogue_table(view: ComparisonView) -> TextTable:
    """Return the catalogue metrics at the cutoff of the metric that tuning maximized."""
    cutoff = view.comparison.protocol.metric.rpartition("@")[2]
    known = dict.fromkeys(label for _, _, cell in _cells(view) for label in cell.beyond_accuracy)
    labels = [label for label in known if label.endswith(f"@{cutoff}")]
    rows = tuple(
        (name, width, *(_format_value(cell.beyond_accuracy.get(label)) for label in labels))
        for name, width, cell in _cells(view)
    )
    return TextTable(("model", "width", *labels), rows, "Catalogue metrics", n_left=1)


def seeds_table(view: ComparisonView) -> TextTable:
    """Return the metrics of each fit, which show the variation over seeds."""
    rows = tuple(
        (
            name,
            width,
            str(fit.seed),
            *(_format_value(fit.metrics.get(label)) for label in view.labels),
            f"{fit.training_seconds:.3g}",
        )
        for name, width, cell in _cells(view)
        for fit in cell.seeds
    )
    return TextTable(("model", "width", "seed", *view.labels, "seconds"), rows, "Every fit", n_left=1)


def options_table(view: ComparisonView) -> TextTable:
    """Return the options of each model and the metric they reached in tuning."""
    rows = tuple(
        (name, width, _format_options(cell.options), str(cell.trials), _format_value(cell.validation_value))
        for name, width, cell in _cells(view)
    )
    metric = f"{view.comparison.protocol.metric} in tuning"
    return TextTable(("model", "width", "options", "trials", metric), rows, "Selected options", n_left=3)


def _cells(view: ComparisonView) -> Iterator[tuple[str, str, Cell]]:
    for model in view.comparison.models:
        for cell in model.cells:
            yield model.name, "any" if cell.width is None else str(cell.width), cell


def _format_estimate(cell: Cell, label: str) -> tuple[str, str]:
    if label not in cell.metrics:
        return (NOTHING, NOTHING)
    interval = cell.intervals.get(label)
    return f"{cell.metrics[label]:.4f}", NOTHING if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"


def _format_difference(difference: PairedDifference | None) -> tuple[str, str, str, str]:
    if difference is None:
        return (NOTHING,) * 4
    verdict = judge(difference)
    shown = str(verdict) if verdict is Verdict.NOT_SIGNIFICANT else f"{verdict.mark} {verdict}"
    interval = f"{difference.low:+.4f} to {difference.high:+.4f}"
    return f"{difference.mean:+.4f}", interval, format_p_value(difference.corrected_p_value), shown


def _format_value(value: float | None) -> str:
    return NOTHING if value is None or math.isnan(value) else f"{value:.4g}"


def _format_options(options: dict[str, Any]) -> str:
    shown = (f"{name} {f'{value:.4g}' if isinstance(value, float) else value}" for name, value in options.items())
    return ", ".join(shown) or NOTHING
