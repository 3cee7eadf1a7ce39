"""The folder of a local store: its metadata file and its lock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nestrec.artefact.manifest import MANIFEST
from nestrec.atomic.locks import FileLock, LockTakenError
from nestrec.atomic.output_file import atomic_file
from nestrec.errors import OutputError, StoreError

METADATA = "nestrec-store.json"
_LOCK = ".nestrec-lock"


class StoreFolder:
    """A folder that holds one store and nothing else."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def load_metadata(self) -> dict[str, Any] | None:
        """Return the metadata; None where the folder is missing or empty.

        Raises OutputError where it holds something else, StoreError for a damaged file.
        """
        file = self.path / METADATA
        if file.is_file():
            try:
                found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise StoreError(f"{file} cannot be read ({error}); export to another folder") from error
            return found
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} must be a folder, and is a file; name another place")
        if holds_model(self.path):
            raise OutputError(f"{self.path} is the folder of a model, and must be one of a store; name another place")
        if self.path.is_dir() and any(entry.name != _LOCK for entry in self.path.iterdir()):
            raise OutputError(f"{self.path} must be empty or hold a store of nestrec export; name another place")
        return None

    def save_metadata(self, values: dict[str, Any]) -> None:
        """Write the metadata atomically."""
        with atomic_file(self.path / METADATA, overwrite=True) as partial:
            partial.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def clear(self) -> None:
        """Delete the contents of an earlier store; its metadata stays as of an unfinished one."""
        found = self.load_metadata()
        if found is None:
            return
        self.save_metadata({**found, "version": None})
        for entry in self.path.iterdir():
            if entry.name in (METADATA, _LOCK):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other exports out of the folder; raise OutputError where one is running."""
        self.load_metadata()
        is_new = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / _LOCK)
        except LockTakenError as error:
            raise OutputError(f"another export is writing {self.path}; wait for its end") from error
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written ({error.strerror}); name another place") from error
        try:
            yield
        finally:
            lock.release(delete=True)
            if is_new and not any(self.path.iterdir()):
                self.path.rmdir()


def holds_model(path: Path) -> bool:
    """Tell whether a path is the folder of a model."""
    return (path / MANIFEST).is_file() and not (path / METADATA).exists()
