"""Arrays in a safetensors file: written by the safetensors library, read by mapping the file into memory.

The library checks the file but copies what it reads; mapping lets processes share the pages of a large model and reads
only what is used.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.errors import ModelFileError

Arrays = dict[str, npt.NDArray[Any]]

_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U16": "<u2", "I8": "i1", "U8": "u1"}
_PREAMBLE = 8  # bytes: the header's length, little-endian


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays of the types that can be mapped. Raises OSError, as on a full disk."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path.touch()
    usual = path.stat().st_mode  # the library's own files can be read by their owner alone
    try:
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path)
    except SafetensorError as error:
        raise _as_os_error(error, path) from error
    path.chmod(usual)


def _as_os_error(error: Exception, path: Path) -> OSError:
    """Return the library's error as Python's own; the number stands in its text alone."""
    number = re.search(r"os error (\d+)", str(error))
    if number is None:
        return OSError(str(error))
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path))


def map_arrays(path: Path, file: BufferedReader) -> Arrays:
    """Return the arrays of an open file as read-only views of its pages; `path` is for the error's sentence.

    Raises ModelFileError where the file is no whole safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            return _mapped(file)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelFileError(f"{path} is no whole safetensors file ({error}); copy or train the model again") from error


def _mapped(file: BufferedReader) -> Arrays:
    pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    begin = _PREAMBLE + int.from_bytes(pages[:_PREAMBLE], "little")
    header = json.loads(pages[_PREAMBLE:begin])
    header.pop("__metadata__", None)
    return {
        name: np.ndarray(entry["shape"], _DTYPES[entry["dtype"]], buffer=pages, offset=begin + entry["data_offsets"][0])
        for name, entry in header.items()
    }
