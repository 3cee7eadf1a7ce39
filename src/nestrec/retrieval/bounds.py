"""Coefficients of the score upper bound for each query, including float32 rounding."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Float64Array
from nestrec.errors import DataError
from nestrec.kernels.search.code_blocks import BoundTerms
from nestrec.norms import norms
from nestrec.retrieval.quantization import QuantizedQueries

ROUNDING = float(2.0**-23)  # twice the relative error of one operation in float32
UNDERFLOW = float(2.0**-100)  # more than 2^31 times the smallest float32, for sums of codes times their scales
_OPERATIONS = 8  # beside those of a sum itself
_LARGEST_SCORE = float(np.finfo(np.float32).max) / 4
_UPWARDS = 1.0 + 4 * ROUNDING  # values rounded to float32 must not become smaller


def compute_bound_terms(
    rotated: Float64Array,  # (n_queries, full width) in the rotation of the codes
    quantized: QuantizedQueries,  # their prefixes
    width: int,  # of the prefixes
    query_norms: Float64Array,  # (n_queries,) of the original queries
    *,
    exact: bool,  # for upper bounds; else for estimates: all zero but the scales and norms
    n: int,  # queries with those that fill up a group
) -> BoundTerms:
    """Return the terms of bounds or estimates for items with codes of a prefix."""
    rounding = relative_error(rotated.shape[1])
    parts = [norms(rotated[:, width:]), norms(rotated[:, :width]), quantized.errors, rounding * query_norms]
    slack = [_UPWARDS * part if exact else np.zeros(len(rotated)) for part in parts]
    underflows = np.full(len(rotated), UNDERFLOW if exact else 0.0)
    columns = [quantized.scales, *slack, _UPWARDS * (1.0 + rounding) * query_norms, underflows]
    return BoundTerms(*(_pad(column, n) for column in columns))


def check_range(query_norms: Float64Array, item_norms: Float64Array) -> None:
    """Raise DataError where an inner product of vectors of these norms may exceed the range of float32."""
    query, item = float(query_norms.max(initial=0.0)), float(item_norms.max(initial=0.0))
    if query * item > _LARGEST_SCORE:
        raise DataError(
            f"inner products must be within the range of 32-bit floats, got a query of norm {query:.3g} and an item "
            f"vector of norm {item:.3g}; scale the vectors down"
        )


def relative_error(width: int) -> float:
    """Return the largest error of a float32 sum of so many products, relative to the product of the norms."""
    return (width + _OPERATIONS) * ROUNDING


def _pad(values: Float64Array, n: int) -> Float32Array:
    column = np.zeros(n, dtype=np.float32)
    column[: len(values)] = values
    return column
