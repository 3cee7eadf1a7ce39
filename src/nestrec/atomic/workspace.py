"""Hidden folders beside a target in which its new content is written, and what killed runs left of them.

A workspace `.NAME.TOKEN.partial` holds a lock file for as long as its process lives. So the next run that writes the
same target can distinguish the workspaces of killed and of running runs, and removes the former only. Where the
file system has no locks, none is removed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from nestrec.atomic.locks import FileLock, LockTakenError

PROBE = "nestrec"  # name of the workspaces that try whether a folder can be written to
_LOCK = "lock"
_LONGEST = 200  # bytes of a name that still leave room for the rest in the 255 that file systems allow


@contextmanager
def workspace(parent: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder inside `parent` for the new content of `name`; it is gone afterwards.

    What killed runs left for the same name is removed first. Raises OSError where nothing can be written there.
    """
    remove_leftovers(parent, name)
    folder, lock = _open(parent, name)
    try:
        content = folder / "content"
        content.mkdir()
        yield content
    finally:
        try:
            _remove(folder)
        finally:
            lock.release()


def temporary_folder() -> AbstractContextManager[Path]:
    """Return a context that yields a folder for temporary files; those of killed runs are removed first."""
    return workspace(Path(tempfile.gettempdir()), "nestrec")


def remove_leftovers(parent: Path, name: str) -> None:
    """Remove the workspaces that killed runs left for a name; those of running ones stay."""
    try:
        entries = [entry.name for entry in os.scandir(parent) if entry.name.startswith(".")]
    except OSError:
        return
    pattern = re.compile(rf"\.{re.escape(_shorten_name(name))}\.[0-9a-f]{{12}}\.partial")
    for entry in entries:
        if pattern.fullmatch(entry):
            with suppress(OSError):
                _remove_dead(parent / entry)


def is_workspace(name: str) -> bool:
    """Tell whether a file name is that of a workspace, for any target."""
    return re.fullmatch(r"\..*\.[0-9a-f]{12}\.partial", name) is not None


def check_writable(parent: Path) -> None:
    """Raise OSError where no workspace can be made in an existing folder."""
    with workspace(parent, PROBE):
        pass


def _remove(folder: Path) -> None:
    """Remove a folder, in a second attempt too where a file system failed for a moment."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def _open(parent: Path, name: str) -> tuple[Path, FileLock]:
    """Make and lock a folder; once more where another run takes it for a leftover before it is locked."""
    while True:
        folder = parent / f".{_shorten_name(name)}.{uuid.uuid4().hex[:12]}.partial"
        folder.mkdir(mode=0o700)
        try:
            return folder, FileLock(folder / _LOCK)
        except (LockTakenError, FileNotFoundError):
            continue
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _remove_dead(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        return
    try:
        lock = FileLock(folder / _LOCK)
    except LockTakenError:
        return
    try:
        if lock.held:
            shutil.rmtree(folder)
    finally:
        lock.release()


def _shorten_name(name: str) -> str:
    """Return a name short enough that a longer one can be made of it."""
    if len(os.fsencode(name)) <= _LONGEST:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
