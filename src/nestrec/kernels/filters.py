"""The k-core by a work queue: whoever falls below its minimum leaves once and takes one from each neighbour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.kernels.compiled import compiled

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]


@compiled
def transpose(
    indptr: Int64,
    indices: Int32,
    item_indptr: Int64,  # (n_items + 1,) out
    users: Int32,  # (n_interactions,) out: each item's users, ascending
) -> None:
    """Write the same pairs as rows of items."""
    item_indptr[:] = 0
    for position in range(len(indices)):
        item_indptr[indices[position] + 1] += 1
    for item in range(1, len(item_indptr)):
        item_indptr[item] += item_indptr[item - 1]
    cursor = item_indptr[:-1].copy()
    for user in range(len(indptr) - 1):
        for position in range(indptr[user], indptr[user + 1]):
            item = indices[position]
            users[cursor[item]] = user
            cursor[item] += 1


@compiled
def peel(
    indptr: Int64,
    indices: Int32,
    item_indptr: Int64,
    users: Int32,
    min_user: int,
    min_item: int,
    user_counts: Int64,  # (n_users,) in: sizes; out: sizes in the core, below min_user for who is not in it
    item_counts: Int64,  # (n_items,) likewise
) -> None:
    """Take out users and items below their minima until none is left."""
    n_users, n_items = len(user_counts), len(item_counts)
    queue = np.empty(n_users + n_items, dtype=np.int64)  # users, and items as n_users + item; each enters once
    tail = 0
    for user in range(n_users):
        if user_counts[user] < min_user:
            queue[tail] = user
            tail += 1
    for item in range(n_items):
        if item_counts[item] < min_item:
            queue[tail] = n_users + item
            tail += 1
    head = 0
    while head < tail:
        out = queue[head]
        head += 1
        if out < n_users:
            tail = _take_from(indices[indptr[out] : indptr[out + 1]], item_counts, min_item, n_users, queue, tail)
        else:
            item = out - n_users
            tail = _take_from(users[item_indptr[item] : item_indptr[item + 1]], user_counts, min_user, 0, queue, tail)


@compiled
def _take_from(neighbours: Int32, counts: Int64, minimum: int, offset: int, queue: Int64, tail: int) -> int:
    """Take one from each neighbour's count; queue who falls below the minimum just now; return the queue's new end."""
    for place in range(len(neighbours)):
        neighbour = neighbours[place]
        counts[neighbour] -= 1
        if counts[neighbour] == minimum - 1:
            queue[tail] = offset + neighbour
            tail += 1
    return tail


@compiled
def keep_core(
    indptr: Int64,
    indices: Int32,
    timestamps: Float64,  # (n_interactions,) or (0,)
    in_core: npt.NDArray[np.bool_],  # (n_users,)
    item_ranks: Int32,  # (n_items,) item_index in the core, -1 for who is not in it
    core_indices: Int32,  # out
    core_timestamps: Float64,  # out, or (0,)
) -> None:
    """Copy the pairs whose user and item are both in the core."""
    with_times = len(timestamps) > 0
    write = 0
    for user in range(len(in_core)):
        if not in_core[user]:
            continue
        for position in range(indptr[user], indptr[user + 1]):
            rank = item_ranks[indices[position]]
            if rank < 0:
                continue
            core_indices[write] = rank
            if with_times:
                core_timestamps[write] = timestamps[position]
            write += 1
