"""The k-core by a work queue: a user or an item below its minimum is removed once, and each neighbour loses one.

Ranges: the pairs are those of `Interactions`, which has checked them; counts are those of the same pairs, so each user
and item passes its minimum once and the queue has room for all. All passes are in slices.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.parallel.slices import ENTRIES, position_slices, row_slices


def transpose(
    indptr: Int64Array,
    indices: Int32Array,
    item_indptr: Int64Array,  # (n_items + 1,) out
    users: Int32Array,  # (n_interactions,) out: each item's users, ascending
) -> None:
    """Write the same pairs as rows of items."""
    item_indptr[:] = 0
    for first, last in position_slices(len(indices)):
        _count_items(indices, item_indptr, first, last)
    np.cumsum(item_indptr, out=item_indptr)
    cursor = item_indptr[:-1].copy()
    for first, last in row_slices(indptr):
        _place_users(indptr, indices, cursor, users, first, last)


@compiled
def _count_items(indices: Int32Array, item_indptr: Int64Array, first: int, last: int) -> None:
    for position in range(first, last):
        item_indptr[indices[position] + 1] += 1


@compiled
def _place_users(
    indptr: Int64Array, indices: Int32Array, cursor: Int64Array, users: Int32Array, first: int, last: int
) -> None:
    for user in range(first, last):
        for position in range(indptr[user], indptr[user + 1]):
            item = indices[position]
            users[cursor[item]] = user
            cursor[item] += 1


def peel(
    indptr: Int64Array,
    indices: Int32Array,
    item_indptr: Int64Array,
    users: Int32Array,
    min_user: int,
    min_item: int,
    user_counts: Int64Array,  # (n_users,) in: sizes; out: sizes in the core, below min_user outside of it
    item_counts: Int64Array,  # (n_items,) likewise
) -> None:
    """Remove users and items below their minima until none is left."""
    n_users, n_items = len(user_counts), len(item_counts)
    first = [np.flatnonzero(user_counts < min_user), n_users + np.flatnonzero(item_counts < min_item)]
    queue = np.zeros(n_users + n_items, dtype=np.int64)  # users, and items as n_users + item; each enters once
    ends = np.array([0, len(first[0]) + len(first[1])], dtype=np.int64)
    queue[: ends[1]] = np.concatenate(first)
    while ends[0] < ends[1]:
        _peel(
            indptr, indices, item_indptr, users, min_user, min_item, user_counts, item_counts, queue, ends, ENTRIES
        )  # fmt: skip


@compiled
def _peel(
    indptr: Int64Array,
    indices: Int32Array,
    item_indptr: Int64Array,
    users: Int32Array,
    min_user: int,
    min_item: int,
    user_counts: Int64Array,
    item_counts: Int64Array,
    queue: Int64Array,
    ends: Int64Array,  # (2,) where the queue begins and ends; updated
    most: int,  # neighbours after which to return
) -> None:
    n_users = len(user_counts)
    head, tail, n_visited = ends[0], ends[1], 0
    while head < tail and n_visited < most:
        out = queue[head]
        head += 1
        if out < n_users:
            low, high = indptr[out], indptr[out + 1]
            tail = _decrement(indices[low:high], item_counts, min_item, n_users, queue, tail)
        else:
            low, high = item_indptr[out - n_users], item_indptr[out - n_users + 1]
            tail = _decrement(users[low:high], user_counts, min_user, 0, queue, tail)
        n_visited += 1 + high - low
    ends[0], ends[1] = head, tail


@compiled
def _decrement(
    neighbours: Int32Array, counts: Int64Array, minimum: int, offset: int, queue: Int64Array, tail: int
) -> int:
    """Decrement each neighbour's count, queue those that fall below the minimum, and return the queue's new end."""
    for place in range(len(neighbours)):
        neighbour = neighbours[place]
        counts[neighbour] -= 1
        if counts[neighbour] == minimum - 1:
            queue[tail] = offset + neighbour
            tail += 1
    return tail
