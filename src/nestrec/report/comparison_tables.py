"""Comparison tables: metrics by model and width, the best other model, costs; and details.

Details are paired differences, catalogue metrics, every fit and selected options.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nestrec.report.comparison_view import NOTHING, ComparisonView, Verdict, format_costs, format_p_value, judge
from nestrec.report.durations import format_seconds
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.comparison.result import Cell, PairedDifference

_KINDS = {"nested": "one fit for all widths", "single": "one fit per width", "whole": "none"}


def comparison_tables(view: ComparisonView) -> Iterator[TextTable]:
    """Yield the tables of each metric, then nestrec beside the best other models, then costs."""
    for label in view.labels:
        yield from metric_tables(view, label)
    for label in view.labels[:2]:
        yield best_table(view, label)
    yield cost_table(view)


def metric_tables(view: ComparisonView, label: str) -> Iterator[TextTable]:
    """Yield the table of a metric over all test users and, if there are cold users, the one over warm users."""
    yield metric_table(view, label)
    if view.has_cold_users:
        yield warm_table(view, label)


def metric_table(view: ComparisonView, label: str) -> TextTable:
    """Return a metric by model and width with costs; marks where a model differs significantly from nestrec."""
    marks = f"{Verdict.WORSE.mark} significantly worse, {Verdict.BETTER.mark} significantly better"
    rows = []
    for model in view.comparison.models:
        cells = []
        for width in view.widths:
            value = model.at(width).metrics.get(label)
            mark = view.verdict(model.name, label, width).mark
            cells.append(f"{NOTHING}  " if value is None else f"{value:.4f} {mark}")
        rows.append((model.name, *cells, *format_costs(model)))
    headers = ("model", *map(str, view.widths), "training", "peak memory")
    return TextTable(headers, tuple(rows), f"{label} by width; {marks} than {view.reference}", n_left=1)


def warm_table(view: ComparisonView, label: str) -> TextTable:
    """Return a metric by model and width over warm test users, with half of the 95% interval."""
    data = view.comparison.data
    title = f"{label} over the {data.known_test_users:,} of {data.test_users:,} test users with training interactions"
    models = view.comparison.models
    rows = tuple((model.name, *(_format_warm(model.at(width), label) for width in view.widths)) for model in models)
    return TextTable(("model", *map(str, view.widths)), rows, f"{title}; the others count as 0 above", n_left=1)


def best_table(view: ComparisonView, label: str) -> TextTable:
    """Return nestrec beside the other model with the highest mean on the test part, by width."""
    rows = tuple(
        (
            str(best.width),
            f"{best.reference_value:.4f}",
            f"{best.value:.4f}",
            best.name,
            *_format_difference(best.difference)[:3],
        )
        for best in view.best_rivals(label)
    )
    headers = ("width", view.reference, "best other", "model", "difference", "95% interval", "corrected p")
    return TextTable(headers, rows, f"{view.reference} and the best other model, {label}")


def cost_table(view: ComparisonView) -> TextTable:
    """Return the training time, tuning time and memory of each model."""
    headers = ("model", "widths", "training", "longest fit", "tuning", "trials", "peak memory")
    rows = []
    for model in view.comparison.models:
        training, memory = format_costs(model)
        tuning = format_seconds(model.tuning_seconds) if model.trials else NOTHING
        longest = format_seconds(model.longest_fit_seconds)
        rows.append((model.name, _KINDS[model.kind], training, longest, tuning, str(model.trials), memory))
    return TextTable(headers, tuple(rows), "Costs: training at all widths, one fit, tuning", n_left=2)


def differences_table(view: ComparisonView, label: str) -> TextTable:
    """Return a metric of every model at every width with its interval, paired difference and corrected p-value."""
    difference = (f"{view.reference} − model", "95% interval", "corrected p", "model is")
    rows = tuple(
        (model.name, str(width), *_format_estimate(cell, label), *_format_difference(cell.difference(label, width)))
        for model in view.comparison.models
        for width, cell in ((width, model.at(width)) for width in view.widths)
    )
    headers = ("model", "width", label, "95% interval", *difference)
    return TextTable(headers, rows, f"{label}: every model at every width", n_left=1)


def bands_table(view: ComparisonView, label: str) -> TextTable:
    """Return a metric by model, popularity band of the test items and width."""
    rows = tuple(
        (model.name, band.name, *(_format_band(model.at(width), band.name, label) for width in view.widths))
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
    rows = tuple((name, width, *_format_values(cell.beyond_accuracy, labels)) for name, width, cell in _cells(view))
    return TextTable(("model", "width", *labels), rows, "Catalogue metrics", n_left=1)


def seeds_table(view: ComparisonView) -> TextTable:
    """Return the metrics of each fit, which show the variation over seeds."""
    rows = tuple(
        (name, width, str(fit.seed), *_format_values(fit.metrics, view.labels), f"{fit.training_seconds:.3g}")
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


def _format_band(cell: Cell, band: str, label: str) -> str:
    value = cell.bands.get(band, {}).get(label)
    return NOTHING if value is None else f"{value:.4f}"


def _format_difference(difference: PairedDifference | None) -> tuple[str, str, str, str]:
    if difference is None:
        return (NOTHING,) * 4
    verdict = judge(difference)
    shown = str(verdict) if verdict is Verdict.NOT_SIGNIFICANT else f"{verdict.mark} {verdict}"
    interval = f"{difference.low:+.4f} to {difference.high:+.4f}"
    return f"{difference.mean:+.4f}", interval, format_p_value(difference.corrected_p_value), shown


def _format_values(values: Mapping[str, float], labels: Iterable[str]) -> Iterator[str]:
    return (_format_value(values.get(label)) for label in labels)


def _format_value(value: float | None) -> str:
    return NOTHING if value is None or math.isnan(value) else f"{value:.4g}"


def _format_options(options: dict[str, Any]) -> str:
    shown = (f"{name} {f'{value:.4g}' if isinstance(value, float) else value}" for name, value in options.items())
    return ", ".join(shown) or NOTHING


def _format_warm(cell: Cell, label: str) -> str:
    if label not in cell.known_metrics:
        return NOTHING
    low, high = cell.known_intervals[label]
    return f"{cell.known_metrics[label]:.4f} ±{(high - low) / 2:.4f}"
