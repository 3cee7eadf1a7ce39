"""Rows of a matrix in which a pair may stand several times, each with a rating: sorted, and joined by a rule."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float64Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled, compiled_in_order

FIRST, LAST, SUM = 0, 1, 2


@compiled
def place_values(
    users: Int32Array,  # (n,) entries in order of first appearance
    values: Float64Array,  # (n,)
    user_ranks: Int32Array,  # entry -> user_index
    cursor: Int64Array,  # (n_users,) next free place of each row; updated
    placed: Float64Array,  # (n_pairs,) out
) -> None:
    """Put each pair's value into its user's row, in the order in which `csr.place_pairs` puts the items."""
    for pair in range(len(users)):
        row = user_ranks[users[pair]]
        placed[cursor[row]] = values[pair]
        cursor[row] += 1


@compiled
def sort_rated_rows(
    indptr: Int64Array, indices: Int32Array, times: Float64Array, ratings: Float64Array, first: int, last: int
) -> None:
    """Sort rows first:last by item, then by time where there are times, then by the order read; arrays of 0 stay."""
    for row in range(first, last):
        start, end = indptr[row], indptr[row + 1]
        if end - start < 2:
            continue
        order = np.arange(end - start)
        if len(times) > 0:
            order = np.argsort(times[start:end], kind="mergesort")
        order = order[np.argsort(indices[start:end][order], kind="mergesort")]
        indices[start:end] = indices[start:end][order]
        if len(times) > 0:
            times[start:end] = times[start:end][order]
        if len(ratings) > 0:
            ratings[start:end] = ratings[start:end][order]


@compiled_in_order
def join_repeats(
    indptr: Int64Array,  # (n_users + 1,) rewritten
    indices: Int32Array,  # (n_pairs,) sorted in each row
    times: Float64Array,  # (n_pairs,) or (0,)
    ratings: Float64Array,  # (n_pairs,) or (0,): every pair is kept
    rule: int,
    minimum: float,
) -> tuple[int, int]:
    """Keep each pair once, if the rating that the rule gives it is at least the minimum; close the gaps.

    Returns how many are kept and how many pairs there were. The time is that of the first or the last of equal pairs.
    The arrays keep their length and are meaningful up to the number kept.
    """
    write, n_pairs, read = 0, 0, indptr[0]
    for row in range(len(indptr) - 1):
        end = indptr[row + 1]
        while read < end:
            after, total = read + 1, 0.0
            while after < end and indices[after] == indices[read]:
                after += 1
            chosen = read if rule == FIRST else after - 1
            if len(ratings) > 0:
                total = ratings[chosen]
                if rule == SUM:
                    total = ratings[read]
                    for other in range(read + 1, after):
                        total += ratings[other]
            n_pairs += 1
            if len(ratings) == 0 or total >= minimum:
                indices[write] = indices[read]
                if len(times) > 0:
                    times[write] = times[chosen]
                write += 1
            read = after
        indptr[row + 1] = write
    return write, n_pairs
