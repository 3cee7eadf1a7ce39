"""Which vectors of a model changed, and which users and items came or went: what a vector store must write again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nestrec.arrays import BoolArray, Float32Array, Float64Array, Int32Array
from nestrec.data.ids import IdArray
from nestrec.data.vocabulary import Vocabulary

SideName = Literal["user", "item"]


@dataclass(frozen=True, eq=False)
class SideChanges:
    """The changes of one side, users or items."""

    changed: IdArray
    """Ids whose vectors moved by more than the tolerance; all others have the bits that they had before."""
    added: IdArray
    """Ids that the model had no vectors of."""
    removed: IdArray
    """Ids that have no vectors any more."""
    n_unchanged: int
    """Number of ids whose vectors are as before."""

    @property
    def n_to_write(self) -> int:
        """Number of vectors to write again or to add."""
        return len(self.changed) + len(self.added)


@dataclass(frozen=True, eq=False)
class Changes:
    """What changed in an update."""

    users: SideChanges
    items: SideChanges


def find_moved(vectors: Float32Array, earlier: Float32Array, tolerance: float) -> BoolArray:
    """Return whether each vector is farther from its earlier self than this share of its length, (n,)."""
    moved = np.linalg.norm(vectors - earlier, axis=1).astype(np.float64)
    moved_by_more: BoolArray = moved > tolerance * np.linalg.norm(earlier, axis=1)
    return moved_by_more


def keep_unmoved(
    vectors: Float32Array,  # (n_rows, embedding_size), changed in place
    rows: Int32Array,  # (n,) rows that had vectors before
    earlier: Float32Array,  # (n, embedding_size)
    tolerance: float,
) -> BoolArray:
    """Give vectors that moved by at most the tolerance their earlier values; return which of `rows` changed, (n,)."""
    moved = find_moved(vectors[rows], earlier, tolerance)
    vectors[rows[~moved]] = earlier[~moved]
    return moved


def describe_side(before: Vocabulary, after: Vocabulary, rows: Int32Array, moved: BoolArray) -> SideChanges:
    """Return the changes of a side; `rows` are those after the update of ids known before, (n,)."""
    is_new = np.ones(len(after), dtype=np.bool_)
    is_new[rows] = False
    is_gone = after.index_of(before.ids, unknown="mark") < 0
    return SideChanges(
        changed=after.ids[rows[moved]],
        added=after.ids[is_new],
        removed=before.ids[is_gone],
        n_unchanged=int(np.count_nonzero(~moved)),
    )


def cosines(vectors: Float32Array, earlier: Float32Array) -> Float64Array:
    """Return the cosine of each vector with its earlier self, (n,); 1 where both are zero, 0 where one is."""
    products = np.vecdot(vectors, earlier).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1).astype(np.float64) * np.linalg.norm(earlier, axis=1)
    both_zero = ~vectors.any(axis=1) & ~earlier.any(axis=1)
    return np.where(both_zero, 1.0, np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0))
