"""Ctrl-C, SIGTERM and a lost terminal as a request to stop at the next safe place; a second signal ends it at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class StoppedError(Exception):
    """A stop was requested while held-out interactions were ranked: that is begun again when the run is resumed."""


class StopRequest:
    """While entered, the first signal sets `made`; outside the main thread, where Python delivers none, nothing does.

    A signal that is ignored, as SIGHUP is under nohup, stays ignored.

    >>> with StopRequest() as stop:
    ...     stop.made
    False
    """

    def __init__(self) -> None:
        self.made = False
        self.number: int | None = None  # of the signal that was heard
        self._former: dict[int, Any] = {}

    def check(self) -> None:
        """Raise StoppedError if a signal was heard."""
        if self.made:
            raise StoppedError

    def deliver(self) -> None:
        """Let the signal that was heard have the effect it would have had; to be called when all is kept."""
        if self.number is not None:
            signal.raise_signal(self.number)

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is signal.SIG_IGN:
                    continue
                former = signal.signal(number, self._hear)  # None where a C library, not Python, set the former one
                self._former[number] = signal.SIG_DFL if former is None else former
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self.made, self.number = True, number
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}
