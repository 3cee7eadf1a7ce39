"""Results of tuning as tables: the best options beside the defaults."""

from __future__ import annotations

from typing import Any

from nestrec.comparison.tuning import TunedUnit, Tuning
from nestrec.data.read_report import format_count
from nestrec.report.table import TextTable


def tuning_tables(tuning: Tuning) -> list[TextTable]:
    """Return a table per tuned fit: option, default, best; the metric of both is the last row."""
    return [_table(tuning, unit) for unit in tuning.units]


def _table(tuning: Tuning, unit: TunedUnit) -> TextTable:
    best, defaults, n_trials = unit.best, unit.defaults, len(unit.search.trials)
    rows = [(name, format_option(defaults.options[name]), format_option(best.options[name])) for name in best.options]
    values = "failed" if defaults.error is not None else f"{defaults.value:.4f}", f"{best.value:.4f}"
    rows.append((f"{tuning.metric} on the validation part", *values))
    widths = ", ".join(map(str, unit.widths))
    fits = format_count(n_trials, "fit")
    title = f"{tuning.model} at width {widths}: the best of {fits}, {unit.search.seconds:.1f} s"
    return TextTable(("option", "default", "best"), tuple(rows), title=title, n_left=1)


def format_option(value: Any) -> str:
    """Return an option's value as text; None stands for a data-dependent default.

    >>> format_option(0.0123456), format_option(None), format_option(64)
    ('0.01235', 'data-dependent', '64')
    """
    if value is None:
        return "data-dependent"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
