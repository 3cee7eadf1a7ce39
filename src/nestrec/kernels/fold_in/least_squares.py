"""Vectors of histories by weighted least squares, block by block: `fold_in/solvers.py` states the objective."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.fold_in.cholesky import solve_cholesky


@compiled
def add_history(
    vectors: Float32Array,  # (n, size)
    factors: Float64Array,  # (n,) weights of the squared errors, 1 or more
    matrix: Float64Array,  # (size, size)
    right: Float64Array,  # (size,)
) -> None:
    """Add the normal equations of a history to the lower triangle of the matrix, and set their right side."""
    right[:] = 0.0
    for i in range(len(factors)):
        for k in range(len(right)):
            right[k] += factors[i] * vectors[i, k]
            scaled = (factors[i] - 1) * vectors[i, k]
            for m in range(k + 1):
                matrix[k, m] += scaled * vectors[i, m]


@compiled
def solve_blocks(
    matrix: Float64Array,  # (size, size), its lower triangle
    right: Float64Array,  # (size,); overwritten
    widths: Int64Array,  # (n_levels,)
    l2: float,
    stable: float,  # of the trace of a block, added to its diagonal
    system: Float64Array,  # (size, size), memory
    x: Float32Array,  # (size,) set
) -> None:
    """Solve for the dimensions of each level, given those of the narrower ones."""
    first = 0
    for last in widths:
        size, trace = last - first, 0.0
        for k in range(size):
            trace += matrix[first + k, first + k]
            for m in range(k + 1):
                system[k, m] = matrix[first + k, first + m]
            for m in range(first):
                right[first + k] -= x[m] * matrix[first + k, m]
        for k in range(size):
            system[k, k] += l2 + stable * trace
        solve_cholesky(system, right[first:last], size)
        for k in range(size):
            x[first + k] = right[first + k]
        first = last


@compiled
def fold_in_least_squares(
    vectors: Float32Array,  # (n_entries, size) vectors of the histories
    factors: Float64Array,  # (n_entries,)
    indptr: Int64Array,  # (n + 1,)
    gram: Float64Array,  # (size, size) of the whole table
    widths: Int64Array,  # (n_levels,)
    l2: float,
    stable: float,
    folded: Float32Array,  # (n, size) set; rows with an empty history keep their values
) -> None:
    """Fold in one history after the other."""
    matrix, system, right = np.zeros_like(gram), np.zeros_like(gram), np.zeros(len(gram))
    for row in range(len(indptr) - 1):
        low, high = indptr[row], indptr[row + 1]
        if low < high:
            matrix[:] = gram
            add_history(vectors[low:high], factors[low:high], matrix, right)
            solve_blocks(matrix, right, widths, l2, stable, system, folded[row])
