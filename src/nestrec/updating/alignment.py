"""Align embeddings with earlier ones by an orthogonal transform within each block of the nest.

The block of dimensions that a level adds to the narrower one is rotated and reflected by itself, users and items alike,
so that no score of any width changes. The transform of a block is the one after which it is nearest to the earlier
block (orthogonal Procrustes: Schönemann 1966).
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Float64Array
from nestrec.widths import Widths

_ROWS = 16_384  # multiplied at once

Sides = tuple[Float32Array, Float32Array]  # users and items, (n, embedding_size) each


def fit_alignment(vectors: Sides, earlier: Sides, widths: Widths) -> list[Float64Array]:
    """Return an orthogonal matrix for each block, which brings `vectors` nearest to `earlier`; rows match.

    >>> import numpy as np
    >>> earlier = np.eye(3, dtype=np.float32)
    >>> flipped = earlier * np.array([1, -1, -1], dtype=np.float32)
    >>> [matrix.round(6).tolist() for matrix in fit_alignment((flipped, flipped), (earlier, earlier), Widths((1, 3)))]
    [[[1.0]], [[-1.0, 0.0], [0.0, -1.0]]]
    """
    product = sum((_multiply(new, old) for new, old in zip(vectors, earlier, strict=True)), np.zeros(()))
    matrices, first = [], 0
    for last in widths.values:
        left, _, right = np.linalg.svd(product[first:last, first:last])
        matrices.append(left @ right)
        first = last
    return matrices


def align(vectors: Float32Array, matrices: list[Float64Array]) -> Float32Array:
    """Return the vectors after the transform of each block; rows at a time, so that memory holds one copy."""
    result, first = np.empty_like(vectors), 0
    for matrix in matrices:
        block = slice(first, first + len(matrix))
        for start in range(0, len(vectors), _ROWS):
            rows = slice(start, start + _ROWS)
            result[rows, block] = vectors[rows, block] @ matrix
        first = block.stop
    return result


def _multiply(new: Float32Array, old: Float32Array) -> Float64Array:
    total = np.zeros((new.shape[1],) * 2)
    for start in range(0, len(new), _ROWS):
        rows = slice(start, start + _ROWS)
        total += new[rows].astype(np.float64).T @ old[rows].astype(np.float64)
    return total
