"""One interaction per element of a cell that holds a sequence of items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nestrec.arrays import Int64Array
from nestrec.data.id_index import TextIds
from nestrec.data.readers.batch import Batch
from nestrec.kernels.data import sequences as kernel


def split_sequences(cells: TextIds, separator: str) -> tuple[TextIds, Int64Array]:
    """Return the elements of all cells, in order, and the number of the cell of each.

    >>> elements, cells = split_sequences(TextIds.from_strings(["a b", "", "['c', 'd']"]), " ")
    >>> [elements.at(row) for row in range(len(elements))], cells.tolist()
    (['a', 'b', 'c', 'd'], [0, 0, 2, 2])
    """
    byte = ord(separator)
    none = np.empty(0, dtype=np.int64)
    size = kernel.split_sequences(cells.buffer, cells.starts, cells.ends, byte, none, none, none)
    starts, ends, owners = (np.empty(size, dtype=np.int64) for _ in range(3))
    kernel.split_sequences(cells.buffer, cells.starts, cells.ends, byte, starts, ends, owners)
    return TextIds(cells.buffer, starts, ends), owners


def expand_sequences(batch: Batch, separator: str) -> Batch:
    """Return one row per element of each item cell, with the user, rating and time of the cell's row.

    The elements count as the rows read. Cells without elements must have been left out before.
    """
    if not isinstance(batch.items, TextIds):
        return batch
    items, cells = split_sequences(batch.items, separator)
    n_read = batch.n_read + len(items) - len(batch.items)
    return replace(batch.select(cells), items=items, n_read=n_read)
