"""The result of folding in: vectors, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.data.ids import IdArray
from nestrec.tabular import Tabular, Values
from nestrec.widths import Widths


@dataclass(frozen=True, eq=False)
class FoldedVectors(Tabular):
    """Vectors of new users or items, one row a history; the first d dimensions are the fold-in at width d."""

    vectors: Float32Array
    """(n, embedding_size), or (embedding_size,) for a single history."""
    ids: IdArray
    """(n,) names of the histories: the keys of a mapping, the users of interactions, otherwise 0, 1, 2, …"""
    widths: Widths
    """Widths of the model."""
    skipped: IdArray
    """Ids in the histories that the model does not know, as they were given; empty unless unknown="skip"."""
    skipped_histories: IdArray
    """Names of the histories of such ids alone, which have no vector."""

    @property
    def rows(self) -> Float32Array:
        """The vectors as a matrix, (n, embedding_size), for a single history too."""
        return self.vectors.reshape(len(self.ids), self.widths.embedding_size)

    def at(self, width: int) -> Float32Array:
        """Return the vectors at a trained width, contiguous; raise OptionError for another width."""
        size = self.widths.values[self.widths.level_of(width)]
        return np.ascontiguousarray(self.vectors[..., :size])

    def as_columns(self) -> Mapping[str, Values]:
        """Return the columns `id` and `vector`, a row per history."""
        return {"id": self.ids, "vector": self.rows}

    def __repr__(self) -> str:
        """Show the sizes."""
        return f"<FoldedVectors: {len(self.ids)}, widths {', '.join(map(str, self.widths))}>"
