"""Drawing each user's distinct items by power-law popularity, half of them from the user's own cluster of items.

Every number is a hash of (seed, user, draw), so users can be drawn in any order, by any number of threads. A place that
is taken points to where a free one may be, and those pointers are shortened when they are followed (Tarjan 1975), so
that a user of very many items takes time in proportion to them.

Ranges: `by_popularity` is a permutation of the items, a row has at most half as many, so a free place is always found.
"""

from __future__ import annotations

from itertools import pairwise
from threading import Event
from typing import Any

import numpy as np

from nestrec.arrays import Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import below, mix_bits, random_bits

Bits = Any  # one np.uint64

_DRAWN_AT_ONCE = 1 << 17  # some hundredths of a second
_TRIES = 4  # before the next free item is taken instead, so that a user of almost all items is drawn too
_TO_UNIT = 2.0**-52


def draw_items(
    indptr: Int64Array,  # (n_users + 1,)
    indices: Int32Array,  # (n_interactions,) out: ascending in each row
    by_popularity: Int32Array,  # (n_items,) items, the most popular first; place p is in cluster p % n_clusters
    n_clusters: int,  # at most n_items
    seed: int,
    first: int,
    last: int,
    stopped: Event | None = None,  # looked at now and then
) -> None:
    """Draw the rows first:last."""
    last_user = np.full(len(by_popularity), -1, dtype=np.int32)  # who drew the item at this place last
    onwards = np.zeros(len(by_popularity), dtype=np.int32)  # of a place that is taken: where to look for a free one
    at = np.array([first, indptr[first], 1], dtype=np.int64)
    while at[0] < last and not (stopped is not None and stopped.is_set()):
        _draw(indptr, indices, by_popularity, n_clusters, seed, last, last_user, onwards, at, _DRAWN_AT_ONCE)
    for low, high in pairwise(indptr[first : last + 1].tolist()):
        if high - low > _DRAWN_AT_ONCE:  # the others are sorted where they are drawn
            indices[low:high].sort()


@compiled
def _draw(
    indptr: Int64Array,
    indices: Int32Array,
    by_popularity: Int32Array,
    n_clusters: int,
    seed: int,
    last: int,
    last_user: Int32Array,
    onwards: Int32Array,
    at: Int64Array,  # (3,) user, position and draw to continue from; updated
    most: int,  # draws after which to return
) -> None:
    user, position, draw = at[0], at[1], at[2]
    until = position + most
    while user < last and position < until:
        key: Bits = mix_bits(mix_bits(seed) + np.uint64(user))
        cluster = below(random_bits(key, 0), n_clusters)
        while position < indptr[user + 1] and position < until:
            place, draw = _find_free_place(key, draw, cluster, n_clusters, user, last_user, onwards)
            last_user[place], onwards[place] = user, (place + 1) % len(last_user)
            indices[position] = by_popularity[place]
            position += 1
        if position == indptr[user + 1]:
            if indptr[user + 1] - indptr[user] <= most:
                indices[indptr[user] : indptr[user + 1]].sort()
            user, draw = user + 1, 1
    at[0], at[1], at[2] = user, position, draw


@compiled
def _find_free_place(
    key: Bits, draw: int, cluster: int, n_clusters: int, user: int, last_user: Int32Array, onwards: Int32Array
) -> tuple[int, int]:  # the place, the next draw
    """Return a place that the user has not drawn yet."""
    place = 0
    for _ in range(_TRIES):
        place = _draw_place(random_bits(key, draw), len(last_user), cluster, n_clusters)
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
def _draw_place(bits: Bits, n_items: int, cluster: int, n_clusters: int) -> int:
    """Turn random bits into a place; the cube makes place p about p^(-2/3) as likely as the first."""
    unit = np.float64(bits >> np.uint64(12)) * _TO_UNIT
    skewed = unit * unit * unit
    if bits & np.uint64(1):
        return int(skewed * n_items)
    return int(skewed * (n_items // n_clusters)) * n_clusters + cluster
