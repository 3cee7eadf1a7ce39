"""Drawing each user's distinct items by power-law popularity, half of them from the user's own cluster of items.

Every number is a hash of (seed, user, draw), so users can be drawn in any order, by any number of threads. A place that
is taken points to where a free one may be, and those pointers are shortened when they are followed (Tarjan 1975), so
that a user of very many items takes time in proportion to them.

Ranges: `by_popularity` is a permutation of the items, a row has at most half as many, so a free place is always found.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.kernels.compiled import compiled
from nestrec.kernels.shuffle import below, mixed, random_bits

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Bits = Any  # one np.uint64

_TRIES = 4  # before the next free item is taken instead, so that a user of almost all items is drawn too
_TO_UNIT = 2.0**-52


@compiled
def draw_items(
    indptr: Int64,  # (n_users + 1,)
    indices: Int32,  # (n_interactions,) out: ascending in each row
    by_popularity: Int32,  # (n_items,) items, the most popular first; place p is in cluster p % n_clusters
    n_clusters: int,  # at most n_items
    seed: int,
    first: int,
    last: int,
) -> None:
    """Draw the rows first:last."""
    last_user = np.full(len(by_popularity), -1, dtype=np.int32)  # who drew the item at this place last
    onwards = np.zeros(len(by_popularity), dtype=np.int32)  # of a place that is taken: where to look for a free one
    for user in range(first, last):
        key: Bits = mixed(mixed(seed) + np.uint64(user))
        cluster = below(random_bits(key, 0), n_clusters)
        draw = 1
        for position in range(indptr[user], indptr[user + 1]):
            place, draw = _free_place(key, draw, cluster, n_clusters, user, last_user, onwards)
            last_user[place], onwards[place] = user, (place + 1) % len(last_user)
            indices[position] = by_popularity[place]
        indices[indptr[user] : indptr[user + 1]].sort()


@compiled
def _free_place(
    key: Bits, draw: int, cluster: int, n_clusters: int, user: int, last_user: Int32, onwards: Int32
) -> tuple[int, int]:  # the place, the next draw
    """Return a place that the user has not drawn yet."""
    place = 0
    for _ in range(_TRIES):
        place = _place(random_bits(key, draw), len(last_user), cluster, n_clusters)
        draw += 1
        if last_user[place] != user:
            return place, draw
    free = place
    while last_user[free] == user:
        free = onwards[free]
    while place != free:
        following = onwards[place]
        onwards[place] = free
        place = following
    return free, draw


@compiled
def _place(bits: Bits, n_items: int, cluster: int, n_clusters: int) -> int:
    """Turn random bits into a place; the cube makes place p about p^(-2/3) as likely as the first."""
    unit = np.float64(bits >> np.uint64(12)) * _TO_UNIT
    skewed = unit * unit * unit
    if bits & np.uint64(1):
        return int(skewed * n_items)
    return int(skewed * (n_items // n_clusters)) * n_clusters + cluster
