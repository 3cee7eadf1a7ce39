"""The best k keys of every query at every width: blocks of queries for threads, each walking the vectors by chunks.

This is the one way from matrices to rankings: `ranking.rank_widths` and `topk.top_k` say in which order to visit, and
what to make of the keys. Vectors are copied chunk by chunk, so they may be narrower views, read-only or mapped files,
and memory beyond the result is bounded by a block and a chunk per thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.kernels.ranking_buffers import GROUP, empty_buffers, finish, room
from nestrec.kernels.ranking_tile import TILE, visit
from nestrec.kernels.selection import Keys

FloatMatrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]
Pointers = npt.NDArray[np.int64]
Take = Callable[[slice, Keys], None]

_CHUNK = 64 * TILE  # vectors copied at once
_BLOCK = 512  # queries a thread takes at once; copying and turning the vectors costs 1/512 of the products then
_BUFFER_BYTES = 1 << 24  # per thread; fewer queries a block where k is large


class Exclusions(NamedTuple):
    """Items that must not be returned: row r of this CSR matrix holds those of row r of the queries."""

    indptr: Pointers  # (n_rows + 1,)
    indices: Indices  # item_index, any order within a row

    def of(self, rows: npt.NDArray[np.integer]) -> tuple[Pointers, Indices]:
        """Return indptr and indices of these rows, copied out."""
        begins, ends = self.indptr[rows], self.indptr[rows + 1]
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(ends - begins, out=indptr[1:])
        places = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], ends - begins)
        return indptr, np.array(self.indices[places], dtype=np.int32, subok=False)


class Asked(NamedTuple):
    """The queries."""

    vectors: FloatMatrix  # (n_rows, >= widest)
    rows: npt.NDArray[np.integer]  # (n_queries,) rows to answer, in this order
    excluded: Exclusions | None


class Visited(NamedTuple):
    """The items to choose from."""

    vectors: FloatMatrix  # (n_items, >= widest)
    order: Indices | None  # (n_visited,) item_index in the order of visiting; None: all by index

    def chunks(self, widest: int) -> Iterator[tuple[Indices, FloatMatrix]]:
        """Yield item indices and their vectors, in the order of visiting; the vectors may be views."""
        for first in range(0, len(self.vectors) if self.order is None else len(self.order), _CHUNK):
            if self.order is None:
                vectors = self.vectors[first : first + _CHUNK, :widest]
                yield np.arange(first, first + len(vectors), dtype=np.int32), vectors
            else:
                items = np.array(self.order[first : first + _CHUNK], dtype=np.int32)
                yield items, self.vectors[items, :widest]

    def places(self) -> Indices | None:
        """Return where each item stands in the order, (n_items,), -1 for one not visited; None: at its index."""
        if self.order is None:
            return None
        places = np.full(len(self.vectors), -1, dtype=np.int32)
        places[self.order] = np.arange(len(self.order), dtype=np.int32)
        return places


def by_falling_length(lengths: npt.NDArray[np.floating]) -> Indices:
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
) -> None:
    """Find the best k visited items of every query at every width; a score that is NaN or -inf is never among them."""
    places = visited.places() if asked.excluded else None
    ladder = np.array(widths, dtype=np.int64)

    def answer(block: slice) -> None:
        rows = asked.rows[block]
        users = _grouped(_prepared(asked.vectors[rows, : widths[-1]], cosine))
        indptr, excluded = _excluded_places(asked.excluded, places, rows)
        buffers = empty_buffers(len(rows), len(widths), k)
        first_place = 0
        for items, vectors in visited.chunks(widths[-1]):
            visit(users, _prepared(vectors, cosine), items, first_place, ladder, indptr, excluded, k, buffers)
            first_place += len(items)
        take(block, finish(buffers, len(rows), len(widths), k))

    bytes_per_query = 8 * len(widths) * room(k)
    blocks = list(_blocks(len(asked.rows), threads, bytes_per_query))
    if len(blocks) < 2 or threads < 2:
        for block in blocks:
            answer(block)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(answer, blocks))


def _blocks(n_queries: int, threads: int, bytes_per_query: int) -> Iterator[slice]:
    size = max(1, min(_BLOCK, max(GROUP, _BUFFER_BYTES // bytes_per_query), -(-n_queries // threads)))
    return (slice(start, min(start + size, n_queries)) for start in range(0, n_queries, size))


def _excluded_places(
    excluded: Exclusions | None, places: Indices | None, rows: npt.NDArray[np.integer]
) -> tuple[Pointers, Indices]:
    if excluded is None:
        return np.zeros(len(rows) + 1, dtype=np.int64), np.zeros(0, dtype=np.int32)
    indptr, items = excluded.of(rows)
    return indptr, items if places is None else places[items]


def _prepared(vectors: FloatMatrix, cosine: bool) -> FloatMatrix:
    """Return a contiguous copy, each vector scaled to length 1 if asked; a vector of zeros stays."""
    copy = np.array(vectors, dtype=np.float32, order="C", subok=False)
    if cosine:
        lengths = np.sqrt(np.square(copy, dtype=np.float64).sum(axis=1))
        lengths[lengths == 0.0] = 1.0
        copy /= lengths[:, np.newaxis]
    return copy


def _grouped(users: FloatMatrix) -> FloatMatrix:
    """Return (n_groups, widest, GROUP): the numbers of a group side by side, zeros where it is not full."""
    n_groups = -(-len(users) // GROUP)
    full = np.zeros((n_groups * GROUP, users.shape[1]), dtype=np.float32)
    full[: len(users)] = users
    return np.ascontiguousarray(full.reshape(n_groups, GROUP, -1).transpose(0, 2, 1))
