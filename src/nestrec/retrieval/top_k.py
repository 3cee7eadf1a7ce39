"""Exact top-k at every width of a ladder, with scores: for recommendations and neighbours.

Many queries visit the items in the order of falling length; for few, finding that order would cost more than it saves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.search.selection import items_of, scores_of
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.batched_scan import Asked, Exclusions, Visited, by_falling_length, sweep

__all__ = ["Exclusions", "TopK", "top_k"]

_MANY = 256  # queries


class TopK(NamedTuple):
    """The best items of each query at each width, best first; equal scores by item index."""

    items: Int32Array  # (n_queries, n_widths, k) item_index; -1 where fewer than k items are left
    scores: Float32Array  # (n_queries, n_widths, k); -inf there


def top_k(
    queries: Float32Array,  # (n_rows, >= widest)
    vectors: Float32Array,  # (n_items, >= widest)
    widths: tuple[int, ...],  # ascending
    k: int,
    *,
    rows: npt.NDArray[np.integer] | None = None,  # (n_queries,) rows of queries to answer, in this order; None: all
    candidates: Int32Array | None = None,  # item_index, ascending; None: all items
    excluded: Exclusions | None = None,
    cosine: bool = False,  # scale both sides to length 1 at the widest width
    threads: int | None = None,
) -> TopK:
    """Rank the candidates for every query by inner product of prefixes; NaN is never returned."""
    if rows is None:
        rows = np.arange(len(queries))
    threads = resolve_threads(threads)
    shape = (len(rows), len(widths), k)
    best = TopK(np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.float32))

    def take(block: slice, keys: Int64Array) -> None:
        best.items[block] = items_of(keys)
        best.scores[block] = scores_of(keys)

    if best.items.size == 0:
        return best
    by_length = len(rows) >= _MANY and not cosine
    visited = Visited(vectors, _longest_first(vectors[:, : widths[-1]], candidates) if by_length else candidates)
    sweep(Asked(queries, rows, excluded), visited, widths, k, take, cosine=cosine, threads=threads)
    return best


def _longest_first(vectors: Float32Array, candidates: Int32Array | None) -> Int32Array:
    squares = np.vecdot(vectors, vectors)  # of all, since one pass over what lies together is quick
    if candidates is None:
        return by_falling_length(squares)
    return candidates[by_falling_length(squares[candidates])]
