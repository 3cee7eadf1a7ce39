"""A line chart over widths as SVG text: log2 across, 95% bands, values at the points; colours come from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 380, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 22, 44, 50
_LEAST_GAP = 26  # pixels between labels
_STEPS = (1, 2, 2.5, 5, 10)


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


@dataclass(frozen=True)
class Chart:
    """Lines over the same widths, on one scale from 0."""

    title: str
    y_label: str
    lines: tuple[Line, ...]
    percent: bool = False

    def svg(self) -> str:
        """Return the chart as an `<svg>` element."""
        scale = Scale.over(self.lines)
        parts = [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">',
            f'<text class="title" x="10" y="20">{escape(self.title)}</text>',
            *self._grid(scale),
            *self._widths(scale),
            *(part for line in self.lines for part in self._line(line, scale)),
            *self._legend(),
            "</svg>",
        ]
        return "\n".join(parts)

    def shown(self, value: float, digits: int) -> str:
        """Return a value of the scale as text."""
        if self.percent:
            return f"{100 * value:.{max(0, digits - 2)}f}%"
        return f"{value:.{digits}f}"

    def _grid(self, scale: Scale) -> list[str]:
        middle = (_TOP + HEIGHT - _BOTTOM) / 2
        parts = [f'<text class="label" transform="translate(14 {middle}) rotate(-90)">{escape(self.y_label)}</text>']
        for tick in scale.ticks:
            y = scale.y(tick)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text class="tick right" x="{_LEFT - 7}" y="{y + 4:.1f}">{self.shown(tick, 2)}</text>')
        return parts

    def _widths(self, scale: Scale) -> list[str]:
        y = HEIGHT - _BOTTOM + 18
        shown = _spaced(scale.widths, scale)
        ticks = [f'<text class="tick" x="{scale.x(width):.1f}" y="{y}">{width}</text>' for width in shown]
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        return [
            *ticks,
            f'<text class="label" x="{middle}" y="{HEIGHT - 10}">width: numbers per vector (log2 scale)</text>',
        ]

    def _line(self, line: Line, scale: Scale) -> list[str]:
        places = [(scale.x(point.width), scale.y(point.value)) for point in line.points]
        upper = [f"{scale.x(p.width):.1f},{scale.y(p.high):.1f}" for p in line.points]
        lower = [f"{scale.x(p.width):.1f},{scale.y(p.low):.1f}" for p in reversed(line.points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        tone = f"line-{line.tone}"
        dots = [
            f'<circle class="dot {tone}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
            f"<title>{self._tip(line, point)}</title></circle>"
            for (x, y), point in zip(places, line.points, strict=True)
        ]
        return [
            f'<polygon class="band {tone}" points="{" ".join(upper + lower)}"/>',
            f'<polyline class="curve {tone}" points="{path}"/>',
            *dots,
            *(self._values(line, scale) if len(self.lines) == 1 else ()),
        ]

    def _values(self, line: Line, scale: Scale) -> list[str]:
        shown = set(_spaced([point.width for point in line.points], scale))
        return [
            f'<text class="value" x="{scale.x(p.width):.1f}" y="{scale.y(p.high) - 9:.1f}">'
            f"{self.shown(p.value, 3)}</text>"
            for p in line.points
            if p.width in shown
        ]

    def _legend(self) -> list[str]:
        if len(self.lines) == 1:
            return []
        parts, x, y = [], WIDTH - _RIGHT - 96, HEIGHT - _BOTTOM - 12 - 18 * (len(self.lines) - 1)
        for place, line in enumerate(self.lines):
            at = y + 18 * place
            parts.append(f'<line class="curve line-{line.tone}" x1="{x}" x2="{x + 18}" y1="{at}" y2="{at}"/>')
            parts.append(f'<text class="tick left" x="{x + 24}" y="{at + 4}">{escape(line.name)}</text>')
        return parts

    def _tip(self, line: Line, point: Point) -> str:
        interval = (
            f" (95%: {self.shown(point.low, 4)} to {self.shown(point.high, 4)})" if point.low < point.high else ""
        )
        return escape(f"{line.name} at width {point.width}: {self.shown(point.value, 4)}{interval}")


@dataclass(frozen=True)
class Scale:
    """From widths and values to pixels."""

    widths: tuple[int, ...]
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, lines: Sequence[Line]) -> Scale:
        """Return the scale that shows all points of the lines."""
        widths = tuple(sorted({point.width for line in lines for point in line.points}))
        return cls(widths, ticks_to(max(point.high for line in lines for point in line.points)))

    def x(self, width: int) -> float:
        """Return the distance from the left; a single width stands in the middle."""
        first, last = math.log2(self.widths[0]), math.log2(self.widths[-1])
        share = (math.log2(width) - first) / (last - first) if last > first else 0.5
        inset = 22  # the first and last points keep clear of the frame
        return _LEFT + inset + share * (WIDTH - _LEFT - _RIGHT - 2 * inset)

    def y(self, value: float) -> float:
        """Return the distance from the top."""
        return HEIGHT - _BOTTOM - value / self.ticks[-1] * (HEIGHT - _TOP - _BOTTOM)


def ticks_to(highest: float) -> tuple[float, ...]:
    """Return round numbers from 0 to the first that is not below the highest; 4 to 6 of them as a rule.

    >>> ticks_to(0.37)
    (0.0, 0.1, 0.2, 0.3, 0.4)
    """
    if highest <= 0:
        return (0.0, 1.0)
    power = 10.0 ** math.floor(math.log10(highest / 4))
    step = next(size * power for size in _STEPS if highest / (size * power) <= 5)
    n = math.ceil(highest / step - 1e-9)
    return tuple(round(place * step, 12) for place in range(n + 1))


def _spaced(widths: Sequence[int], scale: Scale) -> list[int]:
    """Return the widths whose labels do not touch, from the widest down."""
    shown: list[int] = []
    for width in sorted(widths, reverse=True):
        if not shown or scale.x(shown[-1]) - scale.x(width) >= _LEAST_GAP:
            shown.append(width)
    return shown
