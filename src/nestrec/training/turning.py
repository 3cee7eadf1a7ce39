"""Turning both sides at once, so that prefixes are the best truncations of the full width's scores.

Inner products of whole vectors stay as they are; the first d numbers become the d strongest singular vectors of the
matrix of all scores, which no d numbers come nearer to (Eckart & Young 1936). In dense data, whose wide vectors hold
little that is chance, that serves the middle widths better than what training gave their prefixes; in sparse data it
serves them worse. So the validation part decides.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Float64Array

_ROWS = 4_096  # turned at once
_NOTHING = 1e-12  # of the largest eigenvalue: directions below it hold no more than rounding


def turned(users: Float32Array, items: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return users (n_users, d) and items (n_items, d) in the basis of the scores' singular vectors, strongest first.

    A singular value is shared equally between the two sides; directions that neither side uses become zeros. Memory
    beyond the result is some thousands of rows.
    """
    from_users, to_users = _root(users)
    from_items, to_items = _root(items)
    left, values, right = np.linalg.svd(from_users @ from_items.T)
    shared = np.sqrt(values)
    return _times(users, to_users @ left * shared), _times(items, to_items @ right.T * shared)


def _root(vectors: Float32Array) -> tuple[Float64Array, Float64Array]:
    """Return R with R^T R = vectors^T vectors, and its inverse on the directions that are used."""
    gram = np.zeros((vectors.shape[1],) * 2)
    for start in range(0, len(vectors), _ROWS):
        rows = vectors[start : start + _ROWS].astype(np.float64)
        gram += rows.T @ rows
    values, directions = np.linalg.eigh(gram)
    lengths = np.sqrt(np.maximum(values, 0.0))
    used = values > _NOTHING * values[-1]
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=used)
    return (directions * np.where(used, lengths, 0.0)).T, directions * inverse


def _times(vectors: Float32Array, turn: Float64Array) -> Float32Array:
    result = np.empty((len(vectors), turn.shape[1]), dtype=np.float32)
    for start in range(0, len(vectors), _ROWS):
        result[start : start + _ROWS] = vectors[start : start + _ROWS] @ turn
    return result
