"""The pieces that charts share as SVG text. Colours come from the page, by the CSS classes `line-0` to `line-3`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from html import escape

from nestrec.report.scales import Frame


class Marker(StrEnum):
    """The shape at a point; with the tone it tells lines apart without relying on colour."""

    CIRCLE = "circle"
    SQUARE = "square"
    TRIANGLE = "triangle"
    DIAMOND = "diamond"
    WEDGE = "wedge"
    CROSS = "cross"


# Paths around 0, about as large as a circle of radius 3.5.
_PATHS = {
    Marker.SQUARE: "M-3.2-3.2h6.4v6.4h-6.4z",
    Marker.TRIANGLE: "M0-4.4L4.2 3.2H-4.2z",
    Marker.DIAMOND: "M0-4.7L4.7 0L0 4.7L-4.7 0z",
    Marker.WEDGE: "M0 4.4L4.2-3.2H-4.2z",
    Marker.CROSS: "M-1.3-4.2h2.6v2.9h2.9v2.6h-2.9v2.9h-2.6v-2.9h-2.9v-2.6h2.9z",
}


def opened(frame: Frame, title: str, description: str) -> list[str]:
    """Return the head of a drawing, with what those hear who cannot see it."""
    return [
        f'<svg viewBox="0 0 {frame.width} {frame.height}" role="img" aria-label="{escape(title)}">',
        f"<desc>{escape(description)}</desc>",
        f'<text class="title" x="10" y="20">{escape(title)}</text>',
    ]


def grid(frame: Frame, y_label: str, ticks: Sequence[float], shown: Callable[[float], str]) -> list[str]:
    """Return the horizontal lines with their values, and the name of what they measure."""
    middle = (frame.top + frame.plot_bottom) / 2
    parts = [f'<text class="label" transform="translate(14 {middle}) rotate(-90)">{escape(y_label)}</text>']
    for tick in ticks:
        y = frame.up(tick / ticks[-1])
        parts.append(f'<line class="grid" x1="{frame.left}" x2="{frame.plot_right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick right" x="{frame.left - 7}" y="{y + 4:.1f}">{escape(shown(tick))}</text>')
    return parts


def across(frame: Frame, label: str, ticks: Sequence[tuple[float, str]]) -> list[str]:
    """Return the axis below: texts at their distances from the left, and the name of what they measure."""
    y, middle = frame.plot_bottom + 18, (frame.left + frame.plot_right) / 2
    return [
        *(f'<text class="tick" x="{x:.1f}" y="{y}">{escape(text)}</text>' for x, text in ticks),
        f'<text class="label" x="{middle}" y="{frame.height - 10}">{escape(label)}</text>',
    ]


def dot(x: float, y: float, tone: int, marker: Marker = Marker.CIRCLE, tip: str | None = None) -> str:
    """Return a point, with what is told where one rests on it."""
    told = "" if tip is None else f"<title>{escape(tip)}</title>"
    css = f'class="dot line-{tone}"'
    if marker is Marker.CIRCLE:
        return f'<circle {css} cx="{x:.1f}" cy="{y:.1f}" r="3.5">{told}</circle>'
    return f'<path {css} d="{_PATHS[marker]}" transform="translate({x:.1f} {y:.1f})">{told}</path>'


def leader(places: Sequence[tuple[float, float]], tone: int) -> str:
    """Return the thin line from a point to its label, by way of these places."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline class="leader line-{tone}" points="{path}"/>'


def name_text(x: float, y: float, text: str, tone: int, css: str = "left") -> str:
    """Return a label in its line's colour, its middle at this height."""
    return f'<text class="name {css} line-{tone}" x="{x:.1f}" y="{y + 4:.1f}">{escape(text)}</text>'
