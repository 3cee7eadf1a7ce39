"""Quality against width: metrics of each width, and the share of the full width's quality that it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nestrec.report.sizes import bytes_per_million_items, format_bytes
from nestrec.report.table import TextTable


@dataclass(frozen=True)
class Estimate:
    """A mean over users with its 95% interval; without one, low and high are the mean."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the mean and, if there is an interval, half of it."""
        half = f" ±{(self.high - self.low) / 2:.4f}" if self.low < self.high else ""
        return f"{self.value:.4f}{half}"


@dataclass(frozen=True)
class WidthQuality:
    """The metrics of one width."""

    width: int
    metrics: Mapping[str, Estimate]  # by label, such as recall@20

    @property
    def memory(self) -> str:
        """Memory of the embeddings of a million items, as text."""
        return format_bytes(bytes_per_million_items(self.width))


def read_qualities(evaluation: Mapping[str, Any]) -> tuple[WidthQuality, ...]:
    """Return the metrics by width from `Evaluation.as_dict()`, narrowest first."""
    return tuple(_of_width(entry) for entry in evaluation["widths"])


def read_warm_qualities(evaluation: Mapping[str, Any]) -> tuple[WidthQuality, ...]:
    """Return the metrics over warm users likewise."""
    return tuple(_of_width({"width": entry["width"], **entry["known_users"]}) for entry in evaluation["widths"])


def compute_share(quality: WidthQuality, full: WidthQuality, label: str) -> float:
    """Return the share of the full width's metric that a width keeps; 0 if that metric is 0."""
    best = full.metrics[label].value
    return quality.metrics[label].value / best if best > 0 else 0.0


def quality_table(rows: Sequence[WidthQuality], labels: Sequence[str], title: str | None = None) -> TextTable:
    """Return a table of memory and metrics by width; the last column is the share of the full width's NDCG kept.

    Without NDCG, the share is of the last metric.
    """
    share_of = next((label for label in labels if label.startswith("ndcg@")), labels[-1])
    headers = ("width", "per million items", *labels, f"share of full {share_of}")
    return TextTable(headers, tuple(_row(row, rows[-1], labels, share_of) for row in rows), title)


def find_narrowest(rows: Sequence[WidthQuality], share: float, label: str) -> WidthQuality:
    """Return the narrowest width that keeps this share of the full width's metric."""
    return next((row for row in rows if compute_share(row, rows[-1], label) >= share), rows[-1])


def _row(row: WidthQuality, full: WidthQuality, labels: Sequence[str], share_of: str) -> tuple[str, ...]:
    metrics = (str(row.metrics[label]) for label in labels)
    return (str(row.width), row.memory, *metrics, f"{100 * compute_share(row, full, share_of):.1f}%")


def _of_width(entry: Mapping[str, Any]) -> WidthQuality:
    intervals = entry.get("intervals", {})
    labels = [name for name, value in entry.items() if "@" in name and isinstance(value, float)]
    return WidthQuality(
        entry["width"], {name: Estimate(entry[name], *intervals.get(name, (entry[name],) * 2)) for name in labels}
    )
