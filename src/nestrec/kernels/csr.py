"""Pairs in any order to rows whose items ascend, each pair once: counted, placed, sorted and thinned in place.

Ranges: entries are numbers that an `IdIndex` gave, ranks its permutation of them; the rows' sizes were counted from the
same pairs that are placed. Callers go through long data in slices.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.kernels.compiled import compiled
from nestrec.kernels.slices import row_slices

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


@compiled
def count_rows(users: Int32, ranks: Int32, counts: Int64) -> None:
    """Add one to `counts[ranks[user]]` for each pair."""
    for pair in range(len(users)):
        counts[ranks[users[pair]]] += 1


@compiled
def place_pairs(
    users: Int32,  # (n,) entries as first met
    items: Int32,  # (n,)
    times: Float64,  # (n,) or (0,)
    user_ranks: Int32,  # entry -> user_index
    item_ranks: Int32,
    cursor: Int64,  # (n_users,) next free place of each row; updated
    indices: Int32,  # (n_pairs,) out
    placed_times: Float64,  # (n_pairs,) or (0,) out
) -> None:
    """Put each pair's item into its user's row."""
    with_times = len(times) > 0
    for pair in range(len(users)):
        row = user_ranks[users[pair]]
        place = cursor[row]
        indices[place] = item_ranks[items[pair]]
        if with_times:
            placed_times[place] = times[pair]
        cursor[row] = place + 1


@compiled
def sort_rows(indptr: Int64, indices: Int32, times: Float64, first: int, last: int) -> None:
    """Sort the items of rows first:last, times along with them (equal items by time)."""
    for row in range(first, last):
        start, end = indptr[row], indptr[row + 1]
        if end - start < 2:
            continue
        if len(times) == 0:
            indices[start:end].sort()
            continue
        by_time = np.argsort(times[start:end], kind="mergesort")
        order = by_time[np.argsort(indices[start:end][by_time], kind="mergesort")]
        indices[start:end] = indices[start:end][order]
        times[start:end] = times[start:end][order]


def drop_repeats(indptr: Int64, indices: Int32, times: Float64) -> int:
    """Keep the last of equal neighbours in each row (the latest), closing the gaps; return how many remain.

    `indptr` is rewritten; the arrays keep their length and are meaningful up to the returned count.
    """
    write = 0
    slices = row_slices(indptr)
    starts = [int(indptr[first]) for first, _ in slices]
    for (first, last), start in zip(slices, starts, strict=True):
        write = _drop_repeats(indptr, indices, times, first, last, start, write)
    return write


@compiled
def _drop_repeats(
    indptr: Int64,
    indices: Int32,
    times: Float64,
    first: int,
    last: int,
    start: int,  # where row `first` began before indptr was rewritten
    write: int,
) -> int:
    for row in range(first, last):
        end = indptr[row + 1]
        for read in range(start, end):
            if read + 1 < end and indices[read + 1] == indices[read]:
                continue
            indices[write] = indices[read]
            if len(times) > 0:
                times[write] = times[read]
            write += 1
        start = end
        indptr[row + 1] = write
    return write
