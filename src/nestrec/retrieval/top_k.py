"""Exact top-k of inner products or cosines: for the full scan, for neighbours and for k-means.

Many queries scan the items in the order of descending norm; for few, finding that order would cost more than it saves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.search.selection import decode_items, decode_scores
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.width_scan import ScanItems, ScanQueries, order_by_norm, scan_widths

_MANY = 256  # queries


def top_k(
    queries: Float32Array,  # (n_rows, >= width)
    vectors: Float32Array,  # (n_items, >= width)
    width: int,
    k: int,
    *,
    rows: npt.NDArray[np.integer] | None = None,  # (n_queries,) rows of queries to answer, in this order; None: all
    candidates: Int32Array | None = None,  # item_index, ascending; None: all items
    excluded: ItemLists | None = None,
    cosine: bool = False,  # scale the prefixes of both sides to norm 1
    threads: int | None = None,
) -> tuple[Int32Array, Float32Array]:
    """Return the best candidates of each query and their scores, (n_queries, k); equal scores by item index.

    Where fewer than k are left, items are -1 and scores minus infinity. A score of NaN is never returned.
    """
    if rows is None:
        rows = np.arange(len(queries))
    threads = resolve_threads(threads)
    items, scores = np.empty((len(rows), k), dtype=np.int32), np.empty((len(rows), k), dtype=np.float32)

    def take_keys(block: slice, keys: Int64Array) -> None:
        items[block], scores[block] = decode_items(keys[:, 0]), decode_scores(keys[:, 0])

    if items.size:
        by_norm = len(rows) >= _MANY and not cosine
        scanned = ScanItems(vectors, _order_candidates(vectors[:, :width], candidates) if by_norm else candidates)
        asking = ScanQueries(queries, rows, excluded or ItemLists.empty(len(queries)))
        scan_widths(asking, scanned, (width,), k, take_keys, cosine=cosine, threads=threads)
    return items, scores


def _order_candidates(vectors: Float32Array, candidates: Int32Array | None) -> Int32Array:
    squares = np.vecdot(vectors, vectors)  # of all items: one pass over contiguous memory is quick
    if candidates is None:
        return order_by_norm(squares)
    return candidates[order_by_norm(squares[candidates])]
