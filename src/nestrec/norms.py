"""L2 norms in float64, where the square of no finite float32 overflows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Float64Array

_ROWS = 4_096  # converted at once


def norms(vectors: npt.NDArray[Any]) -> Float64Array:
    """Return the norms along the last axis.

    >>> norms(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [5.0, 0.0]
    """
    doubles = vectors.astype(np.float64, copy=False)
    result: Float64Array = np.sqrt(np.vecdot(doubles, doubles))
    return result


def prefix_norms(
    vectors: Float32Array,  # (n, >= width)
    width: int,
    rows: npt.NDArray[np.integer] | None = None,  # None: all
) -> Float64Array:
    """Return the norms of the prefixes of rows, (n,), a few thousand rows at a time."""
    result = np.empty(len(vectors) if rows is None else len(rows), dtype=np.float64)
    for start in range(0, len(result), _ROWS):
        some = slice(start, start + _ROWS)
        result[some] = norms(vectors[some if rows is None else rows[some], :width])
    return result
