"""Exact top-k at every width of a ladder in one pass over the items, without a queries x items matrix.

Items are taken in tiles of 128, turned so that a tile's rows are dimensions. A query walks the dimensions and adds
`query[d] * tile[d, :]` to 128 running scores; at each width of the ladder the running scores are that width's scores,
so a wider prefix costs only its further dimensions. Every score is summed in the same order, whatever the tile, the
block or the thread, so equal vectors have equal scores and ties are ordered by item index.

The best k of each query and width are kept in a heap whose root is the worst kept: a tile without a score above the
root is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.kernels.compiled import compiled
from nestrec.kernels.heap import push, sort_best
from nestrec.kernels.threads import checked_threads

FloatMatrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]
Pointers = npt.NDArray[np.int64]

_TILE = 128  # items; 128 x 64 dimensions x 4 bytes stay in the first-level cache
_CHUNK = 32 * _TILE  # items handed to the kernel in one call
_BLOCK = 512  # queries handed to a thread at once
_STRIP = 32  # scores compared with the root at once


class Exclusions(NamedTuple):
    """Items that must not be returned: row r of this CSR matrix holds those of row r of the queries."""

    indptr: Pointers  # (n_rows + 1,)
    indices: Indices  # item_index, ascending within a row

    def of(self, rows: npt.NDArray[np.integer]) -> tuple[Pointers, Indices]:
        """Return indptr and indices of these rows, copied out."""
        begins, ends = self.indptr[rows], self.indptr[rows + 1]
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(ends - begins, out=indptr[1:])
        places = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], ends - begins)
        return indptr, np.array(self.indices[places], dtype=np.int32, subok=False)


class TopK(NamedTuple):
    """The best items of each query at each width, best first; equal scores by item index."""

    items: Indices  # (n_queries, n_widths, k) item_index; -1 where fewer than k items are left
    scores: FloatMatrix  # (n_queries, n_widths, k); -inf there


def top_k(
    queries: FloatMatrix,  # (n_rows, >= widest)
    vectors: FloatMatrix,  # (n_items, >= widest)
    widths: tuple[int, ...],  # ascending
    k: int,
    *,
    rows: npt.NDArray[np.integer] | None = None,  # (n_queries,) rows of queries to answer, in this order; None: all
    candidates: Indices | None = None,  # item_index, ascending; None: all items
    excluded: Exclusions | None = None,
    cosine: bool = False,  # scale both sides to length 1 at the widest width
    threads: int | None = None,
) -> TopK:
    """Rank the candidates for every query by inner product of prefixes; NaN is never returned."""
    if rows is None:
        rows = np.arange(len(queries))
    if candidates is None:
        candidates = np.arange(len(vectors), dtype=np.int32)
    shape = (len(rows), len(widths), k)
    best = TopK(np.full(shape, -1, dtype=np.int32), np.full(shape, -np.inf, dtype=np.float32))
    threads = checked_threads(threads)

    def fill(block: tuple[int, int]) -> None:
        _fill_block(block, queries, rows, vectors, widths, candidates, excluded, cosine, best)

    blocks = list(_blocks(len(rows), threads))
    if threads == 1 or len(blocks) < 2:
        for block in blocks:
            fill(block)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, blocks))
    return best


def _blocks(n_queries: int, threads: int) -> Iterator[tuple[int, int]]:
    size = max(1, min(_BLOCK, -(-n_queries // threads)))
    return ((start, min(start + size, n_queries)) for start in range(0, n_queries, size))


def _fill_block(
    block: tuple[int, int],
    queries: FloatMatrix,
    rows: npt.NDArray[np.integer],
    vectors: FloatMatrix,
    widths: tuple[int, ...],
    candidates: Indices,
    excluded: Exclusions | None,
    cosine: bool,
    best: TopK,
) -> None:
    start, stop = block
    mine = _prepared(queries[rows[start:stop], : widths[-1]], cosine)
    indptr, indices = excluded.of(rows[start:stop]) if excluded else _nothing_excluded(stop - start)
    sizes = np.zeros((stop - start, len(widths)), dtype=np.int64)
    cursors = indptr[:-1].copy()
    ladder = np.array(widths, dtype=np.int64)
    items, scores = best.items[start:stop], best.scores[start:stop]
    for first in range(0, len(candidates), _CHUNK):
        chosen = candidates[first : first + _CHUNK]
        chunk = _prepared(vectors[chosen, : widths[-1]], cosine)
        _offer(mine, chunk, chosen, ladder, indptr, indices, cursors, items, scores, sizes)
    sort_best(items, scores, sizes)


def _nothing_excluded(n_queries: int) -> tuple[Pointers, Indices]:
    return np.zeros(n_queries + 1, dtype=np.int64), np.zeros(0, dtype=np.int32)


def _prepared(vectors: FloatMatrix, cosine: bool) -> FloatMatrix:
    """Return a contiguous copy, each vector scaled to length 1 if asked; a vector of zeros stays."""
    copy = np.array(vectors, dtype=np.float32, order="C", subok=False)
    if cosine:
        lengths = np.sqrt(np.square(copy, dtype=np.float64).sum(axis=1))
        lengths[lengths == 0.0] = 1.0
        copy /= lengths[:, np.newaxis]
    return copy


@compiled
def _offer(
    queries: FloatMatrix,  # (n_queries, widest)
    vectors: FloatMatrix,  # (n, widest) of these candidates
    items: Indices,  # (n,) ascending
    widths: Pointers,
    indptr: Pointers,
    excluded: Indices,
    cursors: Pointers,  # (n_queries,) where each query stands in its exclusions; moved on
    best_items: Indices,  # (n_queries, n_widths, k) heaps; filled
    best_scores: FloatMatrix,
    sizes: Pointers,  # (n_queries, n_widths) how full each heap is
) -> None:
    tile = np.empty((queries.shape[1], _TILE), dtype=np.float32)
    scores = np.empty(_TILE, dtype=np.float32)
    for start in range(0, len(items), _TILE):
        count = min(_TILE, len(items) - start)
        _turn(vectors, start, count, tile)
        here = items[start : start + count]
        for query in range(queries.shape[0]):
            scores[:count] = 0.0
            scores[count:] = -np.inf  # minus infinity stays so, whatever finite products are added
            cursors[query] = _bar(here, excluded, cursors[query], indptr[query + 1], scores)
            begin = 0
            for level in range(len(widths)):
                _add_products(queries[query], tile, begin, widths[level], scores)
                begin = widths[level]
                sizes[query, level] = _keep_best(
                    scores, here, best_items[query, level], best_scores[query, level], sizes[query, level]
                )


@compiled
def _turn(vectors: FloatMatrix, start: int, count: int, tile: FloatMatrix) -> None:
    """Write vectors start to start + count as columns of the tile, zeros after them."""
    for d in range(tile.shape[0]):
        for j in range(count):
            tile[d, j] = vectors[start + j, d]
        tile[d, count:] = 0.0


@compiled
def _bar(items: Indices, excluded: Indices, cursor: int, end: int, scores: npt.NDArray[np.float32]) -> int:
    """Give the tile's excluded items minus infinity; return where the exclusions of later tiles begin."""
    last = items[-1]
    while cursor < end and excluded[cursor] <= last:
        place = np.searchsorted(items, excluded[cursor])
        if items[place] == excluded[cursor]:
            scores[place] = -np.inf
        cursor += 1
    return cursor


@compiled
def _add_products(
    query: npt.NDArray[np.float32], tile: FloatMatrix, begin: int, end: int, scores: npt.NDArray[np.float32]
) -> None:
    """Add dimensions begin to end; four at a time, so that a running score is loaded and stored once for four."""
    d = begin
    while d + 4 <= end:
        a, b, c, e = query[d], query[d + 1], query[d + 2], query[d + 3]
        for j in range(_TILE):
            scores[j] += a * tile[d, j] + b * tile[d + 1, j] + c * tile[d + 2, j] + e * tile[d + 3, j]
        d += 4
    while d < end:
        for j in range(_TILE):
            scores[j] += query[d] * tile[d, j]
        d += 1


@compiled
def _keep_best(
    scores: npt.NDArray[np.float32],
    items: Indices,
    heap_items: Indices,
    heap_scores: npt.NDArray[np.float32],
    size: int,
) -> int:
    """Offer a tile's scores to one heap; return how full it is then."""
    k = len(heap_items)
    root = heap_scores[0] if size == k else np.float32(-np.inf)
    for strip in range(0, _TILE, _STRIP):
        above = 0
        for j in range(strip, strip + _STRIP):
            above += scores[j] > root
        if above == 0:
            continue
        for j in range(strip, strip + _STRIP):
            if scores[j] > root:  # an equal score comes from a later item, which loses the tie
                size = push(heap_items, heap_scores, size, items[j], scores[j])
                if size == k:
                    root = heap_scores[0]
    return size
