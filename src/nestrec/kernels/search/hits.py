"""Hits of held-out items in ranked lists, and seen items among held-out ones: lookups in sorted CSR rows.

Ranges: rows are those of checked `Interactions`; an item of a list that is in no row (-1 too) is not found. A list
holds an item once, so the arrays have space for all hits.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.data.sorted_lookup import holds
from nestrec.parallel.slices import row_slices


@compiled
def find_hits(
    ranked: Int32Array,  # (n, k) item_index, -1 for none
    indptr: Int64Array,  # (n + 1,)
    indices: Int32Array,  # relevant item_index, ascending within a row
) -> tuple[Int64Array, Int64Array]:
    """Return row and position (from 0) of every relevant item in the lists, row by row, best position first."""
    most = 0
    for row in range(ranked.shape[0]):
        most += min(ranked.shape[1], indptr[row + 1] - indptr[row])
    rows, positions = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    count = 0
    for row in range(ranked.shape[0]):
        for position in range(ranked.shape[1]):
            if holds(indices, indptr[row], indptr[row + 1], ranked[row, position]):
                rows[count], positions[count] = row, position
                count += 1
    return rows[:count], positions[:count]


def count_common(
    indptr: Int64Array,  # (n + 1,)
    indices: Int32Array,
    rows: Int64Array,  # (n,) row of the other matrix that each row of this one is compared with; -1 for none
    other_indptr: Int64Array,
    other_indices: Int32Array,  # ascending within a row
) -> int:
    """Return how many entries of the first matrix are in the other one too."""
    return sum(
        _count_common(indptr, indices, rows, other_indptr, other_indices, first, last)
        for first, last in row_slices(indptr)
    )


@compiled
def _count_common(
    indptr: Int64Array,
    indices: Int32Array,
    rows: Int64Array,
    other_indptr: Int64Array,
    other_indices: Int32Array,
    first: int,
    last: int,
) -> int:
    count = 0
    for row in range(first, last):
        if rows[row] < 0:
            continue
        low, high = other_indptr[rows[row]], other_indptr[rows[row] + 1]
        for place in range(indptr[row], indptr[row + 1]):
            count += int(holds(other_indices, low, high, indices[place]))
    return count
