"""Weights of pairs, from the values of their rows: halved by age, summed over repeats, transformed.

A pair whose rows have values v and times t has the weight f(sum of v * 2^(-(latest - t) / half_life)), where `latest`
is the latest time of all rows and f the transform; without a half-life, f(sum of v).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.errors import DataError
from nestrec.kernels.data import csr as kernel

TRANSFORMS = ("log1p", "sqrt")

_DAY = 86_400.0  # seconds
_FUNCTIONS = {"log1p": np.log1p, "sqrt": np.sqrt}
_RULES = {"sum": kernel.SUM, "max": kernel.MAX}
_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class WeightRule:
    """How the values of a pair's rows become its weight."""

    half_life: float | None = None  # days
    transform: str | None = None  # one of TRANSFORMS
    repeats: str = "sum"  # first, last, max or sum

    def decay(self, values: Float64Array, times: Float64Array) -> None:
        """Halve values (n,) for each half-life between their times and the latest one, in place."""
        if self.half_life is not None and len(times):
            values *= np.exp2((times - times.max()) / (self.half_life * _DAY))

    def combine(self, indptr: Int64Array, indices: Int32Array, values: Float64Array, first: int, last: int) -> None:
        """Give all repeats of a pair in the sorted rows first:last one value, in place, unless a row is chosen."""
        if self.repeats in ("sum", "max"):
            kernel.combine_weights(indptr, indices, values, _RULES[self.repeats], first, last)

    def finish(self, values: Float64Array) -> Float32Array:
        """Return the weights of pairs, (n,), above 0; raise DataError where one is too large for float32."""
        weights = values if self.transform is None else _FUNCTIONS[self.transform](values)
        largest = float(weights.max(initial=0))
        if largest > _LARGEST:
            raise DataError(
                f"weights must be below {_LARGEST:.2g}, got {largest:.3g} for a user and an item; divide the column of "
                "weights by a constant, or give weight_transform='log1p'",
                mentions=("weight_transform",),
            )
        return np.maximum(weights, _SMALLEST).astype(np.float32)  # many half-lives are not 0
