"""`RunLog`: one JSON line per finished fit in `runs.jsonl`, from which an interrupted comparison resumes.

The first line identifies the data; a folder with a log of other data is refused. Each line is written in one piece and
synced to disk; an incomplete last line is dropped. The metrics per user of fits on the test part are in a file per fit,
written before the line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from nestrec.artefact.tensors import Arrays, map_arrays
from nestrec.atomic.locks import FileLock, LockTakenError
from nestrec.comparison.job import Job, Outcome
from nestrec.comparison.records import from_plain, to_plain
from nestrec.errors import DataError, OutputError

NAME = "runs.jsonl"
_FORMAT = "nestrec-runs"


@dataclass(frozen=True)
class _Header:
    format: str
    version: int
    data: dict[str, str]  # part -> fingerprint


@dataclass(frozen=True)
class _Entry:
    key: str
    job: Job
    outcome: Outcome


class RunLog:
    """The finished fits in a folder, which is locked while the log is open.

    Raises OutputError if the folder cannot be used, DataError if its log is damaged or of other data.
    """

    def __init__(self, folder: Path, data: Mapping[str, str]) -> None:
        self.folder, self._data = folder, dict(data)
        self._outcomes: dict[str, Outcome] = {}
        self._new: set[str] = set()  # keys of this run's jobs
        path = folder / NAME
        try:
            (folder / "users").mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(path)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND)
        except LockTakenError as error:
            raise OutputError(
                f"another run is writing to {folder}; wait for it to end, or name another folder", option="out"
            ) from error
        except OSError as error:
            raise OutputError(f"{path} cannot be used ({error.strerror}); name another folder", option="out") from error
        try:
            self._read(path)
        except BaseException:
            self.close()
            raise

    def outcome(self, job: Job) -> Outcome | None:
        """Return the outcome of a finished job; None if missing, failed in an earlier run, or without per-user file."""
        key = job.key(self._data)
        found = self._outcomes.get(key)
        if found is None or (found.error is not None and key not in self._new):
            return None
        if found.error is None and job.part == "test" and not self.per_user_path(job).exists():
            return None
        return found

    def add(self, job: Job, outcome: Outcome) -> None:
        """Write the outcome of a job. Failures are recorded and tried again by the next run."""
        key = job.key(self._data)
        self._outcomes[key] = outcome
        self._new.add(key)
        self._write(to_plain(_Entry(key, job, outcome)))

    def per_user_path(self, job: Job) -> Path:
        """Return the path of the metrics per user of a job."""
        return self.folder / "users" / f"{job.key(self._data)}.safetensors"

    def per_user(self, job: Job) -> Arrays:
        """Return `WIDTH LABEL` -> (n_users,) float32. Raises ModelFileError if the file is damaged."""
        path = self.per_user_path(job)
        with path.open("rb") as file:
            return {name: np.array(values) for name, values in map_arrays(path, file).items()}

    def __enter__(self) -> RunLog:
        """Return the log."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Unlock the folder."""
        self.close()

    def close(self) -> None:
        """Close the log and unlock the folder."""
        os.close(self._file)
        self._lock.release()

    def _read(self, path: Path) -> None:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.ftruncate(self._file, len(whole))
        lines = whole.decode("utf-8", errors="replace").splitlines()
        if not lines:
            self._write({"format": _FORMAT, "version": 1, "data": self._data})
            return
        for number, line in enumerate(lines, start=1):
            try:
                if number == 1:
                    self._check(from_plain(json.loads(line), _Header), path)
                else:
                    entry = from_plain(json.loads(line), _Entry)
                    self._outcomes[entry.key] = entry.outcome
            except DataError:
                raise
            except (ValueError, RecursionError) as error:
                raise DataError(
                    f"{path} is damaged in line {number} ({error}); remove that line, or name another folder"
                ) from error

    def _check(self, header: _Header, path: Path) -> None:
        if header.format != _FORMAT or header.version != 1:
            raise DataError(
                f"{path} must be a log of runs of version 1, got format {header.format!r}, version {header.version}; "
                "name another folder"
            )
        for part, fingerprint in self._data.items():
            if header.data.get(part) != fingerprint:
                own = header.data.get(part, "none")[:12]
                raise DataError(
                    f"{path} must be a log of the same data, but its {part} part is {own}, got {fingerprint[:12]};"
                    " name another folder, or give the data the log was started with"
                )

    def _write(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        try:
            while line:  # a nearly full disk takes a part, and fails at the next
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as error:
            raise OutputError(
                f"{self.folder / NAME} cannot be written ({error.strerror}); free disk space and run it again"
            ) from error
