"""Comparison charts: a metric against width, and its mean over widths against training time.

The colour shows how many fits a model needs, the marker tells models of a colour apart, and names are beside the data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nestrec.report.chart import Chart, Labels, Marker, Point, Series
from nestrec.report.scales import Frame, log_ticks

if TYPE_CHECKING:
    from nestrec.comparison.result import ModelResult
    from nestrec.report.comparison_view import ComparisonView

KIND_TONES = {"nested": 1, "single": 2, "whole": 3}
_MARKERS = (Marker.SQUARE, Marker.TRIANGLE, Marker.DIAMOND, Marker.WEDGE, Marker.CROSS, Marker.BAR)
_WITH_NAMES = Frame(520, 470, right=172)
_PLAIN = Frame(520, 470, right=24)
_LEAST_SECONDS = 0.001  # shorter times are drawn here


def comparison_charts(view: ComparisonView, label: str) -> Iterator[Chart]:
    """Yield the charts of a metric; none if no model has values."""
    looks = assign_looks(view)
    lines = tuple(line for model in view.comparison.models if (line := _line(view, model, label, looks)) is not None)
    if lines:
        yield Chart(
            f"{label} by width",
            "width: dimensions per vector (log scale)",
            label,
            lines,
            tuple(sorted({point.x for line in lines for point in line.points})),
            Labels.ENDS,
            frame=_WITH_NAMES,
        )
    points = tuple(_point(model, label, looks) for model in view.comparison.models if model.mean_over_widths)
    if points:
        seconds = [at for one in points for at in (one.points[0].x, one.starts_at) if at is not None]
        yield Chart(
            f"{label}, mean over widths, by training time",
            "training seconds for all widths (log scale)",
            f"{label}, mean over widths",
            points,
            log_ticks(min(seconds), max(seconds)),
            Labels.POINTS,
            frame=_PLAIN,
        )


def assign_looks(view: ComparisonView) -> dict[str, tuple[int, Marker]]:
    """Return the tone and marker of each model; no two models have the same."""
    looks, taken = {view.reference: (0, Marker.CIRCLE)}, Counter[str]()
    for model in view.comparison.models:
        if model.name != view.reference:
            looks[model.name] = KIND_TONES[model.kind], _MARKERS[taken[model.kind] % len(_MARKERS)]
            taken[model.kind] += 1
    return looks


def _line(view: ComparisonView, model: ModelResult, label: str, looks: dict[str, tuple[int, Marker]]) -> Series | None:
    points = []
    is_reference, is_level = model.name == view.reference, model.kind == "whole"
    for width in view.widths:
        cell = model.at(width)
        if label in cell.metrics:
            value, (low, high) = cell.metrics[label], cell.intervals[label]
            where = "at every width" if is_level else f"at width {width}"
            tip = f"{model.name} {where}: {value:.4f} (95%: {low:.4f} to {high:.4f})"
            points.append(Point(width, value, low, high, tip) if is_reference else Point(width, value, tip=tip))
    if not points:
        return None
    line = "wide" if is_reference else "dashed" if is_level else "solid"
    return Series(model.name, tuple(points), *looks[model.name], line=line, level=is_level)


def _point(model: ModelResult, label: str, looks: dict[str, tuple[int, Marker]]) -> Series:
    value, seconds = model.mean_over_widths[label], model.training_seconds
    tip = f"{model.name}: {value:.4f} in {seconds:.3g} seconds"
    starts_at = None
    if model.kind == "single" and len(model.cells) > 1:
        starts_at = max(model.longest_fit_seconds, _LEAST_SECONDS)
        tip += f", longest single fit {model.longest_fit_seconds:.3g}"
    point = Point(max(seconds, _LEAST_SECONDS), value, tip=tip)
    return Series(model.name, (point,), *looks[model.name], line="", starts_at=starts_at)
