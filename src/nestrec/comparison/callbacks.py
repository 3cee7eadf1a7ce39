"""Callbacks: objects notified of the progress of a comparison or a hyperparameter search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nestrec.errors import OptionError
from nestrec.logs import get_logger

_LOGGER = get_logger("comparison")


class ComparisonCallback:
    """Override the methods of the events you need; each should return quickly and raise nothing."""

    def on_start(self, n_fits: int) -> None:
        """Handle the start, with the maximum number of fits."""

    def on_step(self, description: str) -> None:
        """Handle the start of a step, such as `tuning ials at width 16`."""

    def on_progress(self, n_fits: int) -> None:
        """Handle that this many more fits are done, found in the log, or not needed."""

    def on_message(self, message: str) -> None:
        """Handle a message to the user."""


class _ComparisonLog(ComparisonCallback):
    """Log steps and messages by the logger `nestrec.comparison`."""

    def on_step(self, description: str) -> None:
        """Log the start of a step."""
        _LOGGER.info("%s", description)

    def on_message(self, message: str) -> None:
        """Log a message."""
        _LOGGER.info("%s", message)


_LOG = _ComparisonLog()


@dataclass(frozen=True)
class ComparisonCallbackList(ComparisonCallback):
    """Forward every event to several callbacks, in order."""

    callbacks: Sequence[ComparisonCallback]

    @classmethod
    def of(cls, callbacks: ComparisonCallback | Sequence[ComparisonCallback]) -> ComparisonCallbackList:
        """Return one callback or several as one; raise OptionError for other objects."""
        several = tuple(callbacks) if isinstance(callbacks, (list, tuple)) else (callbacks,)
        if not all(isinstance(one, ComparisonCallback) for one in several):
            raise OptionError(
                f"callbacks must be objects of subclasses of nestrec.comparison.callbacks.ComparisonCallback, got "
                f"{callbacks!r}",
                option="callbacks",
            )
        return cls((_LOG, *several))

    def plus(self, others: Sequence[ComparisonCallback]) -> ComparisonCallbackList:
        """Return the callbacks with others after them."""
        return ComparisonCallbackList((*self.callbacks, *others))

    def on_start(self, n_fits: int) -> None:
        """Forward the start."""
        for callback in self.callbacks:
            callback.on_start(n_fits)

    def on_step(self, description: str) -> None:
        """Forward the start of a step."""
        for callback in self.callbacks:
            callback.on_step(description)

    def on_progress(self, n_fits: int) -> None:
        """Forward progress."""
        for callback in self.callbacks:
            callback.on_progress(n_fits)

    def on_message(self, message: str) -> None:
        """Forward a message."""
        for callback in self.callbacks:
            callback.on_message(message)
