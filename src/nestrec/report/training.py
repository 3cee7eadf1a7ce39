"""What training found on its validation part, width by width."""

from __future__ import annotations

from typing import Any

from nestrec.report.sizes import bytes_per_million_items, readable_bytes
from nestrec.report.table import TextTable


def validation_table(training: dict[str, Any]) -> TextTable | None:
    """Return the metrics of the chosen epoch by width, from a manifest's `training`; None without validation."""
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
            readable_bytes(bytes_per_million_items(int(width))),
            *(f"{values[label]:.4f}" for label in labels),
            share_of(values[metric], full[metric]),
        )
        for width, values in by_width.items()
    )
    headers = ("width", "per million items", *labels, f"share of full {metric}")
    return TextTable(headers, rows, title=f"On the validation part, epoch {chosen['epoch']}")


def share_of(value: float, full: float) -> str:
    """Return a value as a share of the full width's.

    >>> share_of(0.19, 0.2), share_of(0.0, 0.0)
    ('95.0%', '–')
    """
    return f"{100 * value / full:.1f}%" if full > 0 else "–"
