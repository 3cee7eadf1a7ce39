"""The state of training on disk, always whole: arrays first, then the state that names them, in one rename.

What is neither a checkpoint nor an empty folder is refused before training begins, and never replaced or deleted. The
checkpoint stays when training is done: whoever saves the model deletes it then (`CheckpointFolder`).
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nestrec.arrays import Float32Array
from nestrec.artefact.tensors import map_arrays, write_arrays
from nestrec.atomic.flushing import flush_file, flush_folder
from nestrec.atomic.workspace import workspace
from nestrec.errors import ModelFileError, TrainingError
from nestrec.training.checkpoint_folder import FORMAT, STATE, VERSION, CheckpointFolder, read_document

Arrays = dict[str, Float32Array]


@dataclass
class Checkpoint:
    """Where the state is kept, whose it is, and when it was last written."""

    folder: CheckpointFolder  # open
    identity: dict[str, Any]  # options and data that a resumed run must share
    least_seconds: float
    _written: float = field(default_factory=time.monotonic)

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return self.folder.path

    def is_due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return time.monotonic() - self._written >= self.least_seconds

    def exists(self) -> bool:
        """Whether there is a state, of this run or of the one it goes on from."""
        return self.folder.has_state

    def write(self, state: dict[str, Any], arrays: Arrays) -> None:
        """Replace what is there. Raises TrainingError where it cannot be written; the former state is then kept."""
        self._written = time.monotonic()
        name = f"arrays-{uuid.uuid4().hex[:12]}.safetensors"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)  # somebody may have cleaned up
            self._write_state(name, state, arrays)
        except OSError as error:
            with suppress(OSError):
                self.folder.delete_strays()
            raise TrainingError(
                f"checkpoint {self.directory} cannot be written ({error.strerror or error}); "
                "make room or name another place for the checkpoint"
            ) from error
        with suppress(OSError):
            self.folder.delete_strays()

    def _write_state(self, name: str, state: dict[str, Any], arrays: Arrays) -> None:
        with workspace(self.directory, "arrays") as content:  # the library's own temporary file goes with it
            write_arrays(content / name, arrays)
            flush_file(content / name)
            (content / name).rename(self.directory / name)
        document = {
            "format": FORMAT, "version": VERSION, "identity": self.identity, "arrays": name,
            "sha256": _sha256(self.directory / name), "state": state,
        }  # fmt: skip
        new = self.directory / f"{STATE}.new"
        new.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
        flush_file(new)
        flush_folder(self.directory)
        new.replace(self.directory / STATE)
        flush_folder(self.directory)

    def read(self) -> tuple[dict[str, Any], Arrays] | None:
        """Return (state, arrays), None where there is no checkpoint.

        Raises TrainingError for a damaged one and for one of other options or other data.
        """
        if not self.exists():
            return None
        document = read_document(self.directory)
        self._check_identity(document["identity"])
        return document["state"], _whole_arrays(self.directory / document["arrays"], document["sha256"])

    def _check_identity(self, found: dict[str, Any]) -> None:
        for name, value in json.loads(json.dumps(self.identity)).items():
            if found.get(name) != value:
                raise TrainingError(
                    f"checkpoint {self.directory} was made with {name} {found.get(name)}, this run has {value}; "
                    "give the same options and data, or leave out resume to start anew"
                )


def _whole_arrays(path: Path, checksum: str) -> Arrays:
    damaged = f"checkpoint {path.parent} is damaged ({{}}); delete it and train anew"
    try:
        if _sha256(path) != checksum:
            raise TrainingError(damaged.format(f"{path.name} is not as it was written"))
        with path.open("rb") as file:
            return map_arrays(path, file)
    except (OSError, ModelFileError) as error:
        raise TrainingError(damaged.format(error)) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
