"""Copying what only comes as a stream (a pipe, a packed file) to a temporary file, for readers that must seek."""

from __future__ import annotations

import tempfile
from pathlib import Path

from nestrec.data.readers.byte_source import ByteSource, as_stream
from nestrec.errors import DataError

_LARGEST_RATIO = 300  # unpacked to packed; a file of columns is packed already, so more of it is a bomb
_ALWAYS_ALLOWED = 256 << 20  # bytes
_AT_ONCE = 1 << 20


def spool(source: ByteSource) -> tuple[Path, tempfile.TemporaryDirectory[str]]:
    """Write the rest of the source to a file; return it and the temporary folder that holds it.

    Raises DataError where there is no room, or a small file unpacks to an enormous one.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="nestrec-")
    except OSError as error:
        raise _no_room(source, error) from error
    path = Path(folder.name) / "spooled"
    limit = None if source.size is None or not source.is_packed else _ALWAYS_ALLOWED + _LARGEST_RATIO * source.size
    try:
        _copy(source, path, limit)
    except BaseException:
        folder.cleanup()
        raise
    return path, folder


def _copy(source: ByteSource, path: Path, limit: int | None) -> None:
    stream = as_stream(source)
    with path.open("wb") as file:
        while chunk := stream.read(_AT_ONCE):
            try:
                file.write(chunk)
            except OSError as error:
                raise _no_room(source, error) from error
            if limit is not None and file.tell() > limit:
                raise DataError(
                    f"{source.path} unpacks to more than {limit:,} bytes, {_LARGEST_RATIO} times its size; "
                    "check that it is what it should be, or unpack it yourself"
                )


def _no_room(source: ByteSource, error: OSError) -> DataError:
    return DataError(
        f"{source.path} is packed or a pipe and must be copied to a temporary file, which cannot be written "
        f"({error.strerror or error}); make room, or name another folder with the variable TMPDIR"
    )
