"""Callbacks: objects notified of the progress of training, such as a progress bar, a log or a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

Phase = Literal["tuning", "search", "final"]


@dataclass(frozen=True)
class PhaseStart:
    """A phase of training starts.

    `tuning` tries a regularization, `search` finds the epoch on validation data, `final` trains on all data up to it.
    """

    phase: Phase
    epochs: int  # at most
    n_positives: int  # per epoch
    position: int  # positives of this phase done before, in a resumed run


@dataclass(frozen=True)
class EpochReport:
    """Loss and speed of an epoch, and the validation metrics where they were computed."""

    phase: Phase
    epoch: int  # epochs done, from 1
    loss: float  # mean over positives
    positives_per_second: float
    metrics: dict[int, dict[str, float]] | None = None  # width -> label -> value
    value: float | None = None  # the metric that chooses the epoch, averaged over widths
    best: bool = False  # the best value so far


@runtime_checkable
class Callback(Protocol):
    """Override the methods of the events you need; each should return quickly and raise nothing.

    >>> class PrintLoss(Callback):
    ...     def on_epoch_end(self, report):
    ...         print(report.epoch, report.phase)
    >>> from nestrec import Run, SyntheticData, Trainer
    >>> data = SyntheticData(n_users=200, n_items=160).generate(seed=1)
    >>> model = Trainer(widths=8, epochs=2).fit(data.interactions, validation=None, run=Run(callbacks=PrintLoss()))
    1 final
    2 final
    """

    def on_fit_start(self, options: Mapping[str, Any]) -> None:
        """Handle the start of training; `options` are all that choose the model, data-dependent ones resolved."""
        return

    def on_phase_start(self, start: PhaseStart) -> None:
        """Handle the start of a phase."""
        return

    def on_progress(self, n_positives: int) -> None:
        """Handle that this many more positives were trained."""
        return

    def on_epoch_end(self, report: EpochReport) -> None:
        """Handle the end of an epoch."""
        return

    def on_message(self, message: str) -> None:
        """Handle a message to the user."""
        return

    def on_fit_end(self, training: Mapping[str, Any] | None) -> None:
        """Handle the end: `training` is that section of the model's manifest, or None if an error ended training."""
        return


@dataclass(frozen=True)
class CallbackList(Callback):
    """Forward every event to several callbacks, in order."""

    callbacks: Sequence[Callback]

    def on_fit_start(self, options: Mapping[str, Any]) -> None:
        """Forward the start of training."""
        for callback in self.callbacks:
            callback.on_fit_start(options)

    def on_phase_start(self, start: PhaseStart) -> None:
        """Forward the start of a phase."""
        for callback in self.callbacks:
            callback.on_phase_start(start)

    def on_progress(self, n_positives: int) -> None:
        """Forward progress."""
        for callback in self.callbacks:
            callback.on_progress(n_positives)

    def on_epoch_end(self, report: EpochReport) -> None:
        """Forward the end of an epoch."""
        for callback in self.callbacks:
            callback.on_epoch_end(report)

    def on_message(self, message: str) -> None:
        """Forward a message."""
        for callback in self.callbacks:
            callback.on_message(message)

    def on_fit_end(self, training: Mapping[str, Any] | None) -> None:
        """Forward the end of training."""
        for callback in self.callbacks:
            callback.on_fit_end(training)
