"""`Worker`: a child process that fits models, seen from its parent; it runs `nestrec.comparison.worker_main`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import nestrec
from nestrec.comparison.job import Job, Outcome

_COMMAND = (sys.executable, "-P", "-m", "nestrec.comparison.worker_main")  # -P: no module of the user's folder is taken
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # read when libraries are loaded


class Worker:
    """Fits one job after another; a `with` block ends the process, whatever it is doing."""

    def __init__(self, threads: int, command: Sequence[str] = _COMMAND) -> None:
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        # Ctrl-C reaches this process alone: a model would take it as a wish to stop early and give half a fit.
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

    def outcome(self, job: Job, train: Path, held_out: Path, per_user: Path | None = None) -> Outcome:
        """Fit, evaluate, write the values of users where asked; a process that dies gives an outcome with an error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"job": asdict(job), "train": str(train), "held_out": str(held_out)}
        told = json.dumps({**request, "per_user": None if per_user is None else str(per_user)})
        answer = ""
        with suppress(BrokenPipeError):
            self._process.stdin.write(told + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        return Outcome.from_dict(json.loads(answer)) if answer.endswith("\n") else Outcome.failed(self._death())

    @property
    def is_alive(self) -> bool:
        """Whether it can take another job."""
        return self._process.poll() is None

    def _death(self) -> str:
        code = self._process.wait()
        if code < 0:
            name = signal.Signals(-code).name
            return f"its process was ended by {name}" + (
                ", as happens where memory runs out; give it smaller data or a machine with more memory"
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
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._messages.close()


def _search_path() -> str:
    """Return where the child finds this same nestrec, and what else it was told."""
    places = [str(Path(str(nestrec.__file__)).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(place for place in places if place)
