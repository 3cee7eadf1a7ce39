"""Groups of items that are near each other in a narrow prefix: k-means (Lloyd 1982), for `Cells`.

The nearest centre of a vector v is the one with the greatest v.c - |c|^2 / 2, an inner product in one dimension more,
so the ranking kernel finds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float64Array, Int64Array
from nestrec.errors import OptionError
from nestrec.retrieval.top_k import top_k

_PER_CLUSTER = 64  # items of the sample that finds the centres
_PASSES = 8
_ROWS = 65_536  # items looked up at once


@dataclass(frozen=True)
class Clusters:
    """How many clusters, found in how many of the first numbers.

    Raises OptionError for less than one.
    """

    n: int
    width: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.n < 1 or self.width < 1:
            raise OptionError(f"{self.n} clusters of width {self.width} hold nothing; give 1 or more of each")

    def of(self, prefixes: Float64Array) -> tuple[Int64Array, Float64Array]:
        """Return the cluster of each item, (n_items,), and the centres, (n_clusters, width)."""
        rng = np.random.default_rng(self.seed)
        n = min(self.n, len(prefixes))
        sample = prefixes[rng.choice(len(prefixes), min(len(prefixes), n * _PER_CLUSTER), replace=False)]
        centres = sample[:n].copy()
        for _ in range(_PASSES):
            centres = _means(sample, _nearest(sample, centres), centres)
        return _nearest(prefixes, centres), centres


def _means(vectors: Float64Array, members: Int64Array, centres: Float64Array) -> Float64Array:
    """Return the mean of each cluster; one without members keeps its centre."""
    counts = np.bincount(members, minlength=len(centres))
    sums = np.stack([np.bincount(members, column, minlength=len(centres)) for column in vectors.T], axis=1)
    return np.where(counts[:, np.newaxis] > 0, sums / np.maximum(counts, 1)[:, np.newaxis], centres)


def _nearest(vectors: Float64Array, centres: Float64Array) -> Int64Array:
    augmented = np.column_stack([centres, -0.5 * np.vecdot(centres, centres)]).astype(np.float32)
    members = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), _ROWS):
        rows = vectors[start : start + _ROWS]
        queries = np.column_stack([rows, np.ones(len(rows))]).astype(np.float32)
        members[start : start + _ROWS] = top_k(queries, augmented, (augmented.shape[1],), 1).items[:, 0, 0]
    return members
