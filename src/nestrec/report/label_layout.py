"""Where labels stand so that none covers another: in a column beside a chart, or around points.

A column is a least squares problem: labels in the order of their lines, a gap apart, as near to them as can be. Less
the gaps below it each label may stand no lower than the one before, which is isotonic regression (Barlow et al. 1972).
Around points there is no such order; each point in turn takes the first place around it that is free.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

_CHARACTER = 7.0  # pixels, at the charts' font size
_LINE = 14.0
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
_DISTANCES = (9, 18, 28, 40, 54, 70)


class Box(NamedTuple):
    """A rectangle, in pixels from the top left."""

    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: Box) -> float:
        """Return the area that both cover."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)

    @property
    def middle(self) -> tuple[float, float]:
        """The middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def in_column(wanted: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Return places from top to bottom, at least `gap` apart and near those wanted, in the order given.

    Where they do not all fit, they stand closer.

    >>> in_column([50, 20, 50], 10, 0, 100)
    [45.0, 20.0, 55.0]
    """
    from scipy.optimize import isotonic_regression

    if not wanted:
        return []
    order = np.argsort(np.asarray(wanted, dtype=np.float64), kind="stable")
    gap = min(gap, (bottom - top) / max(1, len(wanted) - 1))
    steps = gap * np.arange(len(wanted))
    fitted = isotonic_regression(np.asarray(wanted, dtype=np.float64)[order] - steps).x
    places = np.empty(len(wanted))
    places[order] = np.clip(fitted, top, bottom - steps[-1]) + steps
    return [float(place) for place in places]


def around(points: Sequence[tuple[float, float]], texts: Sequence[str], taken: Sequence[Box], within: Box) -> list[Box]:
    """Return a box for the text of each point, clear of the others and of what is taken where there is room.

    Points with neighbours nearby choose first, since they have the fewest places.
    """
    marks = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    occupied, found = [*taken, *marks], dict[int, Box]()
    for place in sorted(range(len(points)), key=lambda at: _crowding(points, at)):
        box = _freest(list(_places(points[place], texts[place], within)), occupied)
        occupied.append(box)
        found[place] = box
    return [found[place] for place in range(len(points))]


def _crowding(points: Sequence[tuple[float, float]], at: int) -> float:
    """Return the distance to the nearest other point."""
    x, y = points[at]
    others = [(x - a) ** 2 + (y - b) ** 2 for place, (a, b) in enumerate(points) if place != at]
    return min(others, default=0.0)


def _places(point: tuple[float, float], text: str, within: Box) -> Iterator[Box]:
    """Yield the boxes around a point that lie inside, nearest first."""
    (x, y), width = point, text_width(text)
    for distance in _DISTANCES:
        for across, down in _DIRECTIONS:
            left = x - width / 2 + across * (width / 2 + distance)
            top = y - _LINE / 2 + down * (_LINE / 2 + distance * (0.6 if across else 1.0))
            box = Box(left, top, left + width, top + _LINE)
            if box.left >= within.left and box.right <= within.right and box.top >= within.top and box.bottom <= within.bottom:  # fmt: skip # noqa: E501
                yield box


def _freest(boxes: Sequence[Box], occupied: Sequence[Box]) -> Box:
    return min(boxes, key=lambda box: sum(box.covers(other) for other in occupied))


def text_width(text: str) -> float:
    """Return about how many pixels a label takes across."""
    return _CHARACTER * len(text)
