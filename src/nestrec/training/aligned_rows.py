"""Tables whose rows start at cache lines."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array

_LINE = 16  # float32 numbers in a cache line


def new_aligned_rows(n_rows: int, stride: int) -> Float32Array:
    """Return (n_rows, stride), not initialised, whose rows start at cache lines if they are as long."""
    whole = np.empty(n_rows * stride + _LINE, dtype=np.float32)
    first = -whole.ctypes.data // whole.itemsize % _LINE
    return whole[first : first + n_rows * stride].reshape(n_rows, stride)


def align_rows(rows: Float32Array) -> Float32Array:
    """Return a copy of a table whose rows start at cache lines."""
    result = new_aligned_rows(*rows.shape)
    result[:] = rows
    return result
