"""The schedule of a phase: epochs, learning rates, validation and early stopping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from nestrec.arguments import check_range
from nestrec.errors import OptionError
from nestrec.widths import Widths


@dataclass(frozen=True)
class Schedule:
    """How many epochs a phase takes, at which learning rates, and when it validates."""

    epochs: int  # over which the learning rate falls linearly
    stop_after: int  # epochs to run
    learning_rate: float
    final_learning_rate: float
    evaluate_every: int  # epochs
    patience: int  # evaluations without a better value before stopping
    level_starts: tuple[float, ...]  # share of `epochs` after which each level is trained, ascending from 0

    def n_levels(self, epoch: int) -> int:
        """Return how many levels, from the narrowest on, an epoch trains, counted from 0."""
        return sum(epoch >= round(start * self.epochs) for start in self.level_starts)

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        share = epoch / max(1, self.epochs - 1)
        return self.learning_rate + share * (self.final_learning_rate - self.learning_rate)

    def evaluates_after(self, epoch: int) -> bool:
        """Return whether to validate after this many epochs."""
        return epoch % self.evaluate_every == 0 or epoch == self.stop_after


def check_level_starts(starts: Sequence[float], widths: Widths) -> tuple[float, ...]:
    """Return the shares of the epochs after which levels start; raise OptionError if they do not fit the widths.

    >>> check_level_starts([0, 0.2], Widths((4, 8)))
    (0.0, 0.2)
    """
    rule = "level_starts must be numbers from 0 to 0.9, one per width, ascending from 0"
    if not isinstance(starts, Sequence) or isinstance(cast("object", starts), str):
        raise OptionError(f"{rule}; got {starts!r} (for example (0, 0.1, 0.2))", option="level_starts")
    for start in starts:
        check_range("level_starts", start, 0, 0.9, 0.1)
    values = tuple(map(float, starts))
    if len(values) != len(widths) or list(values) != sorted(values) or values[0] != 0:
        given = ",".join(map("{:g}".format, values))
        raise OptionError(f"{rule}; got {given} for {len(widths)} widths", option="level_starts")
    return values
