"""Quantization of a coarse index: float32 as it is, bf16 (half the bytes), int8 (a quarter, with a scale).

int8 has one scale for the 64 items of a code block, which are of similar norm; a query has 16 bits and a scale of its
own, so that quantizing it hardly adds to the error. All arithmetic on int8 is exact: sums stay below 2^31.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Float64Array
from nestrec.kernels.search.code_blocks import BLOCK
from nestrec.kernels.search.top_k_buffers import GROUP
from nestrec.norms import norms

_LARGEST_CODE = 127
_LARGEST_QUERY_CODE = 32_767
_LARGEST_SUM = 2**31 - 1


class Storage(StrEnum):
    """Type of the codes of a coarse index."""

    FLOAT32 = "float32"
    BF16 = "bf16"
    INT8 = "int8"

    @property
    def dtype(self) -> npt.DTypeLike:
        """Dtype of an array of codes; numpy has no bf16, so its bits are kept in uint16."""
        return {Storage.FLOAT32: np.float32, Storage.BF16: np.uint16, Storage.INT8: np.int8}[self]

    @property
    def per_step(self) -> int:
        """Dimensions of an item that are multiplied at once."""
        return 2 if self is Storage.INT8 else 1

    def steps(self, width: int) -> int:
        """Return the number of steps of a prefix of this width."""
        return -(-width // self.per_step)


class QuantizedBlocks(NamedTuple):
    """Code blocks of items."""

    codes: npt.NDArray[Any]  # (n_blocks, n_steps, BLOCK, per_step)
    scales: Float64Array  # (n_blocks,)
    decoded: Float64Array  # (n_blocks, BLOCK, width) values of the codes


def quantize_blocks(storage: Storage, prefixes: Float64Array) -> QuantizedBlocks:
    """Quantize blocks of items, (n_blocks, BLOCK, width)."""
    scales = np.ones(len(prefixes))
    if storage is Storage.INT8:
        scales = _int8_scales(np.abs(prefixes).max(axis=(1, 2)))
        by_scale = prefixes / scales[:, np.newaxis, np.newaxis]
        codes = np.clip(np.rint(by_scale), -_LARGEST_CODE, _LARGEST_CODE).astype(np.int8)
        return QuantizedBlocks(_lay_out(codes, storage), scales, codes * scales[:, np.newaxis, np.newaxis])
    floats = prefixes.astype(np.float32)
    if storage is Storage.FLOAT32:
        return QuantizedBlocks(_lay_out(floats, storage), scales, floats.astype(np.float64))
    halves = _upper_halves(floats)
    decoded = (halves.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return QuantizedBlocks(_lay_out(halves, storage), scales, decoded)


class QuantizedVectors(NamedTuple):
    """Items with a scale each."""

    codes: npt.NDArray[np.int8]  # (n, width)
    scales: Float64Array  # (n,)
    decoded: Float64Array  # (n, width)


def quantize_vectors(prefixes: Float64Array) -> QuantizedVectors:
    """Quantize items, (n, width), to int8 with a scale for each."""
    scales = _int8_scales(np.abs(prefixes).max(axis=1))
    codes = np.clip(np.rint(prefixes / scales[:, np.newaxis]), -_LARGEST_CODE, _LARGEST_CODE)
    return QuantizedVectors(codes.astype(np.int8), scales, codes * scales[:, np.newaxis])


class QuantizedQueries(NamedTuple):
    """A block of queries."""

    codes: npt.NDArray[Any]  # flat (n_groups, n_steps, group_size, per_step) float32 or int16
    scales: Float64Array  # (n_queries,)
    errors: Float64Array  # (n_queries,) norm of the difference between a query and its codes


def quantize_queries(
    storage: Storage, prefixes: Float64Array, group_size: int = GROUP, per_step: int | None = None
) -> QuantizedQueries:
    """Quantize queries, (n_queries, width), in groups; `per_step` dimensions to a step, by default the storage's."""
    step = storage.per_step if per_step is None else per_step
    if storage is not Storage.INT8:
        floats = prefixes.astype(np.float32)
        return QuantizedQueries(_group(floats, step, group_size), np.ones(len(prefixes)), norms(prefixes - floats))
    largest_code = min(_LARGEST_QUERY_CODE, _LARGEST_SUM // (_LARGEST_CODE * (prefixes.shape[1] + 1)))
    largest = np.abs(prefixes).max(axis=1)
    scales = np.where(largest > 0, largest / largest_code, 1.0)
    codes = np.rint(prefixes / scales[:, np.newaxis])
    errors = norms(prefixes - codes * scales[:, np.newaxis])
    return QuantizedQueries(_group(codes.astype(np.int16), step, group_size), scales, errors)


def _int8_scales(largest: Float64Array) -> Float64Array:
    """Return scales, exact in float32, by which the largest value becomes the largest code."""
    return np.where(largest > 0, largest / _LARGEST_CODE, 1.0).astype(np.float32).astype(np.float64)


def _lay_out(codes: npt.NDArray[Any], storage: Storage) -> npt.NDArray[Any]:
    """Return (n_blocks, n_steps, BLOCK, per_step) of (n_blocks, BLOCK, width); zeros where a step is not full."""
    n_blocks, _, width = codes.shape
    n_steps, per_step = storage.steps(width), storage.per_step
    full = np.zeros((n_blocks, BLOCK, n_steps * per_step), dtype=codes.dtype)
    full[:, :, :width] = codes
    return np.ascontiguousarray(full.reshape(n_blocks, BLOCK, n_steps, per_step).transpose(0, 2, 1, 3))


def _group(codes: npt.NDArray[Any], per_step: int, group_size: int) -> npt.NDArray[Any]:
    n_groups, n_steps = -(-len(codes) // group_size), -(-codes.shape[1] // per_step)
    full = np.zeros((n_groups * group_size, n_steps * per_step), dtype=codes.dtype)
    full[: len(codes), : codes.shape[1]] = codes
    return np.ascontiguousarray(full.reshape(n_groups, group_size, n_steps, per_step).transpose(0, 2, 1, 3)).ravel()


def _upper_halves(floats: Float32Array) -> npt.NDArray[np.uint16]:
    """Return the upper half of each number's bits, rounded to the nearest, ties to even."""
    bits = floats.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16)
