"""What tuning found: the best options beside the defaults."""

from __future__ import annotations

from typing import Any

from nestrec.comparison.tuning import TunedUnit, Tuning
from nestrec.data.read_report import format_count
from nestrec.report.table import TextTable


def tuning_tables(tuning: Tuning) -> list[TextTable]:
    """Return a table for each fit that was tuned: option, default, best; the values that both reached come last."""
    return [_table(tuning, unit) for unit in tuning.units]


def _table(tuning: Tuning, unit: TunedUnit) -> TextTable:
    best, defaults, n_trials = unit.best, unit.defaults, len(unit.search.trials)
    rows = [(name, shown(defaults.options[name]), shown(best.options[name])) for name in best.options]
    values = "failed" if defaults.error is not None else f"{defaults.value:.4f}", f"{best.value:.4f}"
    rows.append((f"{tuning.metric} on the validation part", *values))
    widths = ", ".join(map(str, unit.widths))
    fits = format_count(n_trials, "fit")
    title = f"{tuning.model} at width {widths}: the best of {fits}, {unit.search.seconds:.1f} s"
    return TextTable(("option", "default", "best"), tuple(rows), title=title, n_left=1)


def shown(value: Any) -> str:
    """Return an option's value for people; None leaves it to the data.

    >>> shown(0.0123456), shown(None), shown(64)
    ('0.01235', 'by the data', '64')
    """
    if value is None:
        return "by the data"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
