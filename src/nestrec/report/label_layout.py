"""Placement of chart labels without overlap: in a column beside the plot, or around points.

A column minimizes squared distances to the desired heights with a minimum gap, in the order of these heights; after
subtracting the gaps this is isotonic regression (Barlow et al. 1972). Around points, each label takes the first free
place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

_CHARACTER = 7.0  # pixels at the font size of charts
_LINE = 14.0
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
_DISTANCES = (9, 18, 28, 40, 54, 70)


class Box(NamedTuple):
    """A rectangle, in pixels from the top left."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Return the area of the overlap."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, down)


def place_in_column(heights: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Return heights near the desired ones, in their order, at least `gap` apart; closer if they do not all fit.

    >>> place_in_column([50, 20, 50], 10, 0, 100)
    [45.0, 20.0, 55.0]
    """
    from scipy.optimize import isotonic_regression

    if not heights:
        return []
    order = np.argsort(np.asarray(heights, dtype=np.float64), kind="stable")
    gap = min(gap, (bottom - top) / max(1, len(heights) - 1))
    steps = gap * np.arange(len(heights))
    fitted = isotonic_regression(np.asarray(heights, dtype=np.float64)[order] - steps).x
    placed = np.empty(len(heights))
    placed[order] = np.clip(fitted, top, bottom - steps[-1]) + steps
    return placed.tolist()


def place_around(
    points: Sequence[tuple[float, float]], texts: Sequence[str], taken: Sequence[Box], within: Box
) -> list[Box]:
    """Return a box for the text of each point, clear of the other labels and of `taken` if there is room.

    Points with close neighbours choose first, because they have the fewest free places.
    """
    marks = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    occupied, boxes = [*taken, *marks], dict[int, Box]()
    for at in sorted(range(len(points)), key=lambda at: _distance_to_nearest(points, at)):
        candidates = _candidates(points[at], texts[at], within)
        boxes[at] = min(candidates, key=lambda box: sum(box.overlap(other) for other in occupied))
        occupied.append(boxes[at])
    return [boxes[at] for at in range(len(points))]


def _distance_to_nearest(points: Sequence[tuple[float, float]], at: int) -> float:
    x, y = points[at]
    others = [(x - a) ** 2 + (y - b) ** 2 for place, (a, b) in enumerate(points) if place != at]
    return min(others, default=0.0)


def _candidates(point: tuple[float, float], text: str, within: Box) -> Iterator[Box]:
    """Yield the boxes around a point that are inside, nearest first."""
    (x, y), width = point, text_width(text)
    for distance in _DISTANCES:
        for across, down in _DIRECTIONS:
            left = x - width / 2 + across * (width / 2 + distance)
            top = y - _LINE / 2 + down * (_LINE / 2 + distance * (0.6 if across else 1.0))
            box = Box(left, top, left + width, top + _LINE)
            if box.left >= within.left and box.right <= within.right and box.top >= within.top and box.bottom <= within.bottom:  # fmt: skip # noqa: E501
                yield box


def text_width(text: str) -> float:
    """Return the approximate width of a label in pixels."""
    return _CHARACTER * len(text) + 4
