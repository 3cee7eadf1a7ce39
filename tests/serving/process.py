"""A server in a process of its own, on a free port of this machine."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SECONDS = 120


class ServerProcess:
    """A running `nestrec serve`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.port = 0
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._listening.wait(_SECONDS) or not self.port:
            process.kill()
            raise AssertionError(f"the server did not start: {self.lines}")

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        return self.ask("GET", path, headers=headers)

    def ask(
        self, method: str, path: str, message: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        body = None if message is None else json.dumps(message)
        given = {**({} if body is None else {"Content-Type": "application/json"}), **(headers or {})}
        connection.request(method, path, body, given)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        is_json = "json" in (reply.getheader("content-type") or "")
        return reply.status, json.loads(content) if is_json else content

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(_SECONDS)
        self._reader.join(_SECONDS)
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("Listening at"):
                self.port = int(line.rpartition(":")[2])
                self._listening.set()
        self._listening.set()


@contextmanager
def running(*words: str | Path) -> Iterator[ServerProcess]:
    """Run `nestrec serve` with these words on a free port."""
    command = [sys.executable, "-m", "nestrec", "serve", *map(str, words), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield ServerProcess(process)
        finally:
            process.kill()
