"""Ids as arrays that safetensors can hold: numbers as they are, text as UTF-8 bytes and where each id begins."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Int64Array, UInt8Array
from nestrec.artefact.tensors import Arrays
from nestrec.data.ids import TEXT, IdArray
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError

_AT_ONCE = 50_000  # ids; bounds what is held as Python text or padded bytes
_SHORT = 200  # bytes; longer ids would waste memory by padding
_BEYOND_ASCII = 128


def pack_ids(name: str, vocabulary: Vocabulary) -> Arrays:
    """Return `name` (n,) int64, or `name.bytes` (total,) uint8 with `name.offsets` (n + 1,) int64."""
    if vocabulary.ids.dtype.kind != "T":
        return {name: vocabulary.ids}
    parts: list[bytes] = []
    offsets = np.zeros(len(vocabulary) + 1, dtype=np.int64)
    for block in _slice_blocks(len(vocabulary)):
        encoded = [text.encode() for text in vocabulary.ids[block].tolist()]
        offsets[block.start + 1 : block.stop + 1] = [len(text) for text in encoded]
        parts.append(b"".join(encoded))
    return {
        f"{name}.bytes": np.frombuffer(b"".join(parts), dtype=np.uint8),
        f"{name}.offsets": np.cumsum(offsets),
    }


def unpack_ids(name: str, arrays: Arrays) -> Vocabulary:
    """Return the vocabulary of `pack_ids`; numbers stay in the file's pages, text is decoded.

    Raises KeyError, UnicodeDecodeError or DataError (ids out of order) for what `pack_ids` cannot have made.
    """
    if name in arrays:
        if arrays[name].dtype != np.int64:
            raise DataError(f"{name} must be int64, got {arrays[name].dtype}")
        return Vocabulary(arrays[name])
    text, offsets = arrays[f"{name}.bytes"], arrays[f"{name}.offsets"]
    _check_offsets(name, text, offsets)
    ids: IdArray = np.empty(len(offsets) - 1, dtype=TEXT)
    for block in _slice_blocks(len(ids)):
        bounds = offsets[block.start : block.stop + 1]
        ids[block] = _decode(text[bounds[0] : bounds[-1]], bounds - bounds[0])
    return Vocabulary(ids)


def name_id_arrays(name: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the names of the arrays that `pack_ids` makes of a vocabulary."""
    return (name,) if vocabulary.ids.dtype.kind != "T" else (f"{name}.bytes", f"{name}.offsets")


def _check_offsets(name: str, text: npt.NDArray[Any], offsets: npt.NDArray[Any]) -> None:
    """Raise DataError unless the offsets cut all of the text into pieces."""
    if text.dtype != np.uint8 or offsets.dtype != np.int64 or text.ndim != 1 or offsets.ndim != 1 or not len(offsets):
        raise DataError(f"the text of {name} must be rows of uint8 and int64, got {text.dtype} and {offsets.dtype}")
    if offsets[0] != 0 or offsets[-1] != len(text) or (offsets[1:] < offsets[:-1]).any():
        raise DataError(f"the offsets of {name} do not cut its {len(text)} bytes into ids")


def _decode(text: UInt8Array, bounds: Int64Array) -> IdArray:
    """Cut text at the bounds and decode each piece."""
    lengths = np.diff(bounds)
    longest = int(lengths.max())
    # numpy checks no UTF-8, and fixed-width bytes lose zero bytes at an id's end.
    plain = len(text) == 0 or (text.min() > 0 and text.max() < _BEYOND_ASCII)
    if longest > _SHORT or not plain:
        pieces = [text[first:last].tobytes().decode() for first, last in pairwise(bounds.tolist())]
        return np.array(pieces, dtype=TEXT)
    # Fixed-width bytes, which numpy takes over more than twice as fast as Python can make the pieces.
    padded = np.zeros((len(lengths), max(longest, 1)), dtype=np.uint8)
    padded[np.arange(padded.shape[1]) < lengths[:, np.newaxis]] = text
    return padded.view(f"S{padded.shape[1]}")[:, 0].astype(TEXT)


def _slice_blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _AT_ONCE, n)) for start in range(0, n, _AT_ONCE))
