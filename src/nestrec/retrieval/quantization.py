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


class Quantized(NamedTuple):
    """Codes of items; one scale for each block of them, or for each item."""

    codes: npt.NDArray[Any]
    scales: Float64Array  # (n,)
    decoded: Float64Array  # values of the codes, in the shape of the vectors


def quantize_blocks(storage: Storage, prefixes: Float64Array) -> Quantized:
    """Quantize blocks of items, (n_blocks, BLOCK, width), to codes (n_blocks, n_steps, BLOCK, per_step)."""
    if storage is Storage.INT8:
        codes, scales, decoded = quantize_to_int8(prefixes)
        return Quantized(_lay_out(codes, BLOCK, storage.per_step), scales, decoded)
    codes = floats = prefixes.astype(np.float32)
    if storage is Storage.BF16:
        codes = _upper_halves(floats)
        floats = (codes.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return Quantized(_lay_out(codes, BLOCK, storage.per_step), np.ones(len(prefixes)), floats.astype(np.float64))


def quantize_to_int8(prefixes: Float64Array) -> Quantized:
    """Quantize items, (n, width), or blocks of items, (n, BLOCK, width), with one scale for each of the n."""
    largest = np.abs(prefixes).max(axis=tuple(range(1, prefixes.ndim)), keepdims=True)
    # exact in float32
    scales = np.where(largest > 0, largest / _LARGEST_CODE, 1.0).astype(np.float32).astype(np.float64)
    codes = np.clip(np.rint(prefixes / scales), -_LARGEST_CODE, _LARGEST_CODE).astype(np.int8)
    return Quantized(codes, scales.ravel(), codes * scales)


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
        return QuantizedQueries(
            _lay_out(floats, group_size, step).ravel(), np.ones(len(prefixes)), norms(prefixes - floats)
        )
    largest_code = min(_LARGEST_QUERY_CODE, _LARGEST_SUM // (_LARGEST_CODE * (prefixes.shape[1] + 1)))
    largest = np.abs(prefixes).max(axis=1)
    scales = np.where(largest > 0, largest / largest_code, 1.0)
    codes = np.rint(prefixes / scales[:, np.newaxis])
    errors = norms(prefixes - codes * scales[:, np.newaxis])
    return QuantizedQueries(_lay_out(codes.astype(np.int16), group_size, step).ravel(), scales, errors)


def _lay_out(codes: npt.NDArray[Any], group_size: int, per_step: int) -> npt.NDArray[Any]:
    """Return (n_groups, n_steps, group_size, per_step) of (…, width); zeros in groups and steps that are not full."""
    rows = codes.reshape(-1, codes.shape[-1])
    n_groups, n_steps = -(-len(rows) // group_size), -(-rows.shape[1] // per_step)
    full = np.zeros((n_groups * group_size, n_steps * per_step), dtype=codes.dtype)
    full[: len(rows), : rows.shape[1]] = rows
    return np.ascontiguousarray(full.reshape(n_groups, group_size, n_steps, per_step).transpose(0, 2, 1, 3))


def _upper_halves(floats: Float32Array) -> npt.NDArray[np.uint16]:
    """Return the upper half of each number's bits, rounded to the nearest, ties to even."""
    bits = floats.view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16)
