"""The pool of rows that estimates a softmax over a whole table: the same for everyone, so that results repeat.

Rows are drawn by importance: the more interactions a row has, the larger its share of the softmax. A row stands for as
many as the inverse of its probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array

POOL_SIZE = 16_384  # of the gradient of a user; with 2,048, what is learned fits the pool and not the catalogue
SMALL_POOL_SIZE = 2048
_EVEN_SHARE = 0.5  # of the mean count, added to every count
_LANES = 16  # a pool is filled up to a multiple of it


@dataclass(frozen=True, eq=False)
class Pool:
    """Some rows of a table of vectors."""

    rows: Int32Array  # (n,) ascending
    columns: Float32Array  # (embedding_size, n filled up with zeros to a multiple of 16) their vectors, transposed
    each: Float64Array  # (n,) rows that each stands for

    @classmethod
    def empty(cls, embedding_size: int) -> Pool:
        """Return a pool of no rows."""
        return cls(np.zeros(0, np.int32), np.zeros((embedding_size, 0), np.float32), np.zeros(0))

    @property
    def n_unused(self) -> int:
        """Columns at the end that hold no row."""
        return int(self.columns.shape[1]) - len(self.rows)

    @property
    def log_each(self) -> Float64Array:
        """Logarithm of the number of rows that each stands for, (n,)."""
        return np.asarray(np.log(self.each))

    def places_of(self, rows: Int32Array) -> Int64Array:
        """Return the place of each row in the pool, -1 where it has none."""
        if len(self.rows) == 0:
            return np.full(len(rows), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[places] == rows, places, -1).astype(np.int64)


def draw_pool(vectors: Float32Array, counts: Int64Array, size: int) -> Pool:
    """Draw rows by their counts (n_rows,), systematically in order of them; all rows where there are few."""
    n = len(vectors)
    rows, each = np.arange(n, dtype=np.int32), np.ones(n)
    if n > size:
        probabilities = _probabilities(counts, size)
        by_count = np.argsort(-counts, kind="stable")
        ends = np.cumsum(probabilities[by_count])
        drawn = by_count[np.diff(np.floor(ends + 0.5), prepend=0) > 0]
        rows = np.sort(drawn).astype(np.int32)
        each = 1 / probabilities[rows]
    columns = np.zeros((vectors.shape[1], -(-len(rows) // _LANES) * _LANES), dtype=np.float32)
    columns[:, : len(rows)] = vectors[rows].T
    return Pool(rows, columns, each)


def _probabilities(counts: Int64Array, size: int) -> Float64Array:
    """Return the probability of each row, at most 1, in proportion to its count and an even share; they sum to size."""
    importance = counts + _EVEN_SHARE * max(counts.mean(), 1.0)
    certain = np.zeros(len(counts), dtype=np.bool_)
    while True:
        rest = ~certain
        probabilities = np.where(certain, 1.0, importance * (size - certain.sum()) / importance[rest].sum())
        above = rest & (probabilities >= 1)
        if not above.any():
            return probabilities
        certain |= above
