"""The access log: a JSON object per request, one a line, written in blocks so that a slow disk delays no answer."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from nestrec.serving.messages import encode
from nestrec.serving.trace import Trace

_EVERY = 0.25  # seconds
_MOST_WAITING = 100_000  # lines; more are dropped and counted


class AccessLog:
    """Collects lines and writes them from a thread; neither ids of users and items nor keys are part of a line."""

    def __init__(self, path: Path | None) -> None:
        """Write to a file, to stdout for `-`, nowhere for None. Raises OSError for a file that cannot be opened."""
        self._lines: deque[bytes] = deque()
        self._path = path
        self._file: BinaryIO | None = None
        self.dropped = 0
        self.reopen()

    def reopen(self) -> None:
        """Open the file again, as after its rotation."""
        if self._path is None:
            return
        if str(self._path) == "-":
            self._file = sys.stdout.buffer
            return
        former, self._file = self._file, self._path.open("ab", buffering=0)
        if former is not None:
            former.close()

    def add(self, trace: Trace, method: str, seconds: float) -> None:
        """Note a request that was answered."""
        if self._path is None:
            return
        if len(self._lines) >= _MOST_WAITING:
            self.dropped += 1
            return
        self._lines.append(encode(_describe(trace, method, seconds)))

    async def run(self) -> None:
        """Write what has come together, four times a second, until cancelled; then write the rest."""
        try:
            while True:
                await asyncio.sleep(_EVERY)
                if self._lines:
                    await asyncio.to_thread(self.write)
        finally:
            self.write()

    def write(self) -> None:
        """Write the lines that wait; those that cannot be written are dropped and counted."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if not lines or self._file is None:
            return
        try:
            self._file.write(b"\n".join(lines) + b"\n")
            self._file.flush()
        except OSError:
            self.dropped += len(lines)

    def close(self) -> None:
        """Write the rest and close the file."""
        self.write()
        if self._file is not None and self._file is not sys.stdout.buffer:
            with suppress(OSError):
                self._file.close()
        self._file = None


def _describe(trace: Trace, method: str, seconds: float) -> dict[str, object]:
    line: dict[str, object] = {
        "time": round(time.time(), 3),
        "request_id": trace.request_id,
        "method": method,
        "route": trace.route,
        "status": trace.status,
        "ms": round(1_000 * seconds, 3),
    }
    names = ("trace_id", "client", "model", "version", "arm", "width", "k", "n_users", "rejected")
    line.update((name, value) for name in names if (value := getattr(trace, name)) is not None)
    if trace.narrowed:
        line["narrowed"] = True
    return line
