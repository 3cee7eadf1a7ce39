"""Cells of a coarse index: inverted lists of code blocks that a query visits best first, each with a score bound.

Without clusters a cell is a run of blocks of similar norm, and its bound the product of norms. With clusters it is an
inverted list, as in an IVF index: its items lie around one centroid in the narrowest prefix, and no score is above

    q.centroid + |q| radius + |q_rest| max_residual_norm

with q and q_rest the query's dimensions within and beyond that prefix (ball bound: Ram and Gray, "Maximum inner-product
search using cone trees", KDD 2012).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float64Array, Int32Array


@dataclass(frozen=True, eq=False)
class Cells:
    """Block ranges and bounds of the cells; centroids have no columns without clusters."""

    begins: Int32Array  # (n_cells,) first block
    ends: Int32Array  # (n_cells,) the block after the last
    max_norms: Float64Array  # (n_cells,) largest norm of an item
    centroids: Float64Array  # (n_cells, width of the clusters)
    radii: Float64Array  # (n_cells,) largest distance from the centroid, in those dimensions
    max_residual_norms: Float64Array  # (n_cells,) largest norm of the dimensions beyond them

    @property
    def is_clustered(self) -> bool:
        """Whether the items of a cell lie around a centroid."""
        return bool(self.centroids.shape[1])

    def upper_bounds(self, query: Float64Array, norm: float) -> Float64Array:
        """Return an upper bound of the scores of each cell, before rounding; `query` is rotated, (width,)."""
        by_norm = norm * self.max_norms
        width = self.centroids.shape[1]
        if width == 0:
            return by_norm
        near, rest = query[:width], query[width:]
        by_centroid = (
            self.centroids @ near + np.linalg.norm(near) * self.radii + np.linalg.norm(rest) * self.max_residual_norms
        )
        return np.minimum(by_norm, by_centroid)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by name, as they are saved."""
        return {f"cell_{name}": getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Cells:
        """Return the cells of saved arrays; raise KeyError where one is missing."""
        return cls(**{name: arrays[f"cell_{name}"] for name in cls.__dataclass_fields__})
