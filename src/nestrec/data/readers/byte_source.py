"""A file as UTF-8 bytes: decompressed, decoded, without a byte order mark. Pipes are read like files."""

from __future__ import annotations

import codecs
import io
import os
import stat
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, BinaryIO

from nestrec.data.formats import Format, find_by_signature
from nestrec.data.readers.foreign_files import HEAD_BYTES, refuse_foreign
from nestrec.data.readers.location import Location
from nestrec.data.readers.packing import DAMAGE, is_zip, open_member, unpack
from nestrec.errors import DataError

_AT_ONCE = 1 << 20
_STANDARD_INPUT = 0  # file descriptor


class _Lookahead(io.RawIOBase):
    """A file whose first bytes were read ahead, so that it need not be seekable; counts what has been read."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        self._ahead = b""
        self.position = 0  # bytes handed on

    def readable(self) -> bool:
        """Return True."""
        return True

    def peek(self, n_bytes: int) -> bytes:
        """Return the first bytes, without consuming them."""
        while len(self._ahead) < n_bytes:
            more = self._file.read(n_bytes - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer with what was read ahead, then from the file."""
        view = memoryview(buffer).cast("B")
        if self._ahead:
            n_bytes = min(len(view), len(self._ahead))
            view[:n_bytes], self._ahead = self._ahead[:n_bytes], self._ahead[n_bytes:]
        else:
            n_bytes = self._file.readinto(view) or 0
        self.position += n_bytes
        return n_bytes

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class ByteSource(io.RawIOBase):
    """The contents of a file, a pipe or a member of a zip archive, a raw stream to be read once from the start."""

    def __init__(self, location: Location | Path, encoding: str | None = None) -> None:
        """Open the file, unpack it and look at its first bytes; text in `encoding` becomes UTF-8.

        Raises DataError where there is no such file, it cannot be opened or unpacked, or is of a kind that is not read.
        """
        self._resources = ExitStack()
        self.location = Location(location) if isinstance(location, Path) else location
        self.path = self.location.name  # as messages show it
        self.data_path = self.location.path  # whose suffixes tell the format; of the member inside an archive
        self._archive: BinaryIO | None = None
        self._raw, self.size = self._open()
        try:
            self._stream = self._resources.enter_context(closing(self._open_stream()))
            self._pending = self._unpack(_AT_ONCE)
            head = self._pending[:HEAD_BYTES]
            self.format = find_by_signature(head, self.extension)  # None: text
            if self.format is None:
                refuse_foreign(self.path, head)
            self._encoding = encoding
            self._recoder = _find_decoder(self._pending[:4096], encoding) if self.format is None else None
            self._pending = self._recode(self._pending, at_end=False)
        except BaseException:
            self.close()
            raise
        if self.format is None and self._pending.startswith(codecs.BOM_UTF8):
            self._pending = self._pending[3:]

    @property
    def extension(self) -> str:
        """The extension of the data's name in lower case, without the dot."""
        return self.data_path.suffix.lower().lstrip(".")

    @property
    def is_plain_file(self) -> bool:
        """Return whether the path names the very bytes: a regular file that is not packed."""
        return self.is_regular and not self.is_packed

    def _open(self) -> tuple[_Lookahead, int | None]:
        """Return the opened file and its size, which is None where only reading to the end tells it."""
        try:
            if self.location.is_standard_input:
                file = os.fdopen(os.dup(_STANDARD_INPUT), "rb", buffering=0)
            else:
                file = self.location.path.open("rb", buffering=0)
            status = os.fstat(file.fileno())
        except OSError as error:
            raise _explain_os_error(self.path, error) from error
        self.is_regular = stat.S_ISREG(status.st_mode) and not self.location.is_standard_input
        size = status.st_size if self.is_regular and status.st_size else None
        return self._resources.enter_context(closing(_Lookahead(file))), size

    def _open_stream(self) -> BinaryIO:
        try:
            head = self._raw.peek(HEAD_BYTES)
        except OSError as error:
            raise _explain_os_error(self.path, error) from error
        if is_zip(head):
            return self._open_zip_member()
        if self.location.member is not None and not _is_database(find_by_signature(head, self.extension)):
            raise DataError(
                f"{self.location.path} is neither a zip archive nor a database, so it has no part "
                f"{self.location.member!r}; give the path alone"
            )
        file = io.BufferedReader(self._raw, _AT_ONCE)
        stream = unpack(file, head, self.path, self.data_path.suffix.lower())
        self.is_packed = stream is not file
        if self.is_packed:
            self.data_path = self.data_path.with_suffix("")
        return stream

    def _open_zip_member(self) -> BinaryIO:
        self.is_packed = True
        if not self.is_regular:
            raise DataError(
                f"{self.path} is a zip archive in a pipe, which cannot be read in order; write it to a file"
            )
        self._archive = self._resources.enter_context(self.location.path.open("rb"))
        stream, self.data_path = open_member(self._archive, str(self.location.path), self.location.member)
        return stream

    @property
    def position(self) -> int:
        """Bytes of the file on disk read so far."""
        if self._archive is not None and not self._archive.closed:
            return self._archive.tell()
        return self._raw.position

    def head(self, n_bytes: int) -> bytes:
        """Return the first bytes without consuming them; at most 256 KB."""
        return self._pending[:n_bytes]

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer from the start; return how many bytes there were, 0 at the end."""
        view = memoryview(buffer).cast("B")
        if not self._pending and not self._refill():
            return 0
        n_bytes = min(len(view), len(self._pending))
        view[:n_bytes] = self._pending[:n_bytes]
        self._pending = self._pending[n_bytes:]
        return n_bytes

    def close(self) -> None:
        """Close the file."""
        self._resources.close()
        super().close()

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
        except DAMAGE as error:
            raise self._explain_damage(error) from error
        except OSError as error:
            if error.errno is None:  # so bz2 tells of damage
                raise self._explain_damage(error) from error
            raise _explain_os_error(self.path, error) from error

    def _explain_damage(self, error: Exception) -> DataError:
        total = "" if self.size is None else f" into its {self.size:,}"
        return DataError(
            f"{self.path} is cut off or damaged: unpacking stops {self.position:,} bytes{total} ({error}); "
            "fetch or pack it again"
        )

    def _recode(self, raw: bytes, *, at_end: bool) -> bytes:
        if self._recoder is None:
            return raw
        try:
            text: str = self._recoder.decode(raw, at_end)
            return text.encode("utf-8")
        except UnicodeError as error:
            if self._encoding is None:
                raise DataError(
                    f"{self.path} looks like UTF-16 and is not valid ({error}); save it as UTF-8"
                ) from error
            raise DataError(
                f"{self.path} is not text in {self._encoding} ({error}); give its encoding, or save it as UTF-8",
                mentions=("encoding",),
            ) from error


def _is_database(format_: Format | None) -> bool:
    return format_ is not None and format_.name in ("sqlite", "duckdb")


def _find_decoder(head: bytes, encoding: str | None) -> Any:
    """Return a decoder of the encoding, or, where none is given, of UTF-16 that the bytes are in; None for UTF-8."""
    if encoding is not None:
        name = codecs.lookup(encoding).name
        return None if name in ("utf-8", "ascii", "utf-8-sig") else codecs.getincrementaldecoder(name)()
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return codecs.getincrementaldecoder("utf-16")()
    # Without a mark: ASCII text in UTF-16 has a zero in every second byte, and text in UTF-8 has none.
    even, odd = head[0::2], head[1::2]
    if len(odd) >= 4 and odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.2 * len(even):
        return codecs.getincrementaldecoder("utf-16-le")()
    if len(odd) >= 4 and even.count(0) > 0.6 * len(even) and odd.count(0) < 0.2 * len(odd):
        return codecs.getincrementaldecoder("utf-16-be")()
    return None


def _explain_os_error(name: str, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{name} does not exist; check the path")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{name} is a folder; give a file in it")
    return DataError(f"{name} cannot be read ({error.strerror or error}); check the file and its permissions")
