"""Columns buffered in memory up to a limit, and beyond it in a temporary file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from nestrec.data.temporary import explain_temporary_failure, open_temporary_file

Part = tuple[npt.NDArray[Any], ...]  # arrays of one length, one for each column

_WHY = "rows beyond half of memory_limit_mb wait in a temporary file"


class SpilledColumns:
    """Columns of equal length, appended part by part and read again in the same order. Close it."""

    def __init__(self, dtypes: tuple[type[np.generic], ...], memory_bytes: int) -> None:
        self._dtypes, self._limit = tuple(map(np.dtype, dtypes)), memory_bytes
        self._parts: list[Part] = []
        self._held = 0
        self._spilled: list[int] = []  # rows in each part of the file
        self._file: BinaryIO | None = None
        self.n_rows = 0

    def append(self, *columns: npt.NDArray[Any]) -> None:
        """Add rows; (n,) each."""
        self._parts.append(columns)
        self.n_rows += len(columns[0])
        self._held += sum(column.nbytes for column in columns)
        if self._held > self._limit:
            self._spill()

    def parts(self) -> Iterator[Part]:
        """Yield the parts in the order in which they came."""
        if self._file is not None:
            self._file.seek(0)
            for n_rows in self._spilled:
                yield tuple(self._read(n_rows, dtype) for dtype in self._dtypes)
            self._file.seek(0, 2)
        yield from self._parts

    def clear(self) -> None:
        """Free the buffered rows."""
        self._parts.clear()

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        if self._file is None:
            self._file = open_temporary_file(_WHY)
        try:
            for part in self._parts:
                for column in part:
                    self._file.write(column.data)
                self._spilled.append(len(part[0]))
        except OSError as error:
            raise explain_temporary_failure(_WHY, error) from error
        self._parts.clear()
        self._held = 0

    def _read(self, n_rows: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        n_bytes = n_rows * dtype.itemsize
        try:
            raw = self._file.read(n_bytes) if self._file is not None else b""
        except OSError as error:
            raise explain_temporary_failure(_WHY, error) from error
        if len(raw) < n_bytes:
            raise explain_temporary_failure(_WHY, OSError("the file is shorter than what was written"))
        return np.frombuffer(bytearray(raw), dtype=dtype)
