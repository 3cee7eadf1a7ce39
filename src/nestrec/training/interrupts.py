"""Ctrl-C and SIGTERM as a request to stop at the next safe place; asked a second time, they interrupt at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """While entered, the first signal sets `made`; outside the main thread, where Python delivers none, nothing does.

    >>> with StopRequest() as stop:
    ...     stop.made
    False
    """

    def __init__(self) -> None:
        self.made = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                former = signal.signal(number, self._hear)  # None where a C library, not Python, set the former one
                self._former[number] = signal.SIG_DFL if former is None else former
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.made = True
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}
