"""How the numbers of a screen are kept: float32 as they are, bf16 (half of each), int8 (a quarter, with a scale).

int8 has one scale for the 64 items of a shelf, which are of like length; a query has 16 bits and a scale of its own, so
that its coding hardly adds to the error. All arithmetic on int8 is exact: sums stay below 2^31.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Float64Array
from nestrec.kernels.search.code_blocks import SHELF
from nestrec.kernels.search.top_k_buffers import GROUP

_LARGEST_CODE = 127
_LARGEST_QUERY_CODE = 32_767
_LARGEST_SUM = 2**31 - 1


class Storage(StrEnum):
    """What a screen keeps of a number."""

    FLOAT32 = "float32"
    BF16 = "bf16"
    INT8 = "int8"

    @property
    def bytes(self) -> int:
        """Bytes a number."""
        return {Storage.FLOAT32: 4, Storage.BF16: 2, Storage.INT8: 1}[self]

    @property
    def dtype(self) -> npt.DTypeLike:
        """What an array of codes is made of; numpy has no bf16, so its bits stand in whole numbers."""
        return {Storage.FLOAT32: np.float32, Storage.BF16: np.uint16, Storage.INT8: np.int8}[self]

    @property
    def per_step(self) -> int:
        """Numbers of an item that are multiplied at once."""
        return 2 if self is Storage.INT8 else 1

    def steps(self, width: int) -> int:
        """Return the steps that a prefix of this width takes."""
        return -(-width // self.per_step)


class Coded(NamedTuple):
    """CodeBlocks of items, coded."""

    codes: npt.NDArray[Any]  # (n_shelves, n_steps, SHELF, per_step)
    scales: Float64Array  # (n_shelves,)
    decoded: Float64Array  # (n_shelves, SHELF, width) what the codes stand for


def coded(storage: Storage, prefixes: Float64Array) -> Coded:
    """Code shelves of items, (n_shelves, SHELF, width)."""
    scales = np.ones(len(prefixes))
    if storage is Storage.INT8:
        largest = np.abs(prefixes).max(axis=(1, 2))
        scales = np.where(largest > 0, largest / _LARGEST_CODE, 1.0).astype(np.float32).astype(np.float64)
        by_scale = prefixes / scales[:, np.newaxis, np.newaxis]
        codes = np.clip(np.rint(by_scale), -_LARGEST_CODE, _LARGEST_CODE).astype(np.int8)
        return Coded(_laid_out(codes, storage), scales, codes * scales[:, np.newaxis, np.newaxis])
    floats = prefixes.astype(np.float32)
    if storage is Storage.FLOAT32:
        return Coded(_laid_out(floats, storage), scales, floats.astype(np.float64))
    halves = _upper_halves(floats)
    decoded = (halves.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return Coded(_laid_out(halves, storage), scales, decoded)


class CodedRows(NamedTuple):
    """Items, coded one by one."""

    codes: npt.NDArray[np.int8]  # (n, width)
    scales: Float64Array  # (n,)
    decoded: Float64Array  # (n, width)


def coded_rows(prefixes: Float64Array) -> CodedRows:
    """Code items, (n, width), in int8."""
    largest = np.abs(prefixes).max(axis=1)
    scales = np.where(largest > 0, largest / _LARGEST_CODE, 1.0).astype(np.float32).astype(np.float64)
    codes = np.clip(np.rint(prefixes / scales[:, np.newaxis]), -_LARGEST_CODE, _LARGEST_CODE)
    return CodedRows(codes.astype(np.int8), scales, codes * scales[:, np.newaxis])


class CodedQueries(NamedTuple):
    """A block of queries, coded."""

    codes: npt.NDArray[Any]  # flat (n_groups, n_steps, n_side_by_side, per_step) float32 or int16
    scales: Float64Array  # (n_queries,)
    rests: Float64Array  # (n_queries,) length of what coding left out


def coded_queries(
    storage: Storage, prefixes: Float64Array, side_by_side: int = GROUP, per_step: int | None = None
) -> CodedQueries:
    """Code queries, (n_queries, width), in groups, with so many numbers of each in a step; None: the storage's."""
    step = storage.per_step if per_step is None else per_step
    if storage is not Storage.INT8:
        floats = prefixes.astype(np.float32)
        return CodedQueries(_grouped(floats, step, side_by_side), np.ones(len(prefixes)), _lengths(prefixes - floats))
    largest_code = min(_LARGEST_QUERY_CODE, _LARGEST_SUM // (_LARGEST_CODE * (prefixes.shape[1] + 1)))
    largest = np.abs(prefixes).max(axis=1)
    scales = np.where(largest > 0, largest / largest_code, 1.0)
    codes = np.rint(prefixes / scales[:, np.newaxis])
    rests = _lengths(prefixes - codes * scales[:, np.newaxis])
    return CodedQueries(_grouped(codes.astype(np.int16), step, side_by_side), scales, rests)


def _lengths(rows: Float64Array) -> Float64Array:
    lengths: Float64Array = np.sqrt(np.vecdot(rows, rows))
    return lengths


def _laid_out(codes: npt.NDArray[Any], storage: Storage) -> npt.NDArray[Any]:
    """Return (n_shelves, n_steps, SHELF, per_step) of (n_shelves, SHELF, width); zeros where a step is not full."""
    n_shelves, _, width = codes.shape
    n_steps, per_step = storage.steps(width), storage.per_step
    full = np.zeros((n_shelves, SHELF, n_steps * per_step), dtype=codes.dtype)
    full[:, :, :width] = codes
    return np.ascontiguousarray(full.reshape(n_shelves, SHELF, n_steps, per_step).transpose(0, 2, 1, 3))


def _grouped(codes: npt.NDArray[Any], per_step: int, side_by_side: int) -> npt.NDArray[Any]:
    n_groups, n_steps = -(-len(codes) // side_by_side), -(-codes.shape[1] // per_step)
    full = np.zeros((n_groups * side_by_side, n_steps * per_step), dtype=codes.dtype)
    full[: len(codes), : codes.shape[1]] = codes
    return np.ascontiguousarray(full.reshape(n_groups, side_by_side, n_steps, per_step).transpose(0, 2, 1, 3)).ravel()


def _upper_halves(floats: Float32Array) -> npt.NDArray[np.uint16]:
    """Return the upper half of each number's bits, rounded to the nearest, ties to even."""
    bits = floats.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16)
