"""Requests in which every query has an allow-list of its own: score what is on it and nothing else.

The lists are short beside the catalogue, so no retriever is faster, and the answer is exact with each. Scores are
summed as in the full scan and have its bits.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.search.rerank import PRODUCTS_AT_ONCE, rerank, write_ranking
from nestrec.kernels.search.selection import NO_KEY, encode_keys
from nestrec.parallel.threads import map_in_threads
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.ranking import Ranking, Work
from nestrec.retrieval.request import Request, empty_keys, rank_keys

_KEYS_AT_ONCE = 1 << 20  # 8 MB per thread


def scan_lists(request: Request, vectors: Float32Array, width: int, threads: int) -> Ranking:
    """Answer a request whose queries have allow-lists."""
    lists, shown = select_candidates(request, len(vectors)), min(request.k, len(vectors))
    best = rank_lists(request.queries, vectors[:, :width], lists, shown, threads)
    return rank_keys(best, request.k, Work(len(request) * len(vectors), 0, len(lists.indices)))


def select_candidates(request: Request, n_items: int) -> ItemLists:
    """Return what each query's allow-list leaves, each item once, ascending."""
    lists, excluded = request.lists or ItemLists.empty(len(request)), request.excluded
    pairs = np.unique(lists.rows * n_items + lists.indices)
    kept = ~np.isin(pairs, excluded.rows * n_items + excluded.indices)
    if request.allowed is not None:
        kept &= request.allowed[pairs % n_items]
    pairs = pairs[kept]
    return ItemLists.from_sizes(
        np.bincount(pairs // n_items, minlength=len(request)), (pairs % n_items).astype(np.int32)
    )


def rank_lists(
    queries: Float32Array,  # (n_queries, width)
    vectors: Float32Array,  # (n_items, width)
    lists: ItemLists,  # by query, each item once
    k: int,
    threads: int,
) -> Int64Array:
    """Return the best k keys of each query's list, (n_queries, k), padded with NO_KEY."""
    best, width = empty_keys(len(queries), k), queries.shape[1]

    def rank(rows: Int64Array) -> None:
        keys, counts, own = *_build_keys(lists.select(rows)), empty_keys(len(rows), k)
        rerank(keys, counts, queries[rows], vectors, 0, width, k)
        write_ranking(keys, counts, own)
        best[rows] = own

    map_in_threads(rank, list(_cut_rows(np.diff(lists.indptr), width)), threads)
    return best


def _build_keys(lists: ItemLists) -> tuple[Int64Array, Int64Array]:
    """Return keys without scores, (n, longest list), and the size of each list."""
    sizes = np.diff(lists.indptr)
    keys = np.full((len(sizes), int(sizes.max())), NO_KEY, dtype=np.int64)
    keys[np.arange(keys.shape[1]) < sizes[:, np.newaxis]] = encode_keys(
        np.zeros(len(lists.indices), dtype=np.float32), lists.indices
    )
    return keys, sizes


def _cut_rows(sizes: Int64Array, width: int) -> Iterator[Int64Array]:
    """Yield rows with lists of similar size, so that padding at most doubles them, in bounded pieces of work."""
    room = np.maximum(1, 2 ** np.ceil(np.log2(np.maximum(sizes, 1))).astype(np.int64))
    for longest in np.unique(room[sizes > 0]).tolist():
        rows = np.flatnonzero((room == longest) & (sizes > 0))
        at_once = max(1, min(_KEYS_AT_ONCE, PRODUCTS_AT_ONCE // width) // longest)
        yield from (rows[first : first + at_once] for first in range(0, len(rows), at_once))
