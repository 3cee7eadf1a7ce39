"""The state of training on disk: a directory replaced as a whole, so that a kill at any moment leaves a usable one."""

from __future__ import annotations

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
        """Replace what is there."""
        document = {"format": _FORMAT, "version": _VERSION, "identity": self.identity, "state": state}

        def fill(directory: Path) -> None:
            (directory / _STATE).write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
            write_arrays(directory / _ARRAYS, arrays)

        self._refuse_foreign()
        replace_directory(self.directory, fill)
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
        try:
            with (directory / _ARRAYS).open("rb") as file:
                return document["state"], map_arrays(directory / _ARRAYS, file)
        except (OSError, ModelFileError) as error:
            raise TrainingError(f"checkpoint {directory} is damaged ({error}); delete it and train anew") from error

    def remove(self) -> None:
        """Delete it: training is done."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _check_identity(self, found: dict[str, Any]) -> None:
        for name, value in json.loads(json.dumps(self.identity)).items():
            if found.get(name) != value:
                raise TrainingError(
                    f"checkpoint {self.directory} was made with {name} {found.get(name)}, this run has {value}; "
                    "give the same options and data, or leave out resume to start anew"
                )

    def _refuse_foreign(self) -> None:
        directory = self.directory
        if directory.exists() and any(directory.iterdir()) and not (directory / _STATE).is_file():
            raise TrainingError(f"{directory} holds something else than a checkpoint; name another place for it")


def _document(directory: Path) -> dict[str, Any]:
    try:
        document = json.loads((directory / _STATE).read_text(encoding="utf-8"))
        is_ours = document["format"] == _FORMAT and document["version"] == _VERSION and "identity" in document
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{directory} is no whole checkpoint ({error}); delete it and train anew") from error
    if not is_ours:
        raise TrainingError(f"{directory} is no checkpoint of this version of nestrec; delete it and train anew")
    return dict(document)
