"""The state of training on disk: a directory replaced as a whole, so that a kill at any moment leaves a usable one.

What is neither a checkpoint nor an empty directory is refused before training begins, and never replaced or deleted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.artefact.directory import current, replace_directory
from nestrec.artefact.tensors import map_arrays, write_arrays
from nestrec.errors import ModelFileError, TrainingError

Arrays = dict[str, npt.NDArray[np.float32]]

_FORMAT = "nestrec-checkpoint"
_VERSION = 1
_STATE, _ARRAYS = "state.json", "arrays.safetensors"


@dataclass
class Checkpoint:
    """Where the state is kept, whose it is, and when it was last written."""

    directory: Path
    identity: dict[str, Any]  # options and data that a resumed run must share
    least_seconds: float
    _written: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return time.monotonic() - self._written >= self.least_seconds

    def write(self, state: dict[str, Any], arrays: Arrays) -> None:
        """Replace what is there. Raises TrainingError where it cannot be written."""
        document = {"format": _FORMAT, "version": _VERSION, "identity": self.identity, "state": state}

        def fill(directory: Path) -> None:
            write_arrays(directory / _ARRAYS, arrays)
            whole = {**document, "sha256": _sha256(directory / _ARRAYS)}
            (directory / _STATE).write_text(json.dumps(whole, allow_nan=False), encoding="utf-8")

        self.refuse_foreign()
        try:
            replace_directory(self.directory, fill)
        except OSError as error:
            raise TrainingError(
                f"checkpoint {self.directory} cannot be written ({error.strerror or error}); "
                "make room or name another place for the checkpoint"
            ) from error
        self._written = time.monotonic()

    def read(self) -> tuple[dict[str, Any], Arrays] | None:
        """Return (state, arrays), None where there is no checkpoint.

        Raises TrainingError for a damaged one and for one of other options or other data.
        """
        directory = current(self.directory)
        if not directory.exists():
            return None
        document = _document(directory)
        self._check_identity(document["identity"])
        return document["state"], _whole_arrays(directory, document["sha256"])

    def remove(self) -> None:
        """Delete it: training is done. What is no checkpoint is left alone."""
        if _is_ours(self.directory):
            shutil.rmtree(self.directory, ignore_errors=True)

    def refuse_foreign(self) -> None:
        """Raise TrainingError where something stands in the checkpoint's place that is not one."""
        directory = self.directory
        is_free = not directory.exists() or (directory.is_dir() and not any(directory.iterdir()))
        if not is_free and not _is_ours(directory):
            raise TrainingError(
                f"{directory} holds something else than a checkpoint of this version of nestrec, which would be lost; "
                "name another place for the checkpoint, or delete it"
            )

    def _check_identity(self, found: dict[str, Any]) -> None:
        for name, value in json.loads(json.dumps(self.identity)).items():
            if found.get(name) != value:
                raise TrainingError(
                    f"checkpoint {self.directory} was made with {name} {found.get(name)}, this run has {value}; "
                    "give the same options and data, or leave out resume to start anew"
                )


def _is_ours(directory: Path) -> bool:
    try:
        _document(directory)
    except TrainingError:
        return False
    return True


def _document(directory: Path) -> dict[str, Any]:
    try:
        document = json.loads((directory / _STATE).read_text(encoding="utf-8"))
        is_ours = document["format"] == _FORMAT and document["version"] == _VERSION
        is_whole = isinstance(document["identity"], dict) and {"state", "sha256"} <= set(document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{directory} is no whole checkpoint ({error}); delete it and train anew") from error
    if not (is_ours and is_whole):
        raise TrainingError(f"{directory} is no checkpoint of this version of nestrec; delete it and train anew")
    return dict(document)


def _whole_arrays(directory: Path, checksum: str) -> Arrays:
    path = directory / _ARRAYS
    damaged = f"checkpoint {directory} is damaged ({{}}); delete it and train anew"
    try:
        if _sha256(path) != checksum:
            raise TrainingError(damaged.format(f"{_ARRAYS} is not as it was written"))
        with path.open("rb") as file:
            return map_arrays(path, file)
    except (OSError, ModelFileError) as error:
        raise TrainingError(damaged.format(error)) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
