"""Columns of an Arrow C stream as NumPy arrays, through nanoarrow.

Only the types that the SQL of `tables.py` selects occur: int64, float64, and UTF-8 text or bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from nanoarrow import c_array_stream

from nestrec.arrays import BoolArray
from nestrec.data.id_index import TextIds

_OFFSETS: dict[str, npt.DTypeLike] = {
    "u": np.int32,
    "z": np.int32,
    "U": np.int64,
    "Z": np.int64,
}  # text and bytes, by the format of the type
_NUMBERS: dict[str, npt.DTypeLike] = {"l": np.int64, "g": np.float64}


class ArrowStreamError(Exception):
    """The producer of the stream reported an error."""


@dataclass(frozen=True)
class ArrowColumn:
    """One column of a batch; valid only until the next batch is read."""

    values: npt.NDArray[Any] | TextIds  # (n,) int64, float64 or text
    present: BoolArray | None  # (n,) False where null; None where nothing is
    is_binary: bool = False  # bytes that may or may not be UTF-8

    def format_value(self, row: int) -> str:
        """Return one value for showing."""
        if self.present is not None and not self.present[row]:
            return "null"
        return self.values.at(row) if isinstance(self.values, TextIds) else str(self.values[row])


def arrow_batches(source: Any) -> Iterator[list[ArrowColumn]]:
    """Yield the columns of each batch of a table that has `__arrow_c_stream__`.

    Raises ArrowStreamError with the producer's message where it fails.
    """
    try:
        for array in c_array_stream(source):
            yield [_column(child) for child in array.children]
    except RuntimeError as error:  # NanoarrowException among them
        raise ArrowStreamError(str(error)) from error


def _column(array: Any) -> ArrowColumn:
    kind, n, offset = array.schema.format, array.length, array.offset
    buffers = list(array.view().buffers)
    present = None
    if array.null_count != 0 and len(buffers[0]):
        bits = np.unpackbits(np.frombuffer(buffers[0], dtype=np.uint8), bitorder="little")
        present = bits[offset : offset + n].astype(np.bool_)
    if kind in _NUMBERS:
        return ArrowColumn(_array(buffers[1], _NUMBERS[kind])[offset : offset + n], present)
    if not n:  # an empty array may come without buffers
        return ArrowColumn(TextIds.from_bytes([]), present, kind in "zZ")
    ends = _array(buffers[1], _OFFSETS[kind])[offset : offset + n + 1].astype(np.int64)
    return ArrowColumn(TextIds(_array(buffers[2], np.uint8)[: ends[-1]], ends[:-1], ends[1:]), present, kind in "zZ")


def _array(buffer: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.frombuffer(buffer, dtype=dtype) if buffer.size_bytes else np.empty(0, dtype=dtype)
