"""Arrays in a safetensors file: written by the safetensors library, read by mapping the file into memory.

The library copies what it reads; mapping lets processes share the pages of a large model and reads only what is used.
The header is checked here, against a file that has been opened already, as strictly as the library does.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Mapping
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from nestrec.artefact.strict_json import parse_json
from nestrec.errors import ModelFileError

Arrays = dict[str, npt.NDArray[Any]]

_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U16": "<u2", "I8": "i1", "U8": "u1"}
_PREAMBLE = 8  # bytes: the header's length, little-endian
_LARGEST_HEADER = 1 << 20  # bytes; a model has a dozen tensors
_MOST_DIMENSIONS = 8
_METADATA = "__metadata__"


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays of the types that can be mapped. Raises OSError, as on a full disk."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path.touch()
    usual = path.stat().st_mode  # the library's own files can be read by their owner alone
    try:
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path)
    except SafetensorError as error:
        raise _convert_to_os_error(error, path) from error
    path.chmod(usual)


def _convert_to_os_error(error: Exception, path: Path) -> OSError:
    """Return the library's error as Python's own; the number stands in its text alone."""
    number = re.search(r"os error (\d+)", str(error))
    if number is None:
        return OSError(str(error))
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path))


def map_arrays(path: Path, file: BufferedReader) -> Arrays:
    """Return the arrays of an open file as read-only views of its pages; `path` is for the error's sentence.

    Raises ModelFileError where the file is not a whole safetensors file: its tensors must fill what follows the header
    without gaps or overlaps, each aligned to its type. The file must not be shortened while the arrays are in use: the
    system then ends the process (SIGBUS). A saved model is never changed in place, only replaced.
    """
    try:
        return _map_views(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except ValueError as error:  # msgspec.ValidationError is one
        raise ModelFileError(
            f"{path} is not a whole safetensors file ({error}); copy or train the model again"
        ) from error


def _map_views(pages: mmap.mmap) -> Arrays:
    begin = _PREAMBLE + int.from_bytes(pages[:_PREAMBLE], "little")
    if not _PREAMBLE < begin <= min(len(pages), _PREAMBLE + _LARGEST_HEADER):
        raise ValueError(f"its header cannot have {begin - _PREAMBLE} bytes")
    header = parse_json(pages[_PREAMBLE:begin])
    tensors = msgspec.convert(_drop_metadata(header), dict[str, _Tensor])
    _check_filled(tensors, begin, len(pages))
    return {name: tensor.view(pages, begin) for name, tensor in tensors.items()}


class _Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Header entry of a tensor."""

    dtype: Literal["F64", "F32", "I64", "I32", "U16", "I8", "U8"]
    shape: list[Annotated[int, msgspec.Meta(ge=0, le=2**53)]]
    data_offsets: tuple[int, int]

    def view(self, pages: mmap.mmap, begin: int) -> npt.NDArray[Any]:
        """Return the array as a view of the file's pages; `begin` is where data begin."""
        return np.ndarray(tuple(self.shape), _DTYPES[self.dtype], buffer=pages, offset=begin + self.data_offsets[0])


def _drop_metadata(header: Any) -> Any:
    return {name: entry for name, entry in header.items() if name != _METADATA} if isinstance(header, dict) else header


def _check_filled(tensors: Mapping[str, _Tensor], begin: int, end: int) -> None:
    """Raise ValueError unless the tensors follow each other from `begin` to `end`."""
    place = begin
    for name, tensor in sorted(tensors.items(), key=lambda entry: entry[1].data_offsets):
        itemsize = np.dtype(_DTYPES[tensor.dtype]).itemsize
        first, last = (begin + offset for offset in tensor.data_offsets)
        if len(tensor.shape) > _MOST_DIMENSIONS or first != place or last - first != itemsize * prod(tensor.shape):
            raise ValueError(f"the shape and offsets of {name[:40]!r} do not fit its neighbours")
        if first % itemsize:
            raise ValueError(f"{name[:40]!r} is not aligned")
        place = last
    if place != end:
        raise ValueError(f"its tensors end at byte {place} of {end}")
