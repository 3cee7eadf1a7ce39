"""Comparison tables: each metric by model and width, nestrec beside the best other model, and costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nestrec.report.comparison_view import NOTHING, ComparisonView, Verdict, format_costs, format_p_value
from nestrec.report.durations import format_seconds
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.comparison.result import Cell

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
    rows = tuple(
        (model.name, *(_format_warm(model.at(width), label) for width in view.widths))
        for model in view.comparison.models
    )
    return TextTable(("model", *map(str, view.widths)), rows, f"{title}; the others count as 0 above", n_left=1)


def _format_warm(cell: Cell, label: str) -> str:
    if label not in cell.known_metrics:
        return NOTHING
    low, high = cell.known_intervals[label]
    return f"{cell.known_metrics[label]:.4f} ±{(high - low) / 2:.4f}"


def best_table(view: ComparisonView, label: str) -> TextTable:
    """Return nestrec beside the other model with the highest mean on the test part, by width."""
    rows = tuple(
        (
            str(best.width),
            f"{best.reference_value:.4f}",
            f"{best.value:.4f}",
            best.name,
            f"{best.difference.mean:+.4f}",
            f"{best.difference.low:+.4f} to {best.difference.high:+.4f}",
            format_p_value(best.difference.corrected_p_value),
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
