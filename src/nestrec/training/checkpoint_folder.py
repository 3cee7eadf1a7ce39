"""The folder of a checkpoint: locked while a training writes to it, so that two trainings never share one."""

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
    """Holds a checkpoint's folder from the start of training until the model is saved; deletes it then.

    Used as a context manager, it is left in place by an error and deleted where the block ends without one:

        with CheckpointFolder("model.checkpoint") as folder:
            model = Trainer().fit(interactions, run=Run(checkpoint=folder))
            model.save("model")

    Raises TrainingError where another training is using the folder or something else stands there.
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
        """Whether there is a state to go on from."""
        return (self.path / STATE).exists()

    def open(self) -> None:
        """Make and lock the folder."""
        refuse_foreign(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.path / _LOCK)
        except LockTakenError as error:
            raise TrainingError(
                f"another training is using {self.path}; wait for its end, or name another place for the checkpoint"
            ) from error
        except OSError as error:
            raise TrainingError(
                f"checkpoint {self.path} cannot be written ({error.strerror}); make room or name another place for the "
                "checkpoint"
            ) from error

    def close(self) -> None:
        """Free the folder; one without a state is deleted."""
        if self._lock is None:
            return
        with suppress(OSError):
            self.delete_strays()
        kept = self.has_state
        with suppress(OSError):
            self._lock.release(delete=True)
        self._lock = None
        if not kept:
            with suppress(OSError):  # something of another's has come into it
                self.path.rmdir()

    def delete(self) -> None:
        """Delete the checkpoint, once the model is saved; the state goes first, so that a kill leaves no half of it."""
        with suppress(OSError):
            (self.path / STATE).unlink(missing_ok=True)
        if self._lock is None:
            with suppress(TrainingError):
                self.open()
        self.close()

    def delete_strays(self) -> None:
        """Delete the files that the state does not name: what killed runs left. Raises OSError."""
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
        """Delete the checkpoint; after an error, keep it."""
        if kind is None:
            self.delete()
        else:
            self.close()


def refuse_foreign(folder: Path) -> None:
    """Raise TrainingError where something stands in a checkpoint's place that is not one."""
    if not folder.exists() and not folder.is_symlink():
        return
    if (
        not folder.is_dir()
        or ((folder / STATE).exists() and not _is_state(folder))
        or not all(path.name == STATE or _OWN.fullmatch(path.name) for path in folder.iterdir())
    ):
        raise TrainingError(
            f"{folder} holds something else than a checkpoint of this version of nestrec, which would be lost; "
            "name another place for the checkpoint, or delete it"
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
