"""K-means clusters of items in a narrow prefix (Lloyd 1982), for the cells of a coarse index.

The nearest centroid of a vector v is the one with the greatest v.c - |c|^2 / 2, an inner product in one dimension more,
so the top-k kernel finds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float64Array, Int64Array
from nestrec.errors import OptionError
from nestrec.retrieval.top_k import top_k

_PER_CLUSTER = 64  # items of the sample that the centroids are fitted to
_ITERATIONS = 8
_ROWS = 65_536  # items assigned at once


@dataclass(frozen=True)
class Clusters:
    """Number of clusters and the dimensions they are found in.

    Raises OptionError for less than one.
    """

    n: int
    width: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Validate the numbers."""
        if self.n < 1 or self.width < 1:
            raise OptionError(f"clusters and their width must be 1 or more, got {self.n} of width {self.width}")

    def fit(self, prefixes: Float64Array) -> tuple[Int64Array, Float64Array]:
        """Return the cluster of each item, (n_items,), and the centroids, (n_clusters, width)."""
        rng = np.random.default_rng(self.seed)
        n = min(self.n, len(prefixes))
        sample = prefixes[rng.choice(len(prefixes), min(len(prefixes), n * _PER_CLUSTER), replace=False)]
        centroids = sample[:n].copy()
        for _ in range(_ITERATIONS):
            centroids = _compute_means(sample, _assign(sample, centroids), centroids)
        return _assign(prefixes, centroids), centroids


def _compute_means(vectors: Float64Array, labels: Int64Array, centroids: Float64Array) -> Float64Array:
    """Return the mean of each cluster; one without members keeps its centroid."""
    counts = np.bincount(labels, minlength=len(centroids))
    sums = np.stack([np.bincount(labels, column, minlength=len(centroids)) for column in vectors.T], axis=1)
    return np.where(counts[:, np.newaxis] > 0, sums / np.maximum(counts, 1)[:, np.newaxis], centroids)


def _assign(vectors: Float64Array, centroids: Float64Array) -> Int64Array:
    """Return the nearest centroid of each vector."""
    augmented = np.column_stack([centroids, -0.5 * np.vecdot(centroids, centroids)]).astype(np.float32)
    labels = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), _ROWS):
        rows = vectors[start : start + _ROWS]
        queries = np.column_stack([rows, np.ones(len(rows))]).astype(np.float32)
        labels[start : start + _ROWS] = top_k(queries, augmented, augmented.shape[1], 1)[0][:, 0]
    return labels
