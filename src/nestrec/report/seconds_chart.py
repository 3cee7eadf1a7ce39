"""Quality against training seconds as SVG text: a named point a model, seconds on log10, values from 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nestrec.report.label_layout import Box, around
from nestrec.report.scales import Frame, SecondsScale
from nestrec.report.svg import Marker, across, dot, grid, leader, name_text, opened

_FRAME = Frame(580, 480, right=28)
_LEAST_SECONDS = 0.001  # what is faster stands here: log10 has no 0


@dataclass(frozen=True)
class Spot:
    """A model: what it reaches, and the seconds its training takes."""

    name: str
    seconds: float  # to have it at every width
    value: float
    one_fit: float | None = None  # seconds of its longest single fit, where it needs several
    tone: int = 0
    marker: Marker = Marker.CIRCLE

    @property
    def place(self) -> float:
        """Seconds as drawn."""
        return max(self.seconds, _LEAST_SECONDS)

    @property
    def tail(self) -> float:
        """Where the thin line to the left ends, in seconds; the place itself where there is none."""
        return self.place if self.one_fit is None else max(self.one_fit, _LEAST_SECONDS)


@dataclass(frozen=True)
class SecondsChart:
    """Models on one scale from 0."""

    title: str
    y_label: str
    spots: tuple[Spot, ...]

    @property
    def scale(self) -> SecondsScale:
        """The scale that shows all spots and their tails."""
        return SecondsScale.over([(at, spot.value) for spot in self.spots for at in (spot.tail, spot.place)], _FRAME)

    def svg(self) -> str:
        """Return the chart as an `<svg>` element."""
        scale = self.scale
        ticks = [(scale.x(tick), f"{tick:,.12g}") for tick in scale.seconds]
        parts = [
            *opened(_FRAME, self.title, self._description()),
            *grid(_FRAME, self.y_label, scale.ticks, lambda tick: f"{tick:.2f}"),
            *across(_FRAME, "training seconds to have every width (log10 scale)", ticks),
            *(part for spot in reversed(self.spots) for part in _drawn(spot, scale)),
            *self._names(scale),
            "</svg>",
        ]
        return "\n".join(parts)

    def _names(self, scale: SecondsScale) -> Iterator[str]:
        points = [(scale.x(spot.place), scale.y(spot.value)) for spot in self.spots]
        tails = [_tail_box(spot, scale) for spot in self.spots if spot.one_fit is not None]
        within = Box(_FRAME.left, _FRAME.top - 14, _FRAME.width - 4, _FRAME.plot_bottom)
        boxes = around(points, [spot.name for spot in self.spots], tails, within)
        for spot, (x, y), box in zip(self.spots, points, boxes, strict=True):
            middle_x, middle_y = box.middle
            to_x = min(max(x, box.left), box.right)
            to_y = min(max(y, box.top), box.bottom)
            if (to_x - x) ** 2 + (to_y - y) ** 2 > 13**2:  # far enough to doubt whose name it is
                yield leader([(x, y), (to_x, to_y)], spot.tone)
            yield name_text(middle_x, middle_y, spot.name, spot.tone, "middle")

    def _description(self) -> str:
        spots = (f"{spot.name} {spot.value:.3f} in {spot.seconds:.3g} seconds" for spot in self.spots)
        return f"{self.y_label} and training seconds: {'; '.join(spots)}."


def _drawn(spot: Spot, scale: SecondsScale) -> Iterator[str]:
    x, y = scale.x(spot.place), scale.y(spot.value)
    told = f"{spot.name}: {spot.value:.4f} in {spot.seconds:.3g} seconds"
    if spot.one_fit is not None:
        yield f'<line class="tail line-{spot.tone}" x1="{scale.x(spot.tail):.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'  # noqa: E501
        told += f", its longest single fit {spot.one_fit:.3g}"
    yield dot(x, y, spot.tone, spot.marker, told)


def _tail_box(spot: Spot, scale: SecondsScale) -> Box:
    y = scale.y(spot.value)
    return Box(scale.x(spot.tail), y - 1, scale.x(spot.place), y + 1)
