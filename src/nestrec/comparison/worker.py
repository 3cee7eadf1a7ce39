"""`Worker`: a child process that fits models; it runs `nestrec.comparison.worker_main`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import nestrec
from nestrec.comparison.job import Outcome, Request, Task
from nestrec.comparison.records import from_plain, to_plain

_COMMAND = (sys.executable, "-P", "-m", "nestrec.comparison.worker_main")  # -P: no import from the working directory
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # read when libraries are loaded


class Worker:
    """Fits one job after another; leaving the `with` block kills the process."""

    def __init__(self, threads: int, command: Sequence[str] = _COMMAND) -> None:
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        # A session of its own: Ctrl-C must not reach the child, where models would stop early and return half a fit.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            env={**os.environ, **dict.fromkeys(_THREADS, str(threads)), "PYTHONPATH": _search_path()},
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def fit(self, tasks: Sequence[Task], train: Path, held_out: Path) -> list[Outcome]:
        """Fit the first job, derive the models of the others from it, and evaluate all; write the metrics per user.

        If the process dies, all outcomes have an error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = Request(tuple(tasks), str(train), str(held_out))
        answer = ""
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(to_plain(request)) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer.endswith("\n"):
            return [Outcome.failure(self._describe_exit())] * len(tasks)
        return from_plain(json.loads(answer), list[Outcome])

    @property
    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def _describe_exit(self) -> str:
        code = self._process.wait()
        if code < 0:
            name = signal.Signals(-code).name
            return f"its process was killed by {name}" + (
                ", probably because memory ran out; use smaller data or a machine with more memory"
                if name == "SIGKILL"
                else ""
            )
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").strip().splitlines()
        return f"its process ended with exit code {code}" + (f" ({lines[-1]})" if lines else "")

    def __enter__(self) -> Worker:
        """Return the worker."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._messages.close()


def _search_path() -> str:
    """Return the import path with which the child finds this nestrec."""
    folders = [str(Path(str(nestrec.__file__)).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(folder for folder in folders if folder)
