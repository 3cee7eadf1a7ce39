"""Ctrl-C, SIGTERM and SIGHUP as requests to stop at the next safe point; a second signal takes effect at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class StoppedError(Exception):
    """A stop was requested during an evaluation, which a resumed run repeats."""


class StopRequest:
    """Context manager in which the first signal sets `made`; in the main thread alone, where Python delivers signals.

    An ignored signal, such as SIGHUP under nohup, stays ignored.

    >>> with StopRequest() as stop:
    ...     stop.made
    False
    """

    def __init__(self) -> None:
        self.made = False
        self.number: int | None = None  # of the signal received
        self._handlers: dict[int, Any] = {}

    def check(self) -> None:
        """Raise StoppedError if a signal was received."""
        if self.made:
            raise StoppedError

    def deliver(self) -> None:
        """Raise the received signal again, for its usual effect; call this when everything is saved."""
        if self.number is not None:
            signal.raise_signal(self.number)

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is signal.SIG_IGN:
                    continue
                previous = signal.signal(number, self._receive)  # None: set by a C library
                self._handlers[number] = signal.SIG_DFL if previous is None else previous
        return self

    def __exit__(self, *_: object) -> None:
        self._restore_handlers()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.made, self.number = True, number
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
