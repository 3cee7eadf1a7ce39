"""Checkpoints: the state of training on disk, replaced atomically.

The arrays are written first, then the state that names their file, in one rename. Anything but a checkpoint or an empty
folder in its place is refused before training starts, and never replaced or deleted. The checkpoint stays after
training: delete it once the model is saved (`CheckpointFolder`).
"""

from __future__ import annotations

import hashlib
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from nestrec.arrays import Float32Array
from nestrec.artefact.tensors import map_arrays, write_arrays
from nestrec.atomic.flushing import flush_file, flush_folder
from nestrec.atomic.workspace import workspace
from nestrec.errors import ModelFileError, TrainingError
from nestrec.training.checkpoint_folder import STATE, CheckpointDocument, CheckpointFolder, read_document
from nestrec.training.training_state import TrainingState

Arrays = dict[str, Float32Array]
_BEST = "best_"  # begins the names of the best epoch's embeddings


class StoredState(NamedTuple):
    """A checkpoint's content."""

    state: TrainingState
    arrays: Arrays  # mapped

    @property
    def parameters(self) -> Arrays:
        """The engine's arrays."""
        return {name: array for name, array in self.arrays.items() if not name.startswith(_BEST)}

    @property
    def best(self) -> Arrays | None:
        """Copies of the best epoch's embeddings; None if no epoch was evaluated."""
        stored = self.arrays.items()
        return {name.removeprefix(_BEST): np.array(a) for name, a in stored if name.startswith(_BEST)} or None


@dataclass
class Checkpoint:
    """Writes the state of a run to its folder and reads it, at most so often."""

    folder: CheckpointFolder  # open
    identity: dict[str, Any]  # options and data that a resumed run must have too
    least_seconds: float
    _written: float = field(default_factory=time.monotonic)

    @property
    def directory(self) -> Path:
        """Path of the folder."""
        return self.folder.path

    def is_due(self) -> bool:
        """Return whether enough time has passed since the last write."""
        return time.monotonic() - self._written >= self.least_seconds

    def exists(self) -> bool:
        """Return whether there is a state, of this run or of the one it resumes."""
        return self.folder.has_state

    def write(self, state: TrainingState, arrays: Arrays, best: Arrays | None = None) -> None:
        """Replace the state; raise TrainingError, keeping the former one, if it cannot be written."""
        self._written = time.monotonic()
        name = f"arrays-{uuid.uuid4().hex[:12]}.safetensors"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)  # somebody may have cleaned up
            named = {f"{_BEST}{key}": array for key, array in (best or {}).items()}
            self._write_state(name, state, {**arrays, **named})
        except OSError as error:
            with suppress(OSError):
                self.folder.delete_strays()
            raise TrainingError(
                f"checkpoint {self.directory} cannot be written ({error.strerror or error}); "
                "make room or give another checkpoint folder"
            ) from error
        with suppress(OSError):
            self.folder.delete_strays()

    def _write_state(self, name: str, state: TrainingState, arrays: Arrays) -> None:
        with workspace(self.directory, "arrays") as content:  # the library's own temporary file goes with it
            write_arrays(content / name, arrays)
            flush_file(content / name)
            (content / name).rename(self.directory / name)
        document = CheckpointDocument(
            identity=self.identity, arrays=name, sha256=_sha256(self.directory / name), state=state
        )
        new = self.directory / f"{STATE}.new"
        new.write_bytes(msgspec.json.encode(document))
        flush_file(new)
        flush_folder(self.directory)
        new.replace(self.directory / STATE)
        flush_folder(self.directory)

    def read(self) -> StoredState | None:
        """Return the state, None if there is none; raise TrainingError if it is damaged or of other options or data."""
        if not self.exists():
            return None
        document = read_document(self.directory)
        self._check_identity(document.identity)
        return StoredState(document.state, _read_arrays(self.directory / document.arrays, document.sha256))

    def _check_identity(self, found: dict[str, Any]) -> None:
        for name, value in msgspec.to_builtins(self.identity).items():
            if found.get(name) != value:
                raise TrainingError(
                    f"a resumed run must have the options and data of its checkpoint: {self.directory} was made with "
                    f"{name} {found.get(name)}, got {value}; give the same, or leave out resume to start anew",
                    mentions=("resume",),
                )


def _read_arrays(path: Path, checksum: str) -> Arrays:
    damaged = f"checkpoint {path.parent} is damaged ({{}}); delete it and start anew"
    try:
        if _sha256(path) != checksum:
            raise TrainingError(damaged.format(f"the checksum of {path.name} is wrong"))
        with path.open("rb") as file:
            return map_arrays(path, file)
    except (OSError, ModelFileError) as error:
        raise TrainingError(damaged.format(error)) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
