"""Widths and shortlist that reach a recall, measured on a model's own vectors.

For a sample of users, the rank by a prefix is found for each of the k best items by the full vectors. A shortlist of n
candidates contains the share of them whose rank is n or better, so that one pass over the items measures every
shortlist of a width. Of the widths that reach a recall, the one that reads the fewest numbers is chosen: the prefix of
every item and the full vector of every candidate.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.embeddings import NestedEmbeddings
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.top_k import top_k
from nestrec.stores.metadata import OperatingPoint

TARGETS = (0.95, 0.99)
SAMPLED_USERS = 200
MEASURED_K = 10
LONGEST = 1_000  # candidates; engines limit them, such as pgvector to an ef_search of 1,000
_MARGIN = 1e-9  # of a recall, against rounding


def measure_operating_points(
    model: NestedEmbeddings,
    items: Int32Array,  # (n,) rows of the stored items
    size: int,  # of the stored vectors
    widths: tuple[int, ...],  # prefixes to choose from
    *,
    k: int = MEASURED_K,
    seed: int = 0,
) -> tuple[OperatingPoint, ...]:
    """Return the operating point for each target recall; without prefixes, the search of all stored dimensions."""
    users = sample_users(model, SAMPLED_USERS, seed)
    prefixes = tuple(width for width in widths if width < size)
    if not prefixes or not len(users) or not len(items):
        return (OperatingPoint(1.0, (size,), k, 1.0, k, len(users)),)
    ranks = {width: _measure_ranks(model, items, users, (width, size), k) for width in prefixes}
    return tuple(_choose(target, ranks, len(items), size, k, len(users)) for target in TARGETS)


def sample_users(model: NestedEmbeddings, n_users: int, seed: int) -> Int32Array:
    """Return rows of a random sample of users, ascending."""
    n = min(n_users, model.n_users)
    return np.sort(np.random.default_rng(seed).choice(model.n_users, size=n, replace=False)).astype(np.int32)


def _measure_ranks(
    model: NestedEmbeddings, items: Int32Array, users: Int32Array, widths: tuple[int, int], k: int
) -> Int64Array:
    """Return the rank from 1 by the narrow width of each of the users' best k items by the wide one, ascending."""
    vectors, queries = model.item_embeddings[items], model.user_embeddings[users]
    seen = exclude_seen(model, items, users)
    best, _ = top_k(queries, vectors, widths[1], min(k, len(items)), excluded=seen)
    ranks = [
        _rank(vectors[:, : widths[0]] @ query[: widths[0]], own[own >= 0], seen.indices[slice(*bounds)])
        for query, own, bounds in zip(
            queries, best, np.lib.stride_tricks.sliding_window_view(seen.indptr, 2), strict=True
        )
    ]
    return np.sort(np.concatenate(ranks))


def _rank(scores: Float32Array, best: Int32Array, seen: Int32Array) -> Int64Array:
    """Return the rank of some items among those that were not seen; ties count as ahead."""
    scores[seen] = -np.inf
    return np.array([np.count_nonzero(scores >= score) for score in scores[best].tolist()], dtype=np.int64)


def exclude_seen(model: NestedEmbeddings, items: Int32Array, users: Int32Array) -> ItemLists:
    """Return the seen items of each user as positions among the stored items."""
    position = np.full(model.n_items, -1, dtype=np.int32)
    position[items] = np.arange(len(items), dtype=np.int32)
    lists = ItemLists(model.seen.indptr, model.seen.indices).select(users)
    places = lists._replace(indices=position[lists.indices])
    return places.keep(places.indices >= 0)


def _choose(
    target: float, ranks: dict[int, Int64Array], n_items: int, size: int, k: int, n_users: int
) -> OperatingPoint:
    """Return the point that reads the fewest numbers; the widest prefix with the longest shortlist if none reaches."""
    points = {}
    for width, found in ranks.items():
        if not len(found):
            return OperatingPoint(target, (size,), k, 1.0, k, n_users)
        needed = int(found[min(len(found) - 1, int(np.ceil(target * len(found) - _MARGIN)) - 1)])
        shortlist = max(k, min(needed, LONGEST))
        recall = float(np.searchsorted(found, shortlist, side="right") / len(found))
        points[width] = OperatingPoint(target, (width, size), shortlist, recall, k, n_users)
    reaching = [point for point in points.values() if point.recall >= target - _MARGIN]
    if not reaching:
        return points[max(points)]
    return min(reaching, key=lambda point: n_items * point.widths[0] + point.shortlist * size)
