"""A directory that changes as a whole: whoever opens it finds the old content or the new, never part of each.

New content is written beside it, flushed to the disk and renamed into place. Where the system can exchange two names in
one step (Linux, renameat2), an existing directory is replaced so. Elsewhere the old one is first renamed to
`.NAME.previous`; a crash before the second rename leaves it there, whole, and `current` finds it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

_AT_WORKING_DIRECTORY = -100
_EXCHANGE = 2


def current(target: Path) -> Path:
    """Return where the directory's content is: the target, or what an interrupted replacement left of it."""
    previous = _previous(target)
    return previous if not target.exists() and previous.is_dir() else target


def replace_directory(target: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write files into an empty directory and put it in the target's place. On an error nothing changes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.partial")
    partial.mkdir()
    try:
        fill(partial)
        _flush(partial)
        _put(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # after an exchange, the old content
    _flush_directory(target.parent)


def _put(partial: Path, target: Path) -> None:
    previous = _previous(target)
    if current(target) == previous:
        previous.rename(target)
    if target.exists() and not any(target.iterdir()):
        target.rmdir()
    if not target.exists():
        partial.rename(target)
    elif not _exchange(partial, target):
        shutil.rmtree(previous, ignore_errors=True)
        target.rename(previous)
        partial.rename(target)
        shutil.rmtree(previous, ignore_errors=True)


def _previous(target: Path) -> Path:
    return target.with_name(f".{target.name}.previous")


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the system or the file system cannot."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    here = _AT_WORKING_DIRECTORY
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), _EXCHANGE) == 0)


def _flush(directory: Path) -> None:
    for path in directory.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    _flush_directory(directory)


def _flush_directory(directory: Path) -> None:
    if os.name == "nt":  # a directory cannot be opened there
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
