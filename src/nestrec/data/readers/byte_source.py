"""A file as UTF-8 bytes: gzip and Zstandard are unpacked, UTF-16 is recoded, a byte order mark is dropped."""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from nestrec.errors import DataError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_DAMAGE: tuple[type[Exception], ...] = (EOFError, gzip.BadGzipFile, zlib.error, zstd.ZstdError)
_AT_ONCE = 1 << 20


def unpacked(file: BinaryIO, path: Path) -> BinaryIO:
    """Return a stream of the unpacked bytes, whatever the file is called, but refuse `.gz` that is no gzip."""
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(_GZIP):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if magic == _ZSTD:
        return zstd.ZstdFile(file)  # type: ignore[return-value]
    if magic and path.suffix.lower() in (".gz", ".zst"):
        kind = "gzip" if path.suffix.lower() == ".gz" else "Zstandard"
        raise DataError(f"{path} is not {kind} data, though its name says so; rename it or pack it again")
    return file


class ByteSource:
    """The text of a file as UTF-8, to be read once from the start."""

    def __init__(self, path: Path, *, recode: bool = True) -> None:
        """Open the file and look at its first bytes.

        Raises DataError where there is no such file, or it cannot be opened or unpacked.
        """
        self.path = path
        try:
            self._file = path.open("rb")
            self.size = path.stat().st_size
        except OSError as error:
            raise _unopened(path, error) from error
        try:
            self._stream = unpacked(self._file, path)
            self.is_packed = self._stream is not self._file
            self._pending = self._unpack(_AT_ONCE)
            self._recoder = _recoder(self._pending[:4096]) if recode else None
            self._pending = self._recode(self._pending, at_end=False)
        except BaseException:
            self._file.close()
            raise
        if recode and self._recoder is None and self._pending.startswith(codecs.BOM_UTF8):
            self._pending = self._pending[3:]

    @property
    def position(self) -> int:
        """Bytes of the file on disk read so far."""
        return 0 if self._file.closed else self._file.tell()

    def head(self, n_bytes: int) -> bytes:
        """Return the first bytes without consuming them; at most 256 KB."""
        return self._pending[:n_bytes]

    def readinto(self, view: memoryview) -> int:
        """Fill the view from the start; return how many bytes there were, 0 at the end."""
        if not self._pending and not self._refill():
            return 0
        n_bytes = min(len(view), len(self._pending))
        view[:n_bytes] = self._pending[:n_bytes]
        self._pending = self._pending[n_bytes:]
        return n_bytes

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._file.close()

    def _refill(self) -> bool:
        while not self._pending:
            packed = self._unpack(_AT_ONCE)
            self._pending = self._recode(packed, at_end=not packed)
            if not packed:
                break
        return bool(self._pending)

    def _unpack(self, n_bytes: int) -> bytes:
        try:
            return self._stream.read(n_bytes)
        except _DAMAGE as error:
            raise DataError(
                f"{self.path} is cut off or damaged: unpacking stops {self.position:,} bytes into its "
                f"{self.size:,} ({error}); fetch or pack it again"
            ) from error
        except OSError as error:
            raise _unopened(self.path, error) from error

    def _recode(self, raw: bytes, *, at_end: bool) -> bytes:
        if self._recoder is None:
            return raw
        try:
            text: str = self._recoder.decode(raw, at_end)
            return text.encode("utf-8")
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            raise DataError(f"{self.path} looks like UTF-16 and is not valid ({error}); save it as UTF-8") from error


def _recoder(head: bytes) -> Any:
    """Return a decoder where the bytes are UTF-16, else None."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return codecs.getincrementaldecoder("utf-16")()
    # Without a mark: ASCII text in UTF-16 has a zero in every second byte, and text in UTF-8 has none.
    even, odd = head[0::2], head[1::2]
    if len(odd) >= 4 and odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.2 * len(even):
        return codecs.getincrementaldecoder("utf-16-le")()
    if len(odd) >= 4 and even.count(0) > 0.6 * len(even) and odd.count(0) < 0.2 * len(odd):
        return codecs.getincrementaldecoder("utf-16-be")()
    return None


def _unopened(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path} does not exist; check the path")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{path} is a directory; give a file in it")
    return DataError(f"{path} cannot be read: {error.strerror or error}; check the file and its permissions")


def as_stream(source: ByteSource) -> io.RawIOBase:
    """Return the rest of the source for whoever reads lines."""

    class _Raw(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any, /) -> int:
            return source.readinto(memoryview(buffer).cast("B"))

    return _Raw()
