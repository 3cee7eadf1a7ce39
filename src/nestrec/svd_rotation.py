"""The SVD rotation of two sides of embeddings, by which prefixes become the best low-rank approximations of all scores.

Inner products of whole vectors stay as they are; the first d dimensions become the d strongest singular directions of
the matrix of all scores, its best approximation of rank d (Eckart & Young 1936). The matrix of scores is never formed:
with queries = Q R and items = P T (Q and P orthonormal), the singular value decomposition of the small R T' gives that
of Q R T' P'. Training rotates a model if the validation metric improves, the iALS baseline to serve every width from
one fit, and retrieval to need fewer dimensions for the answer of the full width.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Float64Array

_ROWS = 4_096  # vectors multiplied at once
_SAMPLE = 200_000  # vectors whose second moments stand for all, where the rotation is for others too
_UNUSED = 1e-12  # of the largest eigenvalue: directions below it hold rounding errors alone
_RIDGE = 1e-6  # of the mean second moment, added to every direction of an invertible rotation
_LEAST_SHARE = 1e-3  # of the largest singular value: weaker directions are balanced as if they had this much


class Rotation(NamedTuple):
    """Matrices of both sides: queries @ of_queries and items @ of_items have the inner products of the originals."""

    of_queries: Float64Array  # (width, width)
    of_items: Float64Array  # (width, width)


def svd_rotation(queries: Float32Array, items: Float32Array, *, invertible: bool = False) -> Rotation:
    """Return the rotation of queries (n, width) and items (n_items, width), strongest singular direction first.

    A singular value is shared equally between the two sides; directions that one side does not use become zeros. An
    `invertible` rotation keeps these, so that it serves queries and items other than the given ones.
    """
    from_queries, to_queries = _root(queries, invertible=invertible)
    from_items, to_items = _root(items, invertible=invertible)
    left, values, right = np.linalg.svd(from_queries @ from_items.T)
    shared = of_items = np.sqrt(values)
    if invertible:
        shared = np.sqrt(np.maximum(values, _LEAST_SHARE * values[0]))
        of_items = values / shared
    return Rotation(to_queries @ left * shared, to_items @ right.T * of_items)


def rotate_embeddings(users: Float32Array, items: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return users (n_users, d) and items (n_items, d) after their rotation; copies some thousand rows at a time.

    >>> import numpy as np
    >>> users, items = np.eye(2, dtype=np.float32), np.array([[0, 3], [2, 0]], dtype=np.float32)
    >>> rotated_users, rotated_items = rotate_embeddings(users, items)
    >>> np.abs(rotated_users @ rotated_items.T).round(3).tolist()
    [[0.0, 2.0], [3.0, 0.0]]
    >>> np.abs(rotated_users[:, :1] @ rotated_items[:, :1].T).round(3).tolist()
    [[0.0, 0.0], [3.0, 0.0]]
    """
    rotation = svd_rotation(users, items)
    return _multiply(users, rotation.of_queries), _multiply(items, rotation.of_items)


def _root(vectors: Float32Array, *, invertible: bool) -> tuple[Float64Array, Float64Array]:
    """Return R with R' R = vectors' vectors, and its inverse on the directions that are used."""
    sample = vectors[:: max(1, len(vectors) // _SAMPLE)] if invertible else vectors
    gram = np.zeros((vectors.shape[1],) * 2)
    for start in range(0, len(sample), _ROWS):
        rows = sample[start : start + _ROWS].astype(np.float64)
        gram += rows.T @ rows
    if invertible:
        gram /= max(1, len(sample))
        gram += _RIDGE * max(gram.trace() / len(gram), float(np.finfo(np.float32).tiny)) * np.eye(len(gram))
    values, directions = np.linalg.eigh(gram)
    lengths = np.sqrt(np.maximum(values, 0.0))
    used = values > _UNUSED * values[-1]
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=used)
    return (directions * np.where(used, lengths, 0.0)).T, directions * inverse


def _multiply(vectors: Float32Array, matrix: Float64Array) -> Float32Array:
    result = np.empty((len(vectors), matrix.shape[1]), dtype=np.float32)
    for start in range(0, len(vectors), _ROWS):
        result[start : start + _ROWS] = vectors[start : start + _ROWS] @ matrix
    return result
