"""The best k keys of every query at every width: blocks of queries for threads, each walking the vectors by chunks.

This is the one way from matrices to rankings: `ranking.rank_widths` and `topk.top_k` say in which order to visit, and
what to make of the keys. Vectors are copied chunk by chunk, so they may be narrower views, read-only or mapped files,
and memory beyond the result is bounded by a block and a chunk per thread. A kernel is called for one chunk at a time,
and blocks are cut by what their queries exclude too, so that no call is long and Ctrl-C is heard between them.

Ranges: excluded items are checked where they are taken out of their matrix; buffers have room for what a panel adds.
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
from nestrec.kernels.search.ranking_tile import TILE, visit
from nestrec.kernels.search.top_k_buffers import GROUP, empty_buffers, finish, room
from nestrec.parallel.slices import row_slices
from nestrec.parallel.threads import map_in_threads

Take = Callable[[slice, Int64Array], None]
StopCheck = Callable[[], None]  # called between pieces of work; raises to stop it

_CHUNK = 64  # tiles of vectors copied at once, up to width 64
_BLOCK = 512  # queries a thread takes at once; copying and turning the vectors costs 1/512 of the products then
_BUFFER_BYTES = 1 << 24  # per thread; fewer queries a block where k is large
_EXCLUDED = 1 << 20  # items that the queries of a block exclude; a query that excludes more is a block by itself


class Exclusions(NamedTuple):
    """Items that must not be returned: row r of this CSR matrix holds those of row r of the queries."""

    indptr: Int64Array  # (n_rows + 1,)
    indices: Int32Array  # item_index, any order within a row

    def sizes(self, rows: npt.NDArray[np.integer]) -> Int64Array:
        """Return how many items each of these rows holds."""
        sizes: Int64Array = self.indptr[rows + 1] - self.indptr[rows]
        return sizes

    def of(self, rows: npt.NDArray[np.integer]) -> tuple[Int64Array, Int32Array]:
        """Return indptr and indices of these rows, copied out."""
        begins, sizes = self.indptr[rows], self.sizes(rows)
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(sizes, out=indptr[1:])
        places = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], sizes)
        return indptr, np.array(self.indices[places], dtype=np.int32, subok=False)


class Asked(NamedTuple):
    """The queries."""

    vectors: Float32Array  # (n_rows, >= widest)
    rows: npt.NDArray[np.integer]  # (n_queries,) rows to answer, in this order
    excluded: Exclusions | None


class Visited(NamedTuple):
    """The items to choose from."""

    vectors: Float32Array  # (n_items, >= widest)
    order: Int32Array | None  # (n_visited,) item_index in the order of visiting; None: all by index

    def chunks(self, widest: int) -> Iterator[tuple[Int32Array, Float32Array]]:
        """Yield item indices and their vectors, in the order of visiting; the vectors may be views."""
        size = TILE * max(4, _CHUNK * 64 // max(64, widest))
        for first in range(0, len(self.vectors) if self.order is None else len(self.order), size):
            if self.order is None:
                vectors = self.vectors[first : first + size, :widest]
                yield np.arange(first, first + len(vectors), dtype=np.int32), vectors
            else:
                items = np.array(self.order[first : first + size], dtype=np.int32)
                yield items, self.vectors[items, :widest]

    def places(self) -> Int32Array | None:
        """Return where each item stands in the order, (n_items,), -1 for one not visited; None: at its index."""
        if self.order is None:
            return None
        places = np.full(len(self.vectors), -1, dtype=np.int32)
        places[self.order] = np.arange(len(self.order), dtype=np.int32)
        return places


def by_falling_length(lengths: npt.NDArray[np.floating]) -> Int32Array:
    """Return the order in which the first ones hold most of what will be kept, so that later ones cost a comparison."""
    return np.argsort(-lengths, kind="stable").astype(np.int32)


def sweep(
    asked: Asked,
    visited: Visited,
    widths: tuple[int, ...],  # ascending
    k: int,
    take: Take,  # given each block's keys, (n, n_widths, k), best first, NO_KEY where none is left
    *,
    cosine: bool = False,  # scale both sides to length 1 at the widest width
    threads: int = 1,
    check_stop: StopCheck | None = None,  # called before each chunk, by any thread; what it raises ends the sweep
) -> None:
    """Find the best k visited items of every query at every width; a score that is NaN or -inf is never among them."""
    places = visited.places() if asked.excluded else None
    ladder = np.array(widths, dtype=np.int64)
    stopped = Event()

    def answer(block: slice) -> None:
        rows = asked.rows[block]
        users = _grouped(_prepared(asked.vectors[rows, : widths[-1]], cosine))
        indptr, excluded = _excluded_places(asked.excluded, places, rows, len(visited.vectors))
        buffers = empty_buffers(len(rows), len(widths), k)
        first_place = 0
        for items, vectors in visited.chunks(widths[-1]):
            if stopped.is_set():
                return
            if check_stop is not None:
                check_stop()
            visit(users, _prepared(vectors, cosine), items, first_place, ladder, indptr, excluded, k, buffers)
            first_place += len(items)
        take(block, finish(buffers, len(rows), len(widths), k))

    bytes_per_query = 8 * len(widths) * room(k)
    map_in_threads(answer, _blocks(asked, threads, bytes_per_query), threads, stopped)


def _blocks(asked: Asked, threads: int, bytes_per_query: int) -> list[slice]:
    """Cut the queries into blocks that bound the memory of their buffers and the time of a call."""
    n_queries = len(asked.rows)
    size = max(1, min(_BLOCK, max(GROUP, _BUFFER_BYTES // bytes_per_query), -(-n_queries // threads)))
    cuts = set(range(0, n_queries, size))
    if asked.excluded is not None:
        indptr = np.zeros(n_queries + 1, dtype=np.int64)
        np.cumsum(asked.excluded.sizes(asked.rows), out=indptr[1:])
        if indptr[-1] > _EXCLUDED:
            cuts.update(first for first, _ in row_slices(indptr, _EXCLUDED))
    edges = [*sorted(cuts), n_queries]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _excluded_places(
    excluded: Exclusions | None, places: Int32Array | None, rows: npt.NDArray[np.integer], n_items: int
) -> tuple[Int64Array, Int32Array]:
    if excluded is None:
        return np.zeros(len(rows) + 1, dtype=np.int64), np.zeros(0, dtype=np.int32)
    indptr, items = excluded.of(rows)
    if len(items) and not (items.min() >= 0 and items.max() < n_items):
        raise DataError(
            f"excluded items must be from 0 to {n_items - 1}, got {items.min()} to {items.max()}; where they come from "
            "a model, its file of interactions is damaged"
        )
    return indptr, items if places is None else places[items]


def _prepared(vectors: Float32Array, cosine: bool) -> Float32Array:
    """Return a contiguous copy, each vector scaled to length 1 if asked; a vector of zeros stays."""
    copy = np.array(vectors, dtype=np.float32, order="C", subok=False)
    if cosine:
        lengths = np.sqrt(np.square(copy, dtype=np.float64).sum(axis=1))
        lengths[lengths == 0.0] = 1.0
        copy /= lengths[:, np.newaxis]
    return copy


def _grouped(users: Float32Array) -> Float32Array:
    """Return (n_groups, widest, GROUP): the numbers of a group side by side, zeros where it is not full."""
    n_groups = -(-len(users) // GROUP)
    full = np.zeros((n_groups * GROUP, users.shape[1]), dtype=np.float32)
    full[: len(users)] = users
    return np.ascontiguousarray(full.reshape(n_groups, GROUP, -1).transpose(0, 2, 1))
