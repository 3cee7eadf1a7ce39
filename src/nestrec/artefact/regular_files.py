"""Open regular files only: a named pipe or a device in a model's folder would block the reader, or never end."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from nestrec.errors import ModelFileError

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}


def open_regular(path: Path, directory: int | None = None) -> BufferedReader:
    """Open a file for reading; raise ModelFileError for what is not a regular file, OSError for what cannot be opened.

    `directory`: the descriptor of the folder that holds it, so that a folder put in its place is not read instead.
    """
    name = path if directory is None else path.name
    _check_regular(path, os.stat(name, dir_fd=directory))  # first: opening some devices has an effect
    descriptor = os.open(name, _FLAGS | getattr(os, "O_BINARY", 0), dir_fd=directory)
    try:
        _check_regular(path, os.fstat(descriptor))
    except ModelFileError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def open_directory(path: Path) -> int | None:
    """Return a descriptor of a folder; None on Windows, where folders cannot be opened. Raises OSError."""
    if os.open not in os.supports_dir_fd:
        return None
    return os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))


def _check_regular(path: Path, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "a folder")
    raise ModelFileError(f"{path} must be a regular file, got {kind}; copy or train the model again")
