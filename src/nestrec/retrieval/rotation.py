"""The axes along which scores spread most: a turn of both sides that keeps every inner product.

A product u.v stays what it is when u becomes B'u and v becomes A'v with A B' = 1. Of all such turns this one puts as
much as can be of the sum of squared scores into the first numbers: with second moments C of the queries (= L L') and D
of the items, the eigenvectors E of L' D L, the queries become E' L^-1 u and the items E' L' v. It is the truncated
singular value decomposition of the matrix of scores (Eckart and Young 1936), without that matrix. A nested model is
trained so that each prefix recommends well by itself, not so that it has the full width's scores; where the answer of
the full width is wanted, these axes need fewer numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Float64Array

_ROWS = 65_536  # vectors turned at once
_SAMPLE = 200_000  # vectors whose second moments stand for all
_LEAST = 1e-6  # share of the mean second moment added to every direction, so that the turn can be undone


class Rotation(NamedTuple):
    """The turn of each side: queries @ of_queries and items @ of_items have the inner products of the originals."""

    of_queries: Float64Array  # (width, width)
    of_items: Float64Array  # (width, width)


def svd_rotation(queries: Float32Array, items: Float32Array) -> Rotation:
    """Return the axes for queries like these, (n, width), on these items, (n_items, width)."""
    root = np.linalg.cholesky(_second_moments(queries))
    values, vectors = np.linalg.eigh(root.T @ _second_moments(items) @ root)
    turn = vectors[:, np.argsort(-values, kind="stable")]
    of_items = root @ turn
    of_queries = np.linalg.solve(root.T, turn)
    balance = np.sqrt(np.sqrt(np.maximum(np.sort(values)[::-1], values.max() * _LEAST)))
    return Rotation(of_queries * balance, of_items / balance)


def _second_moments(vectors: Float32Array) -> Float64Array:
    step = max(1, len(vectors) // _SAMPLE)
    total = np.zeros((vectors.shape[1],) * 2)
    n = 0
    for start in range(0, len(vectors), _ROWS * step):
        rows = vectors[start : start + _ROWS * step : step].astype(np.float64)
        total += rows.T @ rows
        n += len(rows)
    total /= max(1, n)
    least = max(float(np.trace(total)) / len(total), float(np.finfo(np.float32).tiny)) * _LEAST
    moments: Float64Array = total + least * np.eye(len(total))
    return moments
