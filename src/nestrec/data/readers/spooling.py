"""Paths for readers that must seek: what only comes as a stream (a pipe, a packed file) is copied to a file."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from nestrec.data.readers.byte_source import ByteSource
from nestrec.errors import DataError

_LARGEST_RATIO = 300  # unpacked to packed; a file of columns is packed already, so more of it is a bomb
_ALWAYS_ALLOWED = 256 << 20  # bytes
_AT_ONCE = 1 << 20


def get_local_path(source: ByteSource, resources: ExitStack) -> Path:
    """Return a path of the bytes of a source: its own, or that of a copy which closing `resources` removes.

    Raises DataError where there is no room, or a small file unpacks to an enormous one.
    """
    return source.location.path if source.is_plain_file else copy_to_temporary_file(source, resources)


def copy_to_temporary_file(source: ByteSource, resources: ExitStack) -> Path:
    """Return a path of a copy of the bytes of a source, unpacked and decoded, which closing `resources` removes.

    Raises DataError where there is no room, or a small file unpacks to an enormous one.
    """
    try:
        path = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="nestrec-"))) / "spooled"
    except OSError as error:
        raise _explain_no_room(source, error) from error
    limit = None if source.size is None or not source.is_packed else _ALWAYS_ALLOWED + _LARGEST_RATIO * source.size
    _copy(source, path, limit)
    return path


def _copy(source: ByteSource, path: Path, limit: int | None) -> None:
    with path.open("wb") as file:
        while chunk := source.read(_AT_ONCE):
            try:
                file.write(chunk)
            except OSError as error:
                raise _explain_no_room(source, error) from error
            if limit is not None and file.tell() > limit:
                raise DataError(
                    f"{source.path} unpacks to more than {limit:,} bytes, {_LARGEST_RATIO} times its size; "
                    "check that it is what it should be, or unpack it yourself"
                )


def _explain_no_room(source: ByteSource, error: OSError) -> DataError:
    return DataError(
        f"{source.path} is packed or a pipe and must be copied to a temporary file, which cannot be written "
        f"({error.strerror or error}); make room, or name another folder with the variable TMPDIR"
    )
