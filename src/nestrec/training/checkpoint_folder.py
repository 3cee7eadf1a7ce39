"""The folder of a checkpoint: locked while a training writes to it, so that two trainings never share one."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from nestrec.atomic.locks import FileLock, LockTakenError
from nestrec.atomic.workspace import remove_leftovers
from nestrec.errors import TrainingError

STATE = "state.json"
FORMAT = "nestrec-checkpoint"
VERSION = 2  # 2: the state names the file of its arrays
_LOCK = "lock"
_OWN = re.compile(r"arrays-[0-9a-f]{12}\.safetensors|state\.json\.new|lock|\.arrays\.[0-9a-f]{12}\.partial")


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
                needed.add(read_document(self.path)["arrays"])
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


def read_document(folder: Path) -> dict[str, Any]:
    """Return what the state says; raise TrainingError for one that is damaged, foreign or of another version."""
    try:
        document = json.loads((folder / STATE).read_text(encoding="utf-8"))
        is_ours = document["format"] == FORMAT and document["version"] == VERSION
        is_whole = isinstance(document["identity"], dict) and {"state", "sha256"} <= set(document)
        arrays = document["arrays"] if is_ours else ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingError(f"{folder} is no whole checkpoint ({error}); delete it and train anew") from error
    if not (is_ours and is_whole and isinstance(arrays, str) and _OWN.fullmatch(arrays)):
        raise TrainingError(f"{folder} is no checkpoint of this version of nestrec; delete it and train anew")
    return dict(document)


def _is_state(folder: Path) -> bool:
    try:
        read_document(folder)
    except TrainingError:
        return False
    return True
