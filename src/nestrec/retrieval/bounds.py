"""What multiplies the parts of a bound for each query, and the errors of float32 that every bound allows for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Float64Array
from nestrec.errors import DataError
from nestrec.kernels.search.code_blocks import Weights
from nestrec.retrieval.quantization import CodedQueries

ROUNDING = float(2.0**-23)  # twice the relative error of one operation in float32
LEAST_SCORE = float(2.0**-100)  # more than 2^31 times the smallest float32, for sums of codes times their scales
_OPERATIONS = 8  # beside those of a sum itself
_LARGEST_SCORE = float(np.finfo(np.float32).max) / 4
_UPWARDS = 1.0 + 4 * ROUNDING  # what is rounded to float32 must not become less


def weights(
    turned: Float64Array,  # (n_queries, full width) along the axes of what is weighed
    found: CodedQueries,  # of their first numbers
    width: int,  # how many those are
    lengths: Float64Array,  # (n_queries,) of the queries as they are
    *,
    exact: bool,  # weights of upper bounds; else of plain estimates, all zero but for the scales
    n: int,  # queries with those that fill up a group
) -> Weights:
    """Return the weights of bounds or estimates for items of which so many numbers are at hand."""
    rounding = relative_error(turned.shape[1])
    parts = [vector_lengths(turned[:, width:]), vector_lengths(turned[:, :width]), found.rests, rounding * lengths]
    slack = [_UPWARDS * part if exact else np.zeros(len(turned)) for part in parts]
    leasts = np.full(len(turned), LEAST_SCORE if exact else 0.0)
    columns = [found.scales, *slack, _UPWARDS * (1.0 + rounding) * lengths, leasts]
    return Weights(*(_filled_up(column, n) for column in columns))


def check_range(queries: Float64Array, items: Float64Array) -> None:
    """Raise DataError where a product of these lengths may be beyond the range of float32."""
    query, item = float(queries.max(initial=0.0)), float(items.max(initial=0.0))
    if query * item > _LARGEST_SCORE:
        raise DataError(
            f"a query of length {query:.3g} and an item vector of length {item:.3g} have products beyond the range of "
            "32-bit floats; scale the vectors down"
        )


def relative_error(width: int) -> float:
    """Return how far a float32 sum of so many products may be off, as a share of the vectors' lengths multiplied."""
    return (width + _OPERATIONS) * ROUNDING


def vector_lengths(rows: npt.NDArray[Any]) -> Float64Array:
    """Return the length of each row, in float64."""
    doubles = rows.astype(np.float64, copy=False)
    lengths: Float64Array = np.sqrt(np.vecdot(doubles, doubles))
    return lengths


def _filled_up(values: Float64Array, n: int) -> Float32Array:
    column = np.zeros(n, dtype=np.float32)
    column[: len(values)] = values
    return column
