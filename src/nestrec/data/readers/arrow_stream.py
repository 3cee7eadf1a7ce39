"""Reading an Arrow C stream without an Arrow library: the structures of the C data interface through ctypes.

https://arrow.apache.org/docs/format/CStreamInterface.html. Only the types that the SQL of `tables.py` asks for occur:
int64 (`l`), float64 (`g`), and UTF-8 text or bytes with 32- or 64-bit offsets (`u`, `U`, `z`, `Z`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import BoolArray
from nestrec.data.id_index import TextIds


class ArrowStreamError(Exception):
    """The producer of the stream reported an error."""


class _Schema(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
    ("private_data", ctypes.c_void_p),
]


class _Array(ctypes.Structure):
    pass


_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
    ("private_data", ctypes.c_void_p),
]


class _Stream(ctypes.Structure):
    _fields_ = [
        ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("private_data", ctypes.c_void_p),
    ]


@dataclass(frozen=True)
class ArrowColumn:
    """One column of a batch; valid only until the next batch is asked for."""

    values: npt.NDArray[Any] | TextIds  # (n,) int64, float64 or text
    present: BoolArray | None  # (n,) False where null; None where nothing is
    is_binary: bool = False  # bytes that may or may not be UTF-8


def arrow_batches(capsule: object) -> Iterator[list[ArrowColumn]]:
    """Yield the columns of each batch of a stream.

    Raises ArrowStreamError with the producer's words where it fails.
    """
    address = _address(capsule)
    stream = _Stream.from_address(address)
    schema = _Schema()
    _check(stream, address, stream.get_schema(address, ctypes.addressof(schema)))
    formats = [schema.children[place].contents.format.decode() for place in range(schema.n_children)]
    schema.release(ctypes.addressof(schema))
    while True:
        array = _Array()
        _check(stream, address, stream.get_next(address, ctypes.addressof(array)))
        if not array.release:
            return
        try:
            yield [_column(array.children[place].contents, kind) for place, kind in enumerate(formats)]
        finally:
            array.release(ctypes.addressof(array))


def _address(capsule: object) -> int:
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address: int = get_pointer(capsule, b"arrow_array_stream")
    return address


def _check(stream: _Stream, address: int, code: int) -> None:
    if code:
        message = stream.get_last_error(address)
        raise ArrowStreamError((message or b"unknown error").decode("utf-8", "replace"))


def _column(array: _Array, kind: str) -> ArrowColumn:
    n, offset = array.length, array.offset
    present = None
    if array.null_count != 0 and array.buffers[0]:
        bits = np.unpackbits(_view(array.buffers[0], np.uint8, (offset + n + 7) // 8), bitorder="little")
        present = bits[offset : offset + n].astype(np.bool_)
    if kind in "uUzZ" and not n:
        nothing = np.empty(0, dtype=np.int64)  # an empty array may come without buffers
        return ArrowColumn(TextIds(np.empty(0, dtype=np.uint8), nothing, nothing), present, kind in "zZ")
    if kind in "uUzZ":
        ends = _view(array.buffers[1], np.int32 if kind in "uz" else np.int64, offset + n + 1)[offset:].astype(np.int64)
        contents = _view(array.buffers[2], np.uint8, int(ends[-1]))
        return ArrowColumn(TextIds(contents, ends[:-1], ends[1:]), present, kind in "zZ")
    dtype = np.int64 if kind == "l" else np.float64
    return ArrowColumn(_view(array.buffers[1], dtype, offset + n)[offset:], present)


def _view(address: int | None, dtype: type[np.generic], size: int) -> npt.NDArray[Any]:
    n_bytes = size * np.dtype(dtype).itemsize
    if not address or not n_bytes:
        return np.empty(0 if not address else size, dtype=dtype)
    memory = memoryview((ctypes.c_uint8 * n_bytes).from_address(address))
    view: npt.NDArray[Any] = np.frombuffer(memory, dtype=np.uint8).view(dtype)
    return view
