"""Solve small symmetric positive definite systems in place."""

from __future__ import annotations

import math

from nestrec.arrays import Float64Array
from nestrec.kernels.compiled import compiled

_LEAST_PIVOT = 1e-30


@compiled
def solve_cholesky(
    matrix: Float64Array,  # (>= n, >= n), its lower triangle; overwritten by the Cholesky factor
    vector: Float64Array,  # (>= n,); overwritten by the solution
    n: int,
) -> None:
    """Replace the vector by the solution of matrix @ solution = vector, for the first n rows and columns."""
    for row in range(n):
        for column in range(row):
            value = matrix[row, column]
            for k in range(column):
                value -= matrix[row, k] * matrix[column, k]
            matrix[row, column] = value / matrix[column, column]
        value = matrix[row, row]
        for k in range(row):
            value -= matrix[row, k] * matrix[row, k]
        matrix[row, row] = math.sqrt(max(value, _LEAST_PIVOT))
    solve_factorized(matrix, vector, n)


@compiled
def solve_factorized(
    factor: Float64Array,  # (>= n, >= n), the Cholesky factor in its lower triangle
    vector: Float64Array,  # (>= n,); overwritten by the solution
    n: int,
) -> None:
    """Replace the vector by the solution of factor @ factor.T @ solution = vector."""
    for row in range(n):
        for k in range(row):
            vector[row] -= factor[row, k] * vector[k]
        vector[row] /= factor[row, row]
    for row in range(n - 1, -1, -1):
        for k in range(row + 1, n):
            vector[row] -= factor[k, row] * vector[k]
        vector[row] /= factor[row, row]
