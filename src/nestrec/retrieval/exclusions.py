"""Items that must not be returned to single queries, as a CSR matrix."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Int32Array, Int64Array


class Exclusions(NamedTuple):
    """Items that must not be returned: row r of this CSR matrix holds those of row r of the queries."""

    indptr: Int64Array  # (n_rows + 1,)
    indices: Int32Array  # item_index, any order within a row

    @classmethod
    def none(cls, n_rows: int) -> Exclusions:
        """Return exclusions of so many rows that exclude nothing."""
        return cls(np.zeros(n_rows + 1, dtype=np.int64), np.zeros(0, dtype=np.int32))

    @property
    def rows(self) -> Int64Array:
        """The row of each entry, (n_entries,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def row_sizes(self, rows: npt.NDArray[np.integer]) -> Int64Array:
        """Return how many items each of these rows holds."""
        sizes: Int64Array = self.indptr[rows + 1] - self.indptr[rows]
        return sizes

    def select(self, rows: npt.NDArray[np.integer]) -> Exclusions:
        """Return a copy of these rows."""
        begins, sizes = self.indptr[rows], self.row_sizes(rows)
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(sizes, out=indptr[1:])
        entries = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], sizes)
        return Exclusions(indptr, np.array(self.indices[entries], dtype=np.int32, subok=False))


def exclude_itself(n_rows: int) -> Exclusions:
    """Exclude from every row that row: nothing is its own neighbour."""
    return Exclusions(np.arange(n_rows + 1, dtype=np.int64), np.arange(n_rows, dtype=np.int32))
