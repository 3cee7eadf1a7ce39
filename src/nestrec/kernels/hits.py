"""Finding held-out items in ranked lists and seen items in held-out ones: lookups in CSR rows whose indices ascend.

Ranges: rows are those of checked `Interactions`; an item of a list that stands in no row, -1 too, is not found. A list
holds an item once, so there is room for all hits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.kernels.ascending import holds
from nestrec.kernels.compiled import compiled
from nestrec.kernels.slices import row_slices

Indices = npt.NDArray[np.int32]
Pointers = npt.NDArray[np.int64]


@compiled
def find_hits(
    ranked: Indices,  # (n, k) item_index, -1 for none
    indptr: Pointers,  # (n + 1,)
    indices: Indices,  # relevant item_index, ascending within a row
) -> tuple[Pointers, Pointers]:
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
    indptr: Pointers,  # (n + 1,)
    indices: Indices,
    rows: Pointers,  # (n,) row of the other matrix that stands against each row of this one; -1 for none
    other_indptr: Pointers,
    other_indices: Indices,  # ascending within a row
) -> int:
    """Return how many entries of the first matrix stand in the other one too."""
    return sum(
        _count_common(indptr, indices, rows, other_indptr, other_indices, first, last)
        for first, last in row_slices(indptr)
    )


@compiled
def _count_common(
    indptr: Pointers,
    indices: Indices,
    rows: Pointers,
    other_indptr: Pointers,
    other_indices: Indices,
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
