"""The schedule of a phase: epochs, learning rates, validation and early stopping."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """How many epochs a phase takes, at which learning rates, and when it validates."""

    epochs: int  # over which the learning rate falls linearly
    stop_after: int  # epochs to run
    learning_rate: float
    final_learning_rate: float
    evaluate_every: int  # epochs
    patience: int  # evaluations without a better value before stopping

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        share = epoch / max(1, self.epochs - 1)
        return self.learning_rate + share * (self.final_learning_rate - self.learning_rate)

    def evaluates_after(self, epoch: int) -> bool:
        """Return whether to validate after this many epochs."""
        return epoch % self.evaluate_every == 0 or epoch == self.stop_after
