"""A comparison as tables: each metric by model and width with marks, nestrec beside the best other model, costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nestrec.report.durations import readable_seconds
from nestrec.report.sizes import readable_bytes
from nestrec.report.table import TextTable
from nestrec.report.verdict import Verdict, labels_of, rivals, standing

if TYPE_CHECKING:
    from nestrec.comparison.result import Cell, Comparison, ModelResult

_NOTHING = "–"
_KINDS = {"nested": "one fit, every width", "single": "a fit a width", "whole": "no width"}


def comparison_tables(found: Comparison) -> Iterator[TextTable]:
    """Yield one table a metric, then nestrec beside the best of the others, then what each model cost."""
    labels = labels_of(found)
    for label in labels:
        yield metric_table(found, label)
        if has_unknown_users(found):
            yield known_table(found, label)
    for label in labels[:2]:
        yield best_table(found, label)
    yield cost_table(found)


def metric_table(found: Comparison, label: str) -> TextTable:
    """Return model by width, with seconds and memory beside; a mark where a model surely differs from nestrec."""
    title = f"{label} by width; {Verdict.WORSE.mark} worse, {Verdict.BETTER.mark} better than {found.reference}"
    widths = found.protocol.widths
    rows = tuple(
        (model.name, *(_marked(model.at(width), label, width) for width in widths), *_costs(model))
        for model in found.models
    )
    return TextTable(("model", *map(str, widths), "training", "peak memory"), rows, title, n_left=1)


def has_unknown_users(found: Comparison) -> bool:
    """Tell whether some test users have no training interactions."""
    return found.data.known_test_users not in (None, found.data.test_users)


def known_table(found: Comparison, label: str) -> TextTable:
    """Return model by width over the test users with training interactions, with half of the 95% interval."""
    known, users = found.data.known_test_users, found.data.test_users
    title = f"{label} over the {known:,} of {users:,} test users that training knows; the others count as 0 above"
    widths = found.protocol.widths
    rows = tuple((model.name, *(_known(model.at(width), label) for width in widths)) for model in found.models)
    return TextTable(("model", *map(str, widths)), rows, title, n_left=1)


def _known(cell: Cell, label: str) -> str:
    if label not in cell.known_metrics:
        return _NOTHING
    low, high = cell.known_intervals[label]
    return f"{cell.known_metrics[label]:.4f} ±{(high - low) / 2:.4f}"


def best_table(found: Comparison, label: str) -> TextTable:
    """Return, by width, nestrec beside whichever other model has the highest mean on the test part."""
    reference = found.model(found.reference)
    rows = []
    for width in found.protocol.widths:
        others = [rival for rival in rivals(found, label) if rival.width == width]
        if others:
            best = max(others, key=lambda rival: rival.cell.metrics[label])
            gap = best.gap
            rows.append(
                (
                    str(width),
                    f"{reference.at(width).metrics[label]:.4f}",
                    f"{best.cell.metrics[label]:.4f}",
                    best.name,
                    f"{gap.mean:+.4f}",
                    f"{gap.low:+.4f} to {gap.high:+.4f}",
                    p_text(gap.corrected_p_value),
                )
            )
    headers = ("width", found.reference, "best other", "which", "difference", "95% interval", "corrected p")
    return TextTable(headers, tuple(rows), f"{found.reference} and the best of the others, {label}")


def cost_table(found: Comparison) -> TextTable:
    """Return what each model took: fits, seconds of training and tuning, memory."""
    headers = ("model", "widths", "training", "longest fit", "tuning", "trials", "peak memory")
    rows = tuple(
        (
            model.name,
            _KINDS[model.kind],
            readable_seconds(model.training_seconds),
            readable_seconds(longest_fit(model)),
            readable_seconds(model.tuning_seconds) if n_trials(model) else _NOTHING,
            str(n_trials(model)),
            _memory(model),
        )
        for model in found.models
    )
    return TextTable(headers, rows, "Cost: training at every width, one fit, tuning", n_left=2)


def longest_fit(model: ModelResult) -> float:
    """Return the seconds of a model's longest fit; NaN where one failed."""
    seconds = [cell.training_seconds for cell in model.cells]
    return max(seconds) if model.error is None else float("nan")


def n_trials(model: ModelResult) -> int:
    """Return the fits that a model's tuning spent."""
    trials = [cell.trials for cell in model.cells]
    return trials[0] if model.kind == "nested" else sum(trials)


def p_text(p_value: float) -> str:
    """Return a p-value to two digits.

    >>> p_text(0.0301), p_text(0.0004), p_text(1.0)
    ('0.030', '<0.001', '1.000')
    """
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _marked(cell: Cell, label: str, width: int) -> str:
    value = cell.metrics.get(label)
    if value is None:
        return f"{_NOTHING}  "
    gap = cell.gap(label, width)
    return f"{value:.4f} {Verdict.UNCLEAR.mark if gap is None else standing(gap).mark}"


def _costs(model: ModelResult) -> tuple[str, str]:
    return readable_seconds(model.training_seconds), _memory(model)


def _memory(model: ModelResult) -> str:
    return readable_bytes(model.peak_memory_bytes) if model.peak_memory_bytes else _NOTHING
