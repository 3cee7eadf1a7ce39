"""What a run tells while it goes: to a progress bar, a log, a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Phase = Literal["tuning", "search", "final"]


@dataclass(frozen=True)
class PhaseStart:
    """Training begins.

    `tuning` tries a regularization, `search` finds the epoch on validation data, `final` trains on all data up to it.
    """

    phase: Phase
    epochs: int  # at most
    n_positives: int  # per epoch
    position: int  # positives of this phase done already, in a resumed run


@dataclass(frozen=True)
class EpochReport:
    """What is known after an epoch."""

    phase: Phase
    epoch: int  # epochs done, from 1
    loss: float  # mean over positives
    positives_per_second: float
    metrics: dict[int, dict[str, float]] | None = None  # width -> label -> value, where validation was ranked
    value: float | None = None  # the metric that chooses the epoch, averaged over widths
    best: bool = False  # the best value so far


@runtime_checkable
class Callback(Protocol):
    """Told of each step; every method returns quickly and raises nothing."""

    def phase_started(self, start: PhaseStart) -> None:
        """Hear that a phase begins."""

    def advanced(self, n_positives: int) -> None:
        """Hear that this many positives more are done."""

    def epoch_done(self, report: EpochReport) -> None:
        """Hear that an epoch ends."""

    def note(self, sentence: str) -> None:
        """Hear something the user should know."""


class NullCallback:
    """Hears everything, says nothing."""

    def phase_started(self, start: PhaseStart) -> None:
        """Say nothing."""

    def advanced(self, n_positives: int) -> None:
        """Say nothing."""

    def epoch_done(self, report: EpochReport) -> None:
        """Say nothing."""

    def note(self, sentence: str) -> None:
        """Say nothing."""
