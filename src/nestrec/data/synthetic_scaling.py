"""Synthetic interactions of any size, to measure how time and memory grow. With structure: `SyntheticData`."""

from __future__ import annotations

from threading import Event

import numpy as np

from nestrec.arrays import Int64Array
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import LARGEST_SIZE, Vocabulary
from nestrec.errors import OptionError
from nestrec.kernels.data.generation import draw_items
from nestrec.parallel.slices import row_slices
from nestrec.parallel.threads import map_in_threads, resolve_threads

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
        if not 1 <= number <= LARGEST_SIZE:
            raise OptionError(f"{name} must be from 1 to 2^31 - 1, got {number}", option=name)
    most = n_users * max(n_items // 2, 1)
    if not n_users <= n_interactions <= most:
        raise OptionError(
            f"n_interactions must be from {n_users} to {most} for {n_users} users and {n_items} items, got "
            f"{n_interactions}",
            option="n_interactions",
        )
    if not 0 <= seed < 2**63:
        raise OptionError(f"seed must be from 0 to 2^63 - 1, got {seed}", option="seed")


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
