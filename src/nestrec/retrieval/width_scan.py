"""Full scan at every width: the best k keys of every query, blocks of queries for threads, vectors chunk by chunk.

`evaluation.rank_widths` and `top_k` choose the order of the scan and decode the keys. Vectors are copied chunk by
chunk, so they may be views, read-only or mapped files, and memory beyond the result is bounded by a block and a chunk
per thread. A kernel is called for one chunk at a time, and blocks are cut by what their queries exclude too, so that no
call takes long and Ctrl-C is handled between calls.

Ranges: excluded items are checked where they are taken out of their matrix; buffers have space for what a panel adds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from threading import Event
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.errors import DataError
from nestrec.kernels.search.ranking_tile import TILE, scan_chunk
from nestrec.kernels.search.top_k_buffers import GROUP, capacity, collect_best, empty_buffers
from nestrec.parallel.slices import counted_slices
from nestrec.parallel.threads import map_in_threads
from nestrec.retrieval.item_lists import ItemLists

TakeKeys = Callable[[slice, Int64Array], None]
StopCheck = Callable[[], None]  # called between pieces of work; raises to stop it

_CHUNK = 64  # tiles of vectors copied at once, up to width 64
_BLOCK = 512  # queries a thread takes at once; transposing the vectors then costs 1/512 of the products
_BUFFER_BYTES = 1 << 24  # per thread; fewer queries a block where k is large
_EXCLUDED = 1 << 20  # items that the queries of a block exclude; a query that excludes more is a block by itself


class ScanQueries(NamedTuple):
    """Queries of a scan."""

    vectors: Float32Array  # (n_rows, >= widest)
    rows: npt.NDArray[np.integer]  # (n_queries,) rows to answer, in this order
    excluded: ItemLists  # by row of the vectors


class ScanItems(NamedTuple):
    """Candidates of a scan."""

    vectors: Float32Array  # (n_items, >= widest)
    order: Int32Array | None  # (n_candidates,) item_index in the order of the scan; None: all by index

    def chunks(self, widest: int) -> Iterator[tuple[Int32Array, Float32Array]]:
        """Yield item indices and their vectors in the order of the scan; the vectors may be views."""
        size = TILE * max(4, _CHUNK * 64 // max(64, widest))
        for first in range(0, len(self.vectors) if self.order is None else len(self.order), size):
            if self.order is None:
                vectors = self.vectors[first : first + size, :widest]
                yield np.arange(first, first + len(vectors), dtype=np.int32), vectors
            else:
                items = np.array(self.order[first : first + size], dtype=np.int32)
                yield items, self.vectors[items, :widest]

    def positions(self) -> Int32Array | None:
        """Return the position of each item in the scan, (n_items,), -1 for others; None: positions are indices."""
        if self.order is None:
            return None
        positions = np.full(len(self.vectors), -1, dtype=np.int32)
        positions[self.order] = np.arange(len(self.order), dtype=np.int32)
        return positions


def order_by_norm(norms: npt.NDArray[np.floating]) -> Int32Array:
    """Return indices by descending norm: the first items hold most of the best, so later ones cost a comparison."""
    return np.argsort(-norms, kind="stable").astype(np.int32)


def scan_widths(
    queries: ScanQueries,
    items: ScanItems,
    widths: tuple[int, ...],  # ascending
    k: int,
    take_keys: TakeKeys,  # receives each block's keys, (n, n_widths, k), best first, NO_KEY where none is left
    *,
    cosine: bool = False,  # scale both sides to norm 1 at the widest width
    threads: int = 1,
    check_stop: StopCheck | None = None,  # called before each chunk, by any thread; raises to end the scan
) -> None:
    """Find the best k items of every query at every width; scores of NaN and -inf are never among them."""
    positions = items.positions() if len(queries.excluded.indices) else None
    ladder = np.array(widths, dtype=np.int64)
    stopped = Event()

    def scan_block(block: slice) -> None:
        rows = queries.rows[block]
        users = _group(_prepare(queries.vectors[rows, : widths[-1]], cosine=cosine))
        indptr, excluded = _excluded_positions(queries.excluded, positions, rows, len(items.vectors))
        buffers = empty_buffers(len(rows), len(widths), k)
        first_position = 0
        for indices, vectors in items.chunks(widths[-1]):
            if stopped.is_set():
                return
            if check_stop is not None:
                check_stop()
            scan_chunk(
                users, _prepare(vectors, cosine=cosine), indices, first_position, ladder, indptr, excluded, k, buffers
            )
            first_position += len(indices)
        take_keys(block, collect_best(buffers, len(rows), len(widths), k))

    bytes_per_query = 8 * len(widths) * capacity(k)
    map_in_threads(scan_block, _cut_blocks(queries, threads, bytes_per_query), threads, stopped)


def _cut_blocks(queries: ScanQueries, threads: int, bytes_per_query: int) -> list[slice]:
    """Cut the queries into blocks that bound the memory of their buffers and the time of a call."""
    n_queries = len(queries.rows)
    size = max(1, min(_BLOCK, max(GROUP, _BUFFER_BYTES // bytes_per_query), -(-n_queries // threads)))
    by_excluded = counted_slices(queries.excluded.row_sizes(queries.rows), _EXCLUDED)
    edges = sorted({*range(0, n_queries, size), *(first for first, _ in by_excluded), n_queries})
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _excluded_positions(
    excluded: ItemLists, positions: Int32Array | None, rows: npt.NDArray[np.integer], n_items: int
) -> tuple[Int64Array, Int32Array]:
    indptr, items = excluded.select(rows)
    if len(items) and not (items.min() >= 0 and items.max() < n_items):
        raise DataError(
            f"excluded items must be from 0 to {n_items - 1}, got {items.min()} to {items.max()}; where they come from "
            "a model, its file of interactions is damaged"
        )
    return indptr, items if positions is None else positions[items]


def scale_to_norm_1(vectors: Float32Array) -> Float32Array:
    """Return a contiguous copy, each vector scaled to norm 1; a vector of zeros stays."""
    copy = np.array(vectors, dtype=np.float32, order="C", subok=False)
    lengths = np.sqrt(np.square(copy, dtype=np.float64).sum(axis=1))
    lengths[lengths == 0.0] = 1.0
    copy /= lengths[:, np.newaxis]
    return copy


def _prepare(vectors: Float32Array, *, cosine: bool) -> Float32Array:
    """Return a contiguous copy, scaled for cosine."""
    return scale_to_norm_1(vectors) if cosine else np.array(vectors, dtype=np.float32, order="C", subok=False)


def _group(users: Float32Array) -> Float32Array:
    """Return (n_groups, widest, GROUP): each dimension of a group side by side, zeros in a group that is not full."""
    n_groups = -(-len(users) // GROUP)
    full = np.zeros((n_groups * GROUP, users.shape[1]), dtype=np.float32)
    full[: len(users)] = users
    return np.ascontiguousarray(full.reshape(n_groups, GROUP, -1).transpose(0, 2, 1))
