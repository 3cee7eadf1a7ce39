"""Chart scales: the plot area in pixels, logarithmic x-axes, and y-axes whose range fits the data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)
_INSET = 22  # pixels between the first and last points and the plot's edges


@dataclass(frozen=True)
class Frame:
    """Size of a chart and the margins around its plot area, in pixels."""

    width: int
    height: int
    left: int = 68
    right: int = 18
    top: int = 40
    bottom: int = 50

    @property
    def plot_right(self) -> int:
        """Right edge of the plot area."""
        return self.width - self.right

    @property
    def plot_bottom(self) -> int:
        """Bottom edge of the plot area."""
        return self.height - self.bottom


SMALL = Frame(400, 300)


@dataclass(frozen=True)
class LogScale:
    """A logarithmic x-axis."""

    low: float
    high: float
    frame: Frame

    def x(self, value: float) -> float:
        """Return the x-coordinate of a value; a single value is in the middle."""
        left, span = self.frame.left + _INSET, self.frame.plot_right - self.frame.left - 2 * _INSET
        if self.low == self.high:
            return left + span / 2
        return left + span * math.log(value / self.low) / math.log(self.high / self.low)


@dataclass(frozen=True)
class LinearScale:
    """A linear y-axis from its first tick to its last."""

    ticks: tuple[float, ...]
    frame: Frame

    def y(self, value: float) -> float:
        """Return the y-coordinate of a value."""
        share = (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return self.frame.plot_bottom - share * (self.frame.plot_bottom - self.frame.top)


def linear_ticks(low: float, high: float) -> tuple[float, ...]:
    """Return round numbers from at most `low` to at least `high`; from 0 if that takes little of the axis.

    >>> linear_ticks(0.05, 0.37)
    (0.0, 0.1, 0.2, 0.3, 0.4)
    >>> linear_ticks(0.61, 0.98)
    (0.6, 0.7, 0.8, 0.9, 1.0)
    """
    if high <= 0:
        return (0.0, 1.0)
    if low < (high - low) / 4 or low == high:
        low = 0.0
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(size * power for size in _STEPS if (high - low) / (size * power) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(at * step, 12) for at in range(first, last + 1))


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Return powers of ten that enclose both values; also 2 and 5 times them if there are few.

    >>> log_ticks(0.03, 40), log_ticks(3, 40)
    ((0.01, 0.1, 1.0, 10.0, 100.0), (2.0, 5.0, 10.0, 20.0, 50.0))
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = range(first, max(last, first + 1) + 1)
    if len(powers) > 3:
        return tuple(10.0**power for power in powers)
    fine = [size * 10.0**power for power in powers for size in (1, 2, 5)]
    below = max(tick for tick in fine if tick <= low * (1 + 1e-9))
    above = min((tick for tick in fine if tick >= high * (1 - 1e-9) and tick > below), default=fine[-1])
    return tuple(tick for tick in fine if below <= tick <= above)


def select_spaced(values: Iterable[float], scale: LogScale, gap: float) -> list[float]:
    """Return the values that are at least `gap` pixels apart, from the largest down."""
    selected: list[float] = []
    for value in sorted(set(values), reverse=True):
        if not selected or scale.x(selected[-1]) - scale.x(value) >= gap:
            selected.append(value)
    return selected


def visible_low(values: Sequence[float], clippable: Sequence[float]) -> float:
    """Return where a y-axis begins: below it are only clippable outliers, further from the others than these spread.

    >>> visible_low([0.20, 0.24], [0.06, 0.19])
    0.19
    """
    shown = sorted([*values, *clippable])
    for at, low in enumerate(shown[:-3]):
        if low in values or shown[at + 1] - low <= shown[-1] - shown[at + 1]:
            return low
    return shown[max(0, len(shown) - 3)]
