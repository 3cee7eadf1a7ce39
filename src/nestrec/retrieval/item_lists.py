"""Lists of items, one for each query, as a CSR matrix: what must not be returned to it, or what alone may be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import BoolArray, Int32Array, Int64Array


class ItemLists(NamedTuple):
    """One list of items per query: row r of this CSR matrix is that of row r of the queries."""

    indptr: Int64Array  # (n_rows + 1,)
    indices: Int32Array  # item_index, any order within a row

    @classmethod
    def empty(cls, n_rows: int) -> ItemLists:
        """Return so many empty lists."""
        return cls(np.zeros(n_rows + 1, dtype=np.int64), np.zeros(0, dtype=np.int32))

    @classmethod
    def from_sizes(cls, sizes: npt.NDArray[np.integer], indices: Int32Array) -> ItemLists:
        """Return the lists of these sizes, cut from items in order."""
        indptr = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.cumsum(sizes, out=indptr[1:])
        return cls(indptr, indices)

    @property
    def rows(self) -> Int64Array:
        """The row of each entry, (n_entries,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def row_sizes(self, rows: npt.NDArray[np.integer]) -> Int64Array:
        """Return how many items each of these rows holds."""
        sizes: Int64Array = self.indptr[rows + 1] - self.indptr[rows]
        return sizes

    def select(self, rows: npt.NDArray[np.integer]) -> ItemLists:
        """Return a copy of these rows."""
        begins, sizes = self.indptr[rows], self.row_sizes(rows)
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(sizes, out=indptr[1:])
        entries = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], sizes)
        return ItemLists(indptr, np.array(self.indices[entries], dtype=np.int32, subok=False))

    def slice(self, rows: slice) -> ItemLists:
        """Return consecutive rows, as views."""
        indptr = self.indptr[rows.start : rows.stop + 1]
        return ItemLists(indptr - indptr[0], self.indices[indptr[0] : indptr[-1]])

    def keep(self, kept: BoolArray) -> ItemLists:
        """Return the lists with the entries where `kept`, (n_entries,), is True."""
        sizes = np.bincount(self.rows[kept], minlength=len(self.indptr) - 1)
        return ItemLists.from_sizes(sizes, self.indices[kept])

    def join(self, other: ItemLists) -> ItemLists:
        """Return the lists of both, row by row."""
        if not len(other.indices):
            return self
        rows = np.concatenate([self.rows, other.rows])
        order = np.argsort(rows, kind="stable")
        sizes = np.diff(self.indptr) + np.diff(other.indptr)
        return ItemLists.from_sizes(sizes, np.concatenate([self.indices, other.indices])[order])


def exclude_itself(rows: npt.NDArray[np.integer]) -> ItemLists:
    """Return lists that hold the row of each query alone: nothing is its own neighbour."""
    return ItemLists.from_sizes(np.ones(len(rows), dtype=np.int64), rows.astype(np.int32))
