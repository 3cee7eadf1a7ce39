"""A comparison as charts: quality against width, quality against training seconds.

The colour says how a model comes by its widths, the marker's shape which of these models it is, and its name stands
beside it: nothing hangs on telling twelve colours apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from nestrec.report.chart import Chart, Line, Point
from nestrec.report.comparison import longest_fit
from nestrec.report.seconds_chart import SecondsChart, Spot
from nestrec.report.svg import Marker

if TYPE_CHECKING:
    from nestrec.comparison.result import Cell, Comparison, ModelResult

_TONES = {"nested": 1, "single": 2, "whole": 3}
_MARKERS = (Marker.SQUARE, Marker.TRIANGLE, Marker.DIAMOND, Marker.WEDGE, Marker.CROSS)


class Look(NamedTuple):
    """How a model is drawn."""

    tone: int
    marker: Marker


def looks_of(found: Comparison) -> dict[str, Look]:
    """Return the look of each model; the reference has a tone and a marker of its own."""
    looks, taken = {found.reference: Look(0, Marker.CIRCLE)}, Counter[str]()
    for model in found.models:
        if model.name != found.reference:
            looks[model.name] = Look(_TONES[model.kind], _MARKERS[taken[model.kind] % len(_MARKERS)])
            taken[model.kind] += 1
    return looks


def width_chart(found: Comparison, label: str) -> Chart | None:
    """Return a metric against width, with the reference's 95% band; None where no model has figures."""
    looks = looks_of(found)
    lines = [
        Line(
            model.name,
            points,
            *looks[model.name],
            level=model.kind == "whole",
            banded=model.name == found.reference,
        )
        for model in found.models
        if (points := tuple(_points(model, label, found.protocol.widths)))
    ]
    return Chart(f"{label} by width", label, tuple(lines), named_at_end=True) if lines else None


def seconds_chart(found: Comparison, label: str) -> SecondsChart | None:
    """Return a metric, averaged over widths, against seconds of training; None where no model has all widths."""
    looks = looks_of(found)
    spots = tuple(_spot(model, label, looks[model.name]) for model in found.models if model.error is None)
    title = f"{label}, mean over widths, by training time"
    return SecondsChart(title, f"{label}, mean over widths", spots) if spots else None


def _points(model: ModelResult, label: str, widths: tuple[int, ...]) -> Iterator[Point]:
    for width in widths:
        cell = model.at(width)
        if label in cell.metrics:
            yield Point(width, cell.metrics[label], *_interval(cell, label))


def _interval(cell: Cell, label: str) -> tuple[float, float]:
    value = cell.metrics[label]
    return cell.intervals.get(label, (value, value))


def _spot(model: ModelResult, label: str, look: Look) -> Spot:
    values = [cell.metrics[label] for cell in model.cells]
    several = longest_fit(model) if len(values) > 1 and model.kind == "single" else None
    return Spot(model.name, model.training_seconds, math.fsum(values) / len(values), several, *look)
