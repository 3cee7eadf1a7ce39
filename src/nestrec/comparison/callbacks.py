"""What a comparison tells while it goes: to a progress bar, a log, a test."""

from __future__ import annotations

from typing import Protocol


class ComparisonCallback(Protocol):
    """Told of each step; every method returns quickly and raises nothing."""

    def planned(self, fits: int) -> None:
        """Hear how many fits there are at most."""

    def began(self, doing: str) -> None:
        """Hear what is being done, such as `tuning ials at width 16`."""

    def fitted(self, fits: int) -> None:
        """Hear that so many of the planned fits are done, found in the log, or no longer needed."""

    def note(self, sentence: str) -> None:
        """Hear something the user should know."""


class NullComparisonCallback:
    """Hears everything, says nothing."""

    def planned(self, fits: int) -> None:
        """Say nothing."""

    def began(self, doing: str) -> None:
        """Say nothing."""

    def fitted(self, fits: int) -> None:
        """Say nothing."""

    def note(self, sentence: str) -> None:
        """Say nothing."""
