"""Cells: stretches of shelves that a query visits best first, each with a bound on the scores of its items.

Without clusters a cell is a stretch of items of like length, and its bound the product of lengths. With clusters the
items of a cell also lie around one centre in the narrowest prefix: no score is above

    q.centre + |q| radius + |q_rest| rest

with q and q_rest the query's numbers within and beyond that prefix, rest the longest remainder of an item (ball bound:
Ram and Gray, "Maximum inner-product search using cone trees", KDD 2012).
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
    """Where the cells lie and how far they reach; centres have no columns where there are no clusters."""

    begins: Int32Array  # (n_cells,) first shelf
    ends: Int32Array  # (n_cells,) the shelf after the last
    longest: Float64Array  # (n_cells,) length of the longest item
    centres: Float64Array  # (n_cells, width of the clusters)
    radii: Float64Array  # (n_cells,) the longest way from the centre, in those numbers
    rests: Float64Array  # (n_cells,) the longest remainder beyond them

    @property
    def clustered(self) -> bool:
        """Whether the items of a cell lie around a centre."""
        return bool(self.centres.shape[1])

    def bounds(self, query: Float64Array, length: float) -> Float64Array:
        """Return what no score of a cell is above, in real numbers; `query` is turned, (width,)."""
        by_length = length * self.longest
        width = self.centres.shape[1]
        if width == 0:
            return by_length
        near, beyond = query[:width], query[width:]
        by_centre = self.centres @ near + np.linalg.norm(near) * self.radii + np.linalg.norm(beyond) * self.rests
        return np.minimum(by_length, by_centre)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by name, as they are saved."""
        return {f"cell_{name}": getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Cells:
        """Return the cells that these came from; raise KeyError where one is missing."""
        return cls(**{name: arrays[f"cell_{name}"] for name in cls.__dataclass_fields__})
