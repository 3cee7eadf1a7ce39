"""Pairs in any order to rows whose items ascend, each pair once: counted, placed, sorted and thinned in place.

Ranges: entries are numbers that an `IdIndex` gave, ranks its permutation of them; the rows' sizes were counted from the
same pairs that are placed. Callers go through long data in slices.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float64Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.parallel.slices import row_slices


@compiled
def count_rows(users: Int32Array, ranks: Int32Array, counts: Int64Array) -> None:
    """Add one to `counts[ranks[user]]` for each pair."""
    for pair in range(len(users)):
        counts[ranks[users[pair]]] += 1


@compiled
def place_pairs(
    users: Int32Array,  # (n,) entries in order of first appearance
    items: Int32Array,  # (n,)
    times: Float64Array,  # (n,) or (0,)
    user_ranks: Int32Array,  # entry -> user_index
    item_ranks: Int32Array,
    cursor: Int64Array,  # (n_users,) next free place of each row; updated
    indices: Int32Array,  # (n_pairs,) out
    placed_times: Float64Array,  # (n_pairs,) or (0,) out
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
def sort_rows(indptr: Int64Array, indices: Int32Array, times: Float64Array, first: int, last: int) -> None:
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


def drop_repeats(indptr: Int64Array, indices: Int32Array, times: Float64Array) -> int:
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
    indptr: Int64Array,
    indices: Int32Array,
    times: Float64Array,
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
