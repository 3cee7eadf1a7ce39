"""The folder of a checkpoint, locked while a run writes to it, so that two runs never share one."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import msgspec

from nestrec.atomic.locks import FileLock, LockTakenError
from nestrec.atomic.workspace import remove_leftovers
from nestrec.errors import TrainingError
from nestrec.training.training_state import TrainingState

STATE = "state.json"
_LOCK = "lock"
_OWN = re.compile(r"arrays-[0-9a-f]{12}\.safetensors|state\.json\.new|lock|\.arrays\.[0-9a-f]{12}\.partial")


class CheckpointDocument(msgspec.Struct, kw_only=True):
    """Content of the state's file."""

    format: Literal["nestrec-checkpoint"] = "nestrec-checkpoint"
    version: Literal[3] = 3  # 3: `rotated` and `trials` in the state
    identity: dict[str, Any]  # options and data that a resumed run must have too
    arrays: str  # name of the file
    sha256: str  # of that file
    state: TrainingState


class CheckpointFolder:
    """Lock a checkpoint's folder from the start of training until the model is saved, then delete it.

    As a context manager, it deletes the folder at the end of the block, and keeps it after an error:

        with CheckpointFolder("model.checkpoint") as folder:
            model = Trainer().fit(interactions, run=Run(checkpoint=folder))
            model.save("model")

    Raises TrainingError if another run is using the folder or something else is in its place.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock: FileLock | None = None

    @property
    def is_open(self) -> bool:
        """Whether the folder is locked by this object."""
        return self._lock is not None

    @property
    def has_state(self) -> bool:
        """Whether there is a state to resume from."""
        return (self.path / STATE).exists()

    def open(self) -> None:
        """Create and lock the folder."""
        refuse_foreign(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.path / _LOCK)
        except LockTakenError as error:
            raise TrainingError(
                f"a checkpoint folder must belong to one run, got {self.path}, which another run is using; wait for it "
                "or give another checkpoint folder"
            ) from error
        except OSError as error:
            raise TrainingError(
                f"checkpoint {self.path} cannot be written ({error.strerror}); make room, or give another folder"
            ) from error

    def close(self) -> None:
        """Unlock the folder, and delete it if it has no state."""
        if self._lock is None:
            return
        with suppress(OSError):
            self.delete_strays()
        kept = self.has_state
        with suppress(OSError):
            self._lock.release(delete=True)
        self._lock = None
        if not kept:
            with suppress(OSError):  # another program has put something into it
                self.path.rmdir()

    def delete(self) -> None:
        """Delete the checkpoint; the state first, so that a kill leaves no partial one."""
        with suppress(OSError):
            (self.path / STATE).unlink(missing_ok=True)
        if self._lock is None:
            with suppress(TrainingError):
                self.open()
        self.close()

    def delete_strays(self) -> None:
        """Delete leftovers of killed runs: files that the state does not name. Raises OSError."""
        needed = {STATE, _LOCK}
        if self.has_state:
            try:
                needed.add(read_document(self.path).arrays)
            except TrainingError:
                return
        remove_leftovers(self.path, "arrays")
        for path in self.path.iterdir():
            if path.is_file() and _OWN.fullmatch(path.name) and path.name not in needed:
                path.unlink(missing_ok=True)

    def __enter__(self) -> CheckpointFolder:
        """Lock the folder."""
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete the checkpoint, unless there was an error."""
        if kind is None:
            self.delete()
        else:
            self.close()


def refuse_foreign(folder: Path) -> None:
    """Raise TrainingError if there is something other than a checkpoint at this path."""
    if not folder.exists() and not folder.is_symlink():
        return
    if (
        not folder.is_dir()
        or ((folder / STATE).exists() and not _is_state(folder))
        or not all(path.name == STATE or _OWN.fullmatch(path.name) for path in folder.iterdir())
    ):
        raise TrainingError(
            f"a checkpoint folder must be empty or hold a checkpoint of this version of nestrec, got {folder}; give "
            "another checkpoint folder, or delete this one"
        )


def read_document(folder: Path) -> CheckpointDocument:
    """Return the content of the state's file; raise TrainingError if it is damaged, foreign or of another version."""
    try:
        document = msgspec.json.decode((folder / STATE).read_bytes(), type=CheckpointDocument)
        if not _OWN.fullmatch(document.arrays):
            raise msgspec.ValidationError(f"{document.arrays!r} is not the name of an arrays file")
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TrainingError(
            f"{folder} must be a complete checkpoint of this version of nestrec ({error}); delete it and start anew"
        ) from error
    return document


def _is_state(folder: Path) -> bool:
    try:
        read_document(folder)
    except TrainingError:
        return False
    return True
