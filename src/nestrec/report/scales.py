"""From figures to pixels: where a chart's frame lies, widths on log2, seconds on log10, values from 0."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)
_INSET = 22  # pixels by which the first and last points keep clear of the frame


@dataclass(frozen=True)
class Frame:
    """A drawing's size and the margins around its plot, in pixels."""

    width: int
    height: int
    left: int = 56
    right: int = 22
    top: int = 44
    bottom: int = 50

    @property
    def plot_right(self) -> int:
        """Where the plot ends on the right."""
        return self.width - self.right

    @property
    def plot_bottom(self) -> int:
        """Where the plot ends below."""
        return self.height - self.bottom

    def across(self, share: float) -> float:
        """Return the distance from the left of a share, 0 to 1, of the plot's width."""
        return self.left + _INSET + share * (self.plot_right - self.left - 2 * _INSET)

    def up(self, share: float) -> float:
        """Return the distance from the top of a share, 0 to 1, of the plot's height."""
        return self.plot_bottom - share * (self.plot_bottom - self.top)


SMALL = Frame(380, 280)


@dataclass(frozen=True)
class Scale:
    """Widths across, values up."""

    widths: tuple[int, ...]
    ticks: tuple[float, ...]
    frame: Frame = SMALL

    @classmethod
    def over(cls, points: Iterable[tuple[int, float]], frame: Frame = SMALL) -> Scale:
        """Return the scale that shows all points, each a width and a value."""
        shown = list(points)
        return cls(tuple(sorted({width for width, _ in shown})), ticks_to(max(value for _, value in shown)), frame)

    def x(self, width: int) -> float:
        """Return the distance from the left; a single width stands in the middle."""
        return self.frame.across(_share(math.log2(width), math.log2(self.widths[0]), math.log2(self.widths[-1])))

    def y(self, value: float) -> float:
        """Return the distance from the top."""
        return self.frame.up(value / self.ticks[-1])


@dataclass(frozen=True)
class SecondsScale:
    """Seconds across, values up."""

    seconds: tuple[float, ...]  # ticks, ascending
    ticks: tuple[float, ...]
    frame: Frame = SMALL

    @classmethod
    def over(cls, points: Iterable[tuple[float, float]], frame: Frame = SMALL) -> SecondsScale:
        """Return the scale that shows all points, each seconds above 0 and a value."""
        shown = list(points)
        seconds = [at for at, _ in shown]
        return cls(log_ticks(min(seconds), max(seconds)), ticks_to(max(value for _, value in shown)), frame)

    def x(self, seconds: float) -> float:
        """Return the distance from the left."""
        return self.frame.across(_share(math.log10(seconds), math.log10(self.seconds[0]), math.log10(self.seconds[-1])))

    def y(self, value: float) -> float:
        """Return the distance from the top."""
        return self.frame.up(value / self.ticks[-1])


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


def log_ticks(lowest: float, highest: float) -> tuple[float, ...]:
    """Return powers of ten around both; 2 and 5 times them too where there are few.

    >>> log_ticks(0.03, 40), log_ticks(3, 40)
    ((0.01, 0.1, 1.0, 10.0, 100.0), (2.0, 5.0, 10.0, 20.0, 50.0))
    """
    first, last = math.floor(math.log10(lowest)), math.ceil(math.log10(highest))
    powers = range(first, max(last, first + 1) + 1)
    if len(powers) > 3:
        return tuple(10.0**power for power in powers)
    fine = [size * 10.0**power for power in powers for size in (1, 2, 5)]
    below = max(tick for tick in fine if tick <= lowest)
    above = min((tick for tick in fine if tick >= highest and tick > below), default=fine[-1])
    return tuple(tick for tick in fine if below <= tick <= above)


def spaced(widths: Sequence[int], scale: Scale, gap: float) -> list[int]:
    """Return the widths whose labels stand at least `gap` pixels apart, from the widest down."""
    shown: list[int] = []
    for width in sorted(widths, reverse=True):
        if not shown or scale.x(shown[-1]) - scale.x(width) >= gap:
            shown.append(width)
    return shown


def _share(value: float, first: float, last: float) -> float:
    return (value - first) / (last - first) if last > first else 0.5
