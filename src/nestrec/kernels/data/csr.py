"""Pairs in any order to rows whose items ascend, each pair once: counted, placed, sorted and joined in place.

Ranges: entries are numbers that an `IdIndex` gave, ranks its permutation of them; the rows' sizes were counted from the
same pairs that are placed. Callers go through long data in slices.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float64Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled, compiled_in_order
from nestrec.parallel.slices import row_slices

FIRST, LAST, SUM, MAX = 0, 1, 2, 3  # which of the ratings or weights of repeated pairs count


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
    ratings: Float64Array,  # (n,) or (0,)
    weights: Float64Array,  # (n,) or (0,)
    user_ranks: Int32Array,  # entry -> user_index
    item_ranks: Int32Array,
    cursor: Int64Array,  # (n_users,) next free place of each row; updated
    indices: Int32Array,  # (n_pairs,) out
    placed_times: Float64Array,  # (n_pairs,) or (0,) out
    placed_ratings: Float64Array,  # (n_pairs,) or (0,) out
    placed_weights: Float64Array,  # (n_pairs,) or (0,) out
) -> None:
    """Put each pair's item into its user's row."""
    with_times, with_ratings, with_weights = len(times) > 0, len(ratings) > 0, len(weights) > 0
    for pair in range(len(users)):
        row = user_ranks[users[pair]]
        place = cursor[row]
        indices[place] = item_ranks[items[pair]]
        if with_times:
            placed_times[place] = times[pair]
        if with_ratings:
            placed_ratings[place] = ratings[pair]
        if with_weights:
            placed_weights[place] = weights[pair]
        cursor[row] = place + 1


@compiled
def sort_rows(
    indptr: Int64Array,
    indices: Int32Array,
    times: Float64Array,
    ratings: Float64Array,
    weights: Float64Array,
    first: int,
    last: int,
) -> None:
    """Sort rows first:last by item, then by time where there are times, then by the order read; arrays of 0 stay."""
    for row in range(first, last):
        start, end = indptr[row], indptr[row + 1]
        if end - start < 2:
            continue
        if len(times) == 0 and len(ratings) == 0 and len(weights) == 0:
            indices[start:end].sort()
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
        if len(weights) > 0:
            weights[start:end] = weights[start:end][order]


@compiled
def combine_weights(
    indptr: Int64Array,
    indices: Int32Array,  # sorted in each row
    weights: Float64Array,  # (n_pairs,) updated
    rule: int,
    first: int,
    last: int,
) -> None:
    """Give all repeats of a pair in rows first:last their sum or their largest weight."""
    for row in range(first, last):
        read, end = indptr[row], indptr[row + 1]
        while read < end:
            after = read + 1
            while after < end and indices[after] == indices[read]:
                after += 1
            if after > read + 1:
                weights[read:after].sort()  # so that the order of the rows has no effect on the sum
                combined = weights[after - 1]
                if rule == SUM:
                    combined = weights[read:after].sum()
                weights[read:after] = combined
            read = after


def join_repeats(
    indptr: Int64Array,  # (n_users + 1,) rewritten
    indices: Int32Array,  # (n_pairs,) sorted in each row
    times: Float64Array,  # (n_pairs,) or (0,)
    ratings: Float64Array,  # (n_pairs,) or (0,): every pair is kept
    weights: Float64Array,  # (n_pairs,) or (0,)
    rule: int,
    minimum: float,
) -> tuple[int, int]:
    """Keep each pair once, if the rating that the rule gives it is at least the minimum; close the gaps.

    Returns how many are kept and how many pairs there were. Time and weight are those of the first or the last of equal
    pairs.
    The arrays keep their length and are meaningful up to the number kept.
    """
    write, n_pairs, slices = 0, 0, row_slices(indptr)
    starts = [int(indptr[first]) for first, _ in slices]
    for (first, last), start in zip(slices, starts, strict=True):
        write, n_found = _join_repeats(
            indptr, indices, times, ratings, weights, rule, minimum, first, last, start, write
        )
        n_pairs += n_found
    return write, n_pairs


@compiled_in_order
def _join_repeats(
    indptr: Int64Array,
    indices: Int32Array,
    times: Float64Array,
    ratings: Float64Array,
    weights: Float64Array,
    rule: int,
    minimum: float,
    first: int,
    last: int,
    read: int,  # where row `first` began before indptr was rewritten
    write: int,
) -> tuple[int, int]:
    n_pairs = 0
    for row in range(first, last):
        end = indptr[row + 1]
        while read < end:
            after, total = read + 1, minimum
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
            if total >= minimum:
                indices[write] = indices[read]
                if len(times) > 0:
                    times[write] = times[chosen]
                if len(weights) > 0:
                    weights[write] = weights[chosen]
                write += 1
            read = after
        indptr[row + 1] = write
    return write, n_pairs
