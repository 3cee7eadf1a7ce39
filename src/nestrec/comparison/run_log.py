"""`RunLog`: one JSON line for each finished fit in `runs.jsonl`, so that an interrupted comparison goes on.

The first line names the data; a folder of other data is refused. A line is written in one piece and flushed to the
disk; a last line that was cut off is dropped. Values of users lie beside it, in a file for each fit on the test part,
and the line is written after them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from nestrec.artefact.tensors import Arrays, map_arrays
from nestrec.comparison.job import Job, Outcome
from nestrec.errors import DataError, OptionError

NAME = "runs.jsonl"
_FORMAT = "nestrec-runs"


class RunLog:
    """The fits done so far in a folder, which is locked while this is open.

    Raises OptionError where the folder cannot be used, DataError where its log is damaged or belongs to other data.
    """

    def __init__(self, folder: Path, data: Mapping[str, str]) -> None:
        self.folder, self._data = folder, dict(data)
        self._outcomes: dict[str, Outcome] = {}
        path = folder / NAME
        try:
            (folder / "users").mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise OptionError(f"{path} cannot be used ({error.strerror}); name another folder") from error
        try:
            _lock(self._file, folder)
            self._read(path)
        except BaseException:
            os.close(self._file)
            raise

    def outcome(self, job: Job) -> Outcome | None:
        """Return what the job gave before, None where it was not done, failed, or its users' values are gone."""
        found = self._outcomes.get(job.key(self._data))
        if found is None or found.error is not None or (job.part == "test" and not self.per_user_path(job).exists()):
            return None
        return found

    def add(self, job: Job, outcome: Outcome) -> None:
        """Keep what a job gave. A failure is kept as an account and tried again by the next run."""
        key = job.key(self._data)
        self._outcomes[key] = outcome
        self._write({"key": key, "job": asdict(job), "outcome": asdict(outcome)})

    def per_user_path(self, job: Job) -> Path:
        """Return where the values of a job's users are."""
        return self.folder / "users" / f"{job.key(self._data)}.safetensors"

    def per_user(self, job: Job) -> Arrays:
        """Return `WIDTH LABEL` -> (n_users,) float32. Raises ModelFileError where the file is damaged."""
        path = self.per_user_path(job)
        with path.open("rb") as file:
            return {name: np.array(values) for name, values in map_arrays(path, file).items()}

    def __enter__(self) -> RunLog:
        """Return the log."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the folder back."""
        os.close(self._file)

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
                entry = json.loads(line)
                if number == 1:
                    self._check(entry, path)
                else:
                    self._outcomes[entry["key"]] = Outcome.from_dict(entry["outcome"])
            except (ValueError, KeyError, TypeError) as error:
                if isinstance(error, DataError):
                    raise
                raise DataError(
                    f"{path} is damaged in line {number} ({error}); remove that line, or name another folder"
                ) from error

    def _check(self, header: Mapping[str, Any], path: Path) -> None:
        if header["format"] != _FORMAT or header["version"] != 1:
            raise DataError(f"{path} is no log of runs of this version; name another folder")
        for part, fingerprint in self._data.items():
            if header["data"].get(part) != fingerprint:
                raise DataError(
                    f"{path} holds runs on other data: its {part} part is {str(header['data'].get(part))[:12]}, the "
                    f"one given is {fingerprint[:12]}; name another folder, or give the data it was begun with"
                )

    def _write(self, entry: Mapping[str, Any]) -> None:
        line = json.dumps(entry, ensure_ascii=False, allow_nan=True).encode() + b"\n"
        try:
            while line:  # a disk that is nearly full takes a part, and tells at the next one
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as error:
            raise OptionError(
                f"{self.folder / NAME} cannot be written ({error.strerror}); make room and give the same command again"
            ) from error


def _lock(file: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OptionError(f"another run is writing to {folder}; wait for its end, or name another folder") from error
