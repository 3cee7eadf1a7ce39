"""Generated interactions of any size, to measure how time and memory grow. With structure: `SyntheticData`.

Each user's distinct items are drawn by power-law popularity, half of them from the user's own cluster of items. Every
number is a hash of (seed, user, draw), so users can be drawn in any order, by any number of threads. A place that is
taken points to where a free one may be, and those pointers are shortened when they are followed (Tarjan 1975), so that
a user of very many items takes time in proportion to them.

Ranges: `by_popularity` is a permutation of the items, a row has at most half as many, so a free place is always found.
"""

from __future__ import annotations

from itertools import pairwise
from threading import Event
from typing import Any

import numpy as np

from nestrec.arguments import require
from nestrec.arrays import Int32Array, Int64Array
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import LARGEST_SIZE, Vocabulary
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import below, mix_bits, random_bits
from nestrec.parallel.slices import row_slices
from nestrec.parallel.threads import map_in_threads, resolve_threads

Bits = Any  # one np.uint64

_DRAWN_AT_ONCE = 1 << 17  # some hundredths of a second
_TRIES = 4  # before the next free item is taken instead, so that a user of almost all items is drawn too
_TO_UNIT = 2.0**-52
_N_CLUSTERS = 32
_SPREAD = 1.0  # of the logarithm of how many interactions a user has


def generate_interactions(
    n_users: int, n_items: int, n_interactions: int, seed: int = 0, threads: int | None = None
) -> Interactions:
    """Return exactly that many distinct pairs, ids counted from 0; the same for any number of threads.

    Users have one interaction at least and log-normally many; items are popular by a power law, in no order of their
    ids; half of what a user draws comes from one of 32 clusters of items. Beyond the result the memory is some 50 bytes
    a user and 4 bytes an item and thread. Raises OptionError where `n_interactions` does not fit: at least `n_users`,
    at most half of users x items.

    >>> generate_interactions(n_users=100, n_items=50, n_interactions=1000, seed=1)
    <Interactions: 100 users, 50 items, 1000 interactions>
    """
    _check(n_users, n_items, n_interactions, seed)
    n_threads = resolve_threads(threads)
    rng = np.random.default_rng(seed)
    sizes = _draw_sizes(n_users, n_items, n_interactions, rng)
    indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    indices = np.empty(n_interactions, dtype=np.int32)
    by_popularity = rng.permutation(n_items).astype(np.int32)
    shares = row_slices(indptr, max(1, -(-n_interactions // n_threads)))

    stopped = Event()

    def draw(share: tuple[int, int]) -> None:
        draw_items(indptr, indices, by_popularity, min(_N_CLUSTERS, n_items), seed, *share, stopped)

    map_in_threads(draw, shares, n_threads, stopped)
    users, items = (Vocabulary(np.arange(n, dtype=np.int64)) for n in (n_users, n_items))
    return Interactions(users, items, indptr, indices)


def _check(n_users: int, n_items: int, n_interactions: int, seed: int) -> None:
    for name, number in (("n_users", n_users), ("n_items", n_items)):
        require(1 <= number <= LARGEST_SIZE, name, "be from 1 to 2^31 - 1", number)
    most = n_users * max(n_items // 2, 1)
    rule = f"be from {n_users} to {most} for {n_users} users and {n_items} items"
    require(n_users <= n_interactions <= most, "n_interactions", rule, n_interactions)
    require(0 <= seed < 2**63, "seed", "be from 0 to 2^63 - 1", seed)


def _draw_sizes(n_users: int, n_items: int, n_interactions: int, rng: np.random.Generator) -> Int64Array:
    """Return how many interactions each user has: log-normal, from 1 to half the items, summing to the number given."""
    largest = max(n_items // 2, 1)
    weights = np.cumsum(rng.lognormal(0.0, _SPREAD, n_users))
    edges = np.round(weights / weights[-1] * (n_interactions - n_users)).astype(np.int64)
    sizes: Int64Array = np.minimum(1 + np.diff(edges, prepend=0), largest)
    missing = n_interactions - int(sizes.sum())
    while missing > 0:  # what the largest users could not take is spread evenly over the others
        open_users = np.flatnonzero(sizes < largest)
        extra = np.full(len(open_users), missing // len(open_users), dtype=np.int64)
        extra[: missing % len(open_users)] += 1
        sizes[open_users] = np.minimum(sizes[open_users] + extra, largest)
        missing = n_interactions - int(sizes.sum())
    return sizes


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
def _draw(  # noqa: PLR0913 - numba takes arguments by position
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
