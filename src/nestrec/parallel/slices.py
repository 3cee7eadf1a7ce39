"""Split work into slices that end within a fraction of a second, so that Ctrl-C is handled between them.

Python handles a signal only after a compiled function returns. So a kernel gets a bounded number of entries of a CSR
matrix at once; a longer row is a slice by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from nestrec.arrays import Int64Array

ENTRIES = 1 << 20  # of a slice: some hundredths of a second, even if they are sorted or accessed at random

Bounds = tuple[int, int]  # first, and the one after the last


def row_slices(indptr: Int64Array, most: int = ENTRIES) -> list[Bounds]:
    """Return consecutive ranges of rows, each of at most so many entries and rows, or a single row."""
    n_rows, cuts = len(indptr) - 1, [0]
    while cuts[-1] < n_rows:
        first = cuts[-1]
        fitting = int(np.searchsorted(indptr, indptr[first] + most, side="right")) - 1
        cuts.append(max(first + 1, min(fitting, first + most, n_rows)))
    return list(pairwise(cuts))


def counted_slices(counts: Int64Array, most: int) -> list[Bounds]:
    """Return consecutive ranges of rows of these sizes, each of at most so many entries, or a single row."""
    return row_slices(np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)]), most)


def position_slices(n: int, most: int = ENTRIES) -> Iterator[Bounds]:
    """Yield consecutive ranges of at most so many positions from 0 to n."""
    return ((start, min(start + most, n)) for start in range(0, n, most))
