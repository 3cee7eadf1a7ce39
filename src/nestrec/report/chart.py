"""Line and point charts as SVG, for pages and for files: logarithmic x-axis, intervals as bands, labelled series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from html import escape
from pathlib import Path

from nestrec.atomic.output_file import atomic_file
from nestrec.report.chart_style import COLOURS, STYLE
from nestrec.report.label_layout import Box, place_around, place_in_column, text_width
from nestrec.report.scales import SMALL, Frame, LinearScale, LogScale, linear_ticks, select_spaced, visible_low

_TICK_GAP = 30  # pixels between x-axis labels
_NAME_GAP = 16  # pixels between names in the column on the right
_ROW = 18  # pixels of a row of the legend


class Marker(StrEnum):
    """The shape of points: series are told apart by it, without relying on colour. Values are SVG paths around 0."""

    CIRCLE = "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z"
    SQUARE = "M-3.2-3.2h6.4v6.4h-6.4z"
    TRIANGLE = "M0-4.4L4.2 3.2H-4.2z"
    DIAMOND = "M0-4.7L4.7 0L0 4.7L-4.7 0z"
    WEDGE = "M0 4.4L4.2-3.2H-4.2z"
    BAR = "M-1.8-4.4h3.6v8.8h-3.6z"
    CROSS = "M-1.3-4.2h2.6v2.9h2.9v2.6h-2.9v2.9h-2.6v-2.9h-2.9v-2.6h2.9z"


class Labels(StrEnum):
    """Where series are labelled."""

    VALUES = "values"
    """Values at the points; names in a legend below if there are several series."""
    ENDS = "ends"
    """Name and last value in a column on the right."""
    POINTS = "points"
    """Names beside the first points, and a legend below for those that have an entry."""


@dataclass(frozen=True)
class Point:
    """A value with its interval, if any."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    tip: str = ""


@dataclass(frozen=True)
class Series:
    """Points of one name, connected unless `line` is empty."""

    name: str
    points: tuple[Point, ...]
    tone: int = 0
    marker: Marker = Marker.CIRCLE
    line: str = "solid"
    """CSS classes of the line: solid, wide, dashed, dotted; "" for none."""
    level: bool = False
    """One value at every x: a line across the plot."""
    hollow: bool = False
    starts_at: float | None = None
    """x where a thin line to the first point begins."""
    legend: str | None = None
    """Text in the legend; equal entries are drawn once."""


@dataclass(frozen=True)
class Chart:
    """Series on one scale. The y-axis covers the data; single values far below the others are drawn at its edge."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_ticks: tuple[float, ...]
    labels: Labels = Labels.VALUES
    percent: bool = False
    frame: Frame = SMALL
    target: float | None = None
    """A value drawn as a dotted line across."""
    ring: Point | None = None
    """A point marked by a ring."""

    @cached_property
    def x_scale(self) -> LogScale:
        """The scale of the x-axis."""
        return LogScale(self.x_ticks[0], self.x_ticks[-1], self.frame)

    @cached_property
    def y_scale(self) -> LinearScale:
        """The scale of the y-axis."""
        single = [s.points[0].y for s in self.series if len(s.points) == 1 or s.level]
        fixed = [
            value
            for s in self.series
            if len(s.points) > 1 and not s.level
            for p in s.points
            for value in (p.y, p.low, p.high)
            if value is not None
        ]
        fixed += [] if self.target is None else [self.target]
        return LinearScale(linear_ticks(visible_low(fixed, single), max([*fixed, *single])), self.frame)

    @property
    def height(self) -> int:
        """Height in pixels, with the legend."""
        return self.frame.height + (_ROW * (1 + max(row for _, row, _ in self._legend)) if self._legend else 0)

    def svg(self, size: str = "") -> str:
        """Return the chart as an `<svg>` element; `size` replaces its `viewBox` attribute."""
        size = size or f'viewBox="0 0 {self.frame.width} {self.height}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(self.title)}">',
            f"<desc>{escape(self._describe())}</desc>",
            f'<text class="title" x="10" y="20">{escape(self.title)}</text>',
            *self._axes(),
            *(part for series in reversed(self.series) for part in self._draw(series)),  # the first one on top
            *(self._end_names() if self.labels is Labels.ENDS else ()),
            *(self._point_names() if self.labels is Labels.POINTS else ()),
            *(part for x, row, series in self._legend for part in self._legend_entry(x, row, series)),
            "</svg>",
        ]
        return "\n".join(parts)

    def format(self, value: float, digits: int) -> str:
        """Return a value of the y-axis as text."""
        return f"{100 * value:.{max(0, digits - 2)}f}%" if self.percent else f"{value:.{digits}f}"

    def _axes(self) -> Iterator[str]:
        frame, ticks = self.frame, self.y_scale.ticks
        digits = next(n for n in range(2, 9) if all(abs(round(tick, n) - tick) < 1e-9 for tick in ticks))
        label = self.y_label if ticks[0] == 0 else f"{self.y_label} (axis from {self.format(ticks[0], digits)})"
        middle = (frame.top + frame.plot_bottom) / 2
        yield f'<text class="label" transform="translate(16 {middle}) rotate(-90)">{escape(label)}</text>'
        for tick in ticks:
            y = self.y_scale.y(tick)
            yield f'<line class="grid" x1="{frame.left}" x2="{frame.plot_right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="tick right" x="{frame.left - 7}" y="{y + 4:.1f}">{self.format(tick, digits)}</text>'
        for tick in select_spaced(self.x_ticks, self.x_scale, _TICK_GAP):
            yield f'<text class="tick" x="{self.x_scale.x(tick):.1f}" y="{frame.plot_bottom + 18}">{tick:,.12g}</text>'
        middle = (frame.left + frame.plot_right) / 2
        yield f'<text class="label" x="{middle}" y="{frame.plot_bottom + 39}">{escape(self.x_label)}</text>'
        if self.target is not None:
            y = self.y_scale.y(self.target)
            yield f'<line class="target" x1="{frame.left}" x2="{frame.plot_right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        if self.ring is not None:
            x, y = self._place(self.ring)
            yield f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="9"/>'

    def _place(self, point: Point) -> tuple[float, float]:
        return self.x_scale.x(point.x), min(self.y_scale.y(point.y), self.frame.plot_bottom)

    def _is_clipped(self, series: Series) -> bool:
        return series.points[0].y < self.y_scale.ticks[0]

    def _draw(self, series: Series) -> Iterator[str]:
        places, tone = [self._place(point) for point in series.points], f"tone-{series.tone}"
        if any(point.low is not None for point in series.points):
            x_of, y_of = self.x_scale.x, self.y_scale.y
            upper = [(x_of(p.x), y_of(p.y if p.high is None else p.high)) for p in series.points]
            lower = [(x_of(p.x), y_of(p.y if p.low is None else p.low)) for p in reversed(series.points)]
            yield f'<polygon class="band {tone}" points="{_join([*upper, *lower])}"/>'
        if series.level:
            places = [(float(self.frame.left), places[0][1]), (float(self.frame.plot_right), places[0][1])]
        if series.line and len(places) > 1 and not self._is_clipped(series):
            yield f'<polyline class="curve {series.line} {tone}" points="{_join(places)}"/>'
        if series.starts_at is not None:
            (x, y) = places[0]
            yield f'<polyline class="leader {tone}" points="{_join([(self.x_scale.x(series.starts_at), y), (x, y)])}"/>'
        for place, point in zip(places[1:] if series.level else places, series.points, strict=False):
            yield _dot(*place, series, point.tip)
        if self.labels is Labels.VALUES and len(self.series) == 1:
            shown = select_spaced([point.x for point in series.points], self.x_scale, 40)
            for point in (point for point in series.points if point.x in shown):
                y = self.y_scale.y(point.y if point.high is None else point.high) - 8
                yield _text(self.x_scale.x(point.x), y, self.format(point.y, 3), "value")

    def _end_names(self) -> Iterator[str]:
        """Label every series on the right: a leader from its end to its name and last value."""
        frame, edge = self.frame, self.frame.plot_right
        ends = [self._place(series.points[-1]) for series in self.series]
        heights = place_in_column([y for _, y in ends], _NAME_GAP, frame.top, frame.plot_bottom)
        for series, (x, y), height in zip(self.series, ends, heights, strict=True):
            start = edge if series.level else x
            yield _leader([(start + 6, y), (edge + 7, y), (edge + 14, height)], series.tone)
            yield _dot(edge + 20, height, series)
            below = " ↓" if self._is_clipped(series) else ""
            text = f"{series.name} {self.format(series.points[-1].y, 3)}{below}"
            yield _text(edge + 28, height + 4, text, f"name left tone-{series.tone}")

    def _point_names(self) -> Iterator[str]:
        """Label the first point of every named series, clear of all points and of each other."""
        frame = self.frame
        named = [series for series in self.series if series.name]
        points = [self._place(series.points[0]) for series in named]
        texts = [s.name + (f" {self.format(s.points[0].y, 3)} ↓" if self._is_clipped(s) else "") for s in named]
        marks = [self._place(point) for series in self.series for point in series.points]
        taken = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in marks]
        for series, (x, y) in zip(named, points, strict=True):
            if series.starts_at is not None:
                taken.append(Box(self.x_scale.x(series.starts_at), y - 1, x, y + 1))
        within = Box(frame.left, frame.top - 16, frame.width - 4, frame.plot_bottom)
        for series, (x, y), text, box in zip(
            named, points, texts, place_around(points, texts, taken, within), strict=True
        ):
            to = min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)
            if (to[0] - x) ** 2 + (to[1] - y) ** 2 > 13**2:  # far enough to be ambiguous
                yield _leader([(x, y), to], series.tone)
            yield _text((box.left + box.right) / 2, (box.top + box.bottom) / 2 + 4, text, f"name tone-{series.tone}")

    @cached_property
    def _legend(self) -> list[tuple[float, int, Series]]:
        """The x, row and an example of each entry, in rows below the plot."""
        x, row, placed = float(self.frame.left), 0, []
        if self.labels is Labels.VALUES:
            entries = {series.name: series for series in self.series if len(self.series) > 1}
        else:
            entries = {series.legend: series for series in self.series if series.legend}
        for text, series in entries.items():
            width = 46 + text_width(text)
            if x > self.frame.left and x + width > self.frame.width:
                x, row = float(self.frame.left), row + 1
            placed.append((x, row, series))
            x += width
        return placed

    def _legend_entry(self, x: float, row: int, series: Series) -> Iterator[str]:
        y = self.frame.height + 5 + _ROW * row
        if series.line:
            points = _join([(x, y), (x + 26, y)])
            yield f'<polyline class="curve {series.line} tone-{series.tone}" points="{points}"/>'
        yield _dot(x + 13, y, series)
        yield _text(x + 33, y + 4, series.legend or series.name, "left")

    def _describe(self) -> str:
        """Return the data in words, for screen readers."""
        ends = (
            f"{series.name} {self.format(series.points[0].y, 3)}"
            + (f" to {self.format(series.points[-1].y, 3)}" if len(series.points) > 1 and not series.level else "")
            for series in self.series
        )
        return f"{self.y_label} by {self.x_label}: {'; '.join(ends)}."


def write_picture(path: Path, charts: Sequence[Chart], *, overwrite: bool = False) -> None:
    """Write charts below each other as one SVG file that follows the viewer's light or dark setting."""
    heights = [chart.height for chart in charts]
    width = max(chart.frame.width for chart in charts)
    size = f'width="{width}" height="{sum(heights)}" style="max-width: 100%; height: auto"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {sum(heights)}">',
        f"<style>{COLOURS}{STYLE}</style>",
        '<rect width="100%" height="100%" fill="var(--card)"/>',
        *(
            chart.svg(size=f'y="{sum(heights[:at])}" width="{width}" height="{heights[at]}"')
            for at, chart in enumerate(charts)
        ),
        "</svg>\n",
    ]
    with atomic_file(path, overwrite=overwrite) as partial:
        partial.write_text("\n".join(parts), encoding="utf-8")


def _join(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _dot(x: float, y: float, series: Series, tip: str = "") -> str:
    title = f"<title>{escape(tip)}</title>" if tip else ""
    css = f"{'hollow' if series.hollow else 'dot'} tone-{series.tone}"
    return f'<path class="{css}" d="{series.marker}" transform="translate({x:.1f} {y:.1f})">{title}</path>'


def _leader(places: Sequence[tuple[float, float]], tone: int) -> str:
    return f'<polyline class="leader tone-{tone}" points="{_join(places)}"/>'


def _text(x: float, y: float, text: str, css: str) -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
