"""A line chart over widths as SVG text: log2 across, 95% bands, values at the points; colours come from the page.

Few lines are told apart by a legend; many by names beside their ends, `named_at_end`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from nestrec.report.label_layout import in_column
from nestrec.report.scales import SMALL, Frame, Scale, spaced
from nestrec.report.svg import Marker, across, dot, grid, leader, name_text, opened

_LEAST_GAP = 26  # pixels between labels across
_NAME_GAP = 15  # pixels between names up and down
_TO_NAMES = 26  # pixels from the plot to the names beside it
LARGE = Frame(580, 480, right=172)  # with room for names


@dataclass(frozen=True)
class Point:
    """A value at a width, with its interval; without one, low and high are the value."""

    width: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """A named series, drawn in the colour of CSS class `line-{tone}`."""

    name: str
    points: tuple[Point, ...]
    tone: int = 0
    marker: Marker = Marker.CIRCLE
    level: bool = False  # a value that has no width: a dashed line across
    banded: bool = True  # whether its intervals are drawn


@dataclass(frozen=True)
class Chart:
    """Lines over the same widths, on one scale from 0."""

    title: str
    y_label: str
    lines: tuple[Line, ...]
    percent: bool = False
    named_at_end: bool = False

    @property
    def scale(self) -> Scale:
        """The scale that shows all points and bands."""
        points = [(p.width, p.high if line.banded else p.value) for line in self.lines for p in line.points]
        return Scale.over(points, LARGE if self.named_at_end else SMALL)

    def svg(self) -> str:
        """Return the chart as an `<svg>` element."""
        scale = self.scale
        widths = [(scale.x(width), str(width)) for width in spaced(scale.widths, scale, _LEAST_GAP)]
        parts = [
            *opened(scale.frame, self.title, self._description()),
            *grid(scale.frame, self.y_label, scale.ticks, lambda tick: self.shown(tick, 2)),
            *across(scale.frame, "width: numbers per vector (log2 scale)", widths),
            *(part for line in reversed(self.lines) for part in self._line(line, scale)),  # the first one on top
            *(self._names(scale) if self.named_at_end else self._legend(scale.frame)),
            "</svg>",
        ]
        return "\n".join(parts)

    def shown(self, value: float, digits: int) -> str:
        """Return a value of the scale as text."""
        if self.percent:
            return f"{100 * value:.{max(0, digits - 2)}f}%"
        return f"{value:.{digits}f}"

    def _line(self, line: Line, scale: Scale) -> Iterator[str]:
        tone, frame = f"line-{line.tone}", scale.frame
        if line.banded:
            upper = [f"{scale.x(p.width):.1f},{scale.y(p.high):.1f}" for p in line.points]
            lower = [f"{scale.x(p.width):.1f},{scale.y(p.low):.1f}" for p in reversed(line.points)]
            yield f'<polygon class="band {tone}" points="{" ".join(upper + lower)}"/>'
        if line.level:
            y = scale.y(line.points[0].value)
            yield f'<line class="curve level {tone}" x1="{frame.left}" x2="{frame.plot_right}" y1="{y:.1f}" y2="{y:.1f}"/>'  # noqa: E501
            yield dot(frame.plot_right, y, line.tone, line.marker, self._tip(line, line.points[0]))
            return
        path = " ".join(f"{scale.x(p.width):.1f},{scale.y(p.value):.1f}" for p in line.points)
        yield f'<polyline class="curve {tone}" points="{path}"/>'
        for point in line.points:
            yield dot(scale.x(point.width), scale.y(point.value), line.tone, line.marker, self._tip(line, point))
        if len(self.lines) == 1 and not self.named_at_end:
            yield from self._values(line, scale)

    def _values(self, line: Line, scale: Scale) -> Iterator[str]:
        shown = set(spaced([point.width for point in line.points], scale, _LEAST_GAP))
        for p in line.points:
            if p.width in shown:
                at = f'x="{scale.x(p.width):.1f}" y="{scale.y(p.high) - 9:.1f}"'
                yield f'<text class="value" {at}>{self.shown(p.value, 3)}</text>'

    def _legend(self, frame: Frame) -> Iterator[str]:
        if len(self.lines) == 1:
            return
        x, y = frame.plot_right - 96, frame.plot_bottom - 12 - 18 * (len(self.lines) - 1)
        for place, line in enumerate(self.lines):
            at = y + 18 * place
            yield f'<line class="curve line-{line.tone}" x1="{x}" x2="{x + 18}" y1="{at}" y2="{at}"/>'
            yield f'<text class="tick left" x="{x + 24}" y="{at + 4}">{escape(line.name)}</text>'

    def _names(self, scale: Scale) -> Iterator[str]:
        """Yield each line's name and last value beside its end, none over another."""
        frame = scale.frame
        heights = [scale.y(line.points[-1].value) for line in self.lines]
        places = in_column(heights, _NAME_GAP, frame.top, frame.plot_bottom)
        x = frame.plot_right + _TO_NAMES
        for line, height, place in zip(self.lines, heights, places, strict=True):
            end = frame.plot_right if line.level else scale.x(line.points[-1].width)
            yield leader([(end + 6, height), (frame.plot_right + 7, height), (x - 10, place)], line.tone)
            yield dot(x - 4, place, line.tone, line.marker)
            yield name_text(x + 5, place, f"{line.name} {self.shown(line.points[-1].value, 3)}", line.tone)

    def _description(self) -> str:
        ends = (
            f"{line.name} {self.shown(line.points[0].value, 3)}"
            + ("" if line.level else f" to {self.shown(line.points[-1].value, 3)}")
            for line in self.lines
        )
        widths = self.scale.widths
        return f"{self.y_label} from width {widths[0]} to width {widths[-1]}: {'; '.join(ends)}."

    def _tip(self, line: Line, point: Point) -> str:
        interval = (
            f" (95%: {self.shown(point.low, 4)} to {self.shown(point.high, 4)})" if point.low < point.high else ""
        )
        where = "at every width" if line.level else f"at width {point.width}"
        return f"{line.name} {where}: {self.shown(point.value, 4)}{interval}"
