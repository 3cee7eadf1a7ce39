"""Cut work into slices that end within a fraction of a second, so that Ctrl-C is heard between them.

Python handles a signal when a compiled function has returned, not before. So no kernel is given more than a bounded
number of entries of a CSR matrix at once, whatever its rows are: a row longer than that is a slice by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from nestrec.arrays import Int64Array

ENTRIES = 1 << 20  # of a slice: some hundredths of a second, also where they are sorted or met in no order

Bounds = tuple[int, int]  # first, and the one after the last


def row_slices(indptr: Int64Array, most: int = ENTRIES) -> list[Bounds]:
    """Return ranges of rows that follow each other, each of at most so many entries and rows, or a single row."""
    n_rows, cuts = len(indptr) - 1, [0]
    while cuts[-1] < n_rows:
        first = cuts[-1]
        fitting = int(np.searchsorted(indptr, indptr[first] + most, side="right")) - 1
        cuts.append(max(first + 1, min(fitting, first + most, n_rows)))
    return list(pairwise(cuts))


def counted_slices(counts: Int64Array, most: int) -> list[Bounds]:
    """Return ranges of rows of these sizes, each of at most so many entries, or a single row."""
    return row_slices(np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)]), most)


def position_slices(n: int, most: int = ENTRIES) -> Iterator[Bounds]:
    """Yield ranges of at most so many positions that follow each other from 0 to n."""
    return ((start, min(start + most, n)) for start in range(0, n, most))
