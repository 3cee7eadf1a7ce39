"""Validation metrics of training by width, as a table."""

from __future__ import annotations

from typing import Any

from nestrec.report.sizes import bytes_per_million_items, format_bytes
from nestrec.report.table import TextTable


def validation_table(training: dict[str, Any]) -> TextTable | None:
    """Return the metrics of the selected epoch by width, from the `training` section of a manifest, if any."""
    chosen = training.get("validation_metrics")
    if not chosen:
        return None
    by_width: dict[str, dict[str, float]] = chosen["metrics"]
    metric = training["options"]["metric"]
    labels = tuple(next(iter(by_width.values())))
    full = list(by_width.values())[-1]
    rows = tuple(
        (
            width,
            format_bytes(bytes_per_million_items(int(width))),
            *(f"{values[label]:.4f}" for label in labels),
            format_share(values[metric], full[metric]),
        )
        for width, values in by_width.items()
    )
    headers = ("width", "per million items", *labels, f"share of full {metric}")
    return TextTable(headers, rows, title=f"On the validation part, epoch {chosen['epoch']}")


def format_share(value: float, full: float) -> str:
    """Return a value as a share of that of the full width.

    >>> format_share(0.19, 0.2), format_share(0.0, 0.0)
    ('95.0%', '–')
    """
    return f"{100 * value / full:.1f}%" if full > 0 else "–"
