"""Decompress gzip, Zstandard, bzip2, xz and zip as a stream, in bounded memory for any input."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from nestrec.data.readers.foreign_files import refuse_zip_document
from nestrec.errors import DataError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Besides these, an OSError without a number of its own: bz2 raises it for damaged data.
DAMAGE: tuple[type[Exception], ...] = (
    EOFError, gzip.BadGzipFile, zlib.error, zstd.ZstdError, lzma.LZMAError, zipfile.BadZipFile, struct.error,
)  # fmt: skip
# zipfile raises KeyError for a member that is not there, IndexError for one without a name.
_DAMAGED_ZIP: tuple[type[Exception], ...] = (*DAMAGE, ValueError, LookupError, OSError)
EXTENSIONS = {".gz": "gzip", ".zst": "Zstandard", ".bz2": "bzip2", ".xz": "xz", ".zip": "zip"}
_XZ_MEMORY = 256 << 20  # bytes; `xz -9` needs 65 MiB
_AT_ONCE = 1 << 16
_README = ("readme", "license", "licence", "copying", "citation")


class XzStream(io.RawIOBase):
    """The unpacked bytes of one xz stream after another; unlike `lzma.LZMAFile`, memory is limited."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._packed = file, b""
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Unpack at most as many bytes as the buffer holds; return 0 at the end."""
        view = memoryview(buffer).cast("B")
        while not self._decoder.eof or self._next_stream():
            if self._decoder.needs_input and not self._packed:
                self._packed = self._file.read(_AT_ONCE)
                if not self._packed:
                    raise EOFError("the packed data end before their end mark")
            data, self._packed = self._packed, b""
            unpacked = self._decoder.decompress(data, max_length=len(view))
            if unpacked:
                view[: len(unpacked)] = unpacked
                return len(unpacked)
        return 0

    def _next_stream(self) -> bool:
        """Begin the stream after this one, past padding; return whether there is one."""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest:
            more = self._file.read(_AT_ONCE)
            if not more:
                return False
            rest = more.lstrip(b"\0")
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        self._packed = rest
        return True


_UNPACKERS: tuple[tuple[bytes, Callable[[BinaryIO], Any]], ...] = (
    (b"\x1f\x8b\x08", lambda file: gzip.GzipFile(fileobj=file)),
    (b"\x28\xb5\x2f\xfd", zstd.ZstdFile),
    (b"\xfd7zXZ\x00", lambda file: io.BufferedReader(XzStream(file), 1 << 20)),
)
_BZIP2, _BZIP2_BLOCKS = b"BZh", (b"1AY&SY", b"\x17rE8P\x90")
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def is_zip(head: bytes) -> bool:
    """Return whether these are the first bytes of a zip archive."""
    return head.startswith(_ZIP)


def unpack(file: BinaryIO, head: bytes, name: str, suffix: str) -> BinaryIO:
    """Return the stream of unpacked bytes, or `file` itself where the first bytes `head` are those of no packing.

    Raises DataError where the suffix promises a packing that is not there.
    """
    for signature, unpacker in _UNPACKERS:
        if head.startswith(signature):
            stream: BinaryIO = unpacker(file)
            return stream
    if head.startswith(_BZIP2) and head[4:10] in _BZIP2_BLOCKS:
        return bz2.BZ2File(file)  # type: ignore[return-value]
    if head and suffix in EXTENSIONS:
        raise DataError(f"{name} is not {EXTENSIONS[suffix]} data, though its name says so; rename it or pack it again")
    return file


def open_member(file: BinaryIO, name: str, member: str | None) -> tuple[BinaryIO, Path]:
    """Return the stream of a member of a zip archive and the member's name; `member` None takes the only one.

    Raises DataError where the archive is damaged or encrypted, or has several members and none is named.
    """
    try:
        archive = zipfile.ZipFile(file)
        files = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        refuse_zip_document(name, files)
        chosen = _choose(files, name, member)
        return archive.open(chosen), Path(chosen)  # type: ignore[return-value]
    except DataError:
        raise
    except NotImplementedError as error:
        raise DataError(f"{name} is packed in a way that is not read ({error}); extract it first") from error
    except RuntimeError as error:
        raise DataError(f"{name} is encrypted; extract it first") from error
    except _DAMAGED_ZIP as error:
        raise DataError(f"{name} is cut off or damaged ({error}); fetch or pack it again") from error


def _choose(files: list[str], name: str, member: str | None) -> str:
    if member is not None:
        if member not in files:
            raise DataError(f"{name}: the archive has no member {member!r}; its members are {_format_names(files)}")
        return member
    data = [file for file in files if _may_be_data(file)]
    if len(data) == 1:
        return data[0]
    if not data:
        raise DataError(f"{name} is a zip archive without a file of interactions; it holds {_format_names(files)}")
    raise DataError(
        f"{name} is a zip archive of {len(data)} files: {_format_names(data)}; name one as {name}::{data[0]}, or "
        "extract them"
    )


def _may_be_data(file: str) -> bool:
    path = PurePosixPath(file)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not hidden and path.suffix.lower() != ".md" and path.stem.lower() not in _README


def _format_names(files: list[str]) -> str:
    return (", ".join(files[:8]) + (", …" if len(files) > 8 else "")) or "nothing"
