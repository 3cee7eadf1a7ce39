"""Coarse scan of a single query: cells are visited best first, shared out among threads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array
from nestrec.kernels.search.coarse_single import scan_single
from nestrec.kernels.search.selection import LOWEST_KEY
from nestrec.kernels.search.top_k_buffers import Buffers, empty_buffers
from nestrec.parallel.threads import map_in_threads
from nestrec.retrieval.bounds import UNDERFLOW, relative_error
from nestrec.retrieval.coarse_candidates import SAMPLE_EVERY, Candidates, CoarseScan, ScanOptions
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.request import Request

_ALL = np.iinfo(np.int32).max


class _Visits(NamedTuple):
    """Cells in the order of visiting."""

    begins: Int32Array
    ends: Int32Array
    bounds: Float32Array
    most: int  # blocks


def scan_one_query(scan: CoarseScan, row: int, threads: int) -> int:
    """Scan for one of the queries and pass its candidates on; return the number of items scored."""
    index, options, part = scan.index, scan.options, scan.request.slice(slice(row, row + 1))
    encoded = index.encode(part.queries, exact=options.exact, group_size=1)
    item_filter, blocks = scan.build_filter(part), scan.blocks

    def visit(n_candidates: int, buffers: Buffers, cells: _Visits) -> int:
        n_scored: int = scan_single(
            encoded.codes, encoded.bound_terms, blocks, index.n_steps, index.block_steps, index.storage.per_step,
            item_filter, n_candidates, buffers, *cells,
        )  # fmt: skip
        return n_scored

    def visit_all(start: Buffers) -> tuple[int, Candidates]:
        shares = _share_cells(index, part, options, threads)
        parts = [(cells, Buffers._make(array.copy() for array in start)) for cells in shares]
        n_scored = sum(map_in_threads(lambda pair: visit(options.n_candidates, pair[1], pair[0]), parts, threads))
        return n_scored, _merge([buffers for _, buffers in parts])

    n_sampled, start = 0, empty_buffers(1, 1, options.n_candidates)
    if not index.cells.is_clustered:
        start, n_sampled = scan.start_buffers(1, lambda n, sample: visit(n, sample, _sample_cells(index)))
    n_scored, candidates = visit_all(start)
    if candidates.counts[0] < options.at_least and start.floors[0] != LOWEST_KEY:
        n_again, candidates = visit_all(empty_buffers(1, 1, options.n_candidates))
        n_scored += n_again
    scan.use(slice(row, row + 1), candidates)
    return n_sampled + n_scored


def _share_cells(index: CoarseIndex, request: Request, options: ScanOptions, threads: int) -> list[_Visits]:
    """Return each thread's share of the cells, best first."""
    bounds = _bound_cells(index, request)
    order = np.argsort(-bounds, kind="stable")
    share, n_blocks = options.share, len(index.blocks.scales)
    most = _ALL if share >= 1.0 else max(1, round(share * n_blocks / threads))
    shares = [order[first::threads] for first in range(threads)]
    cells = index.cells
    return [_Visits(cells.begins[own], cells.ends[own], bounds[own], most) for own in shares]


def _sample_cells(index: CoarseIndex) -> _Visits:
    begins = np.arange(SAMPLE_EVERY // 2, len(index.blocks.scales), SAMPLE_EVERY, dtype=np.int32)
    return _Visits(begins, begins + np.int32(1), np.full(len(begins), np.inf, dtype=np.float32), _ALL)


def _bound_cells(index: CoarseIndex, request: Request) -> Float32Array:
    norm = float(np.linalg.norm(request.queries[0].astype(np.float64)))
    bounds = index.cells.upper_bounds(index.rotate(request.queries)[0], norm)
    slack = 2.0 * relative_error(index.full_width) * norm * index.cells.max_norms
    return (bounds + slack + UNDERFLOW).astype(np.float32)


def _merge(parts: list[Buffers]) -> Candidates:
    """Return the candidates that the threads found for one query."""
    keys = np.concatenate([part.keys[0, : part.counts[0]] for part in parts])[np.newaxis]
    floors = np.array([max(part.floors[0] for part in parts)])
    return Candidates(keys, np.array([keys.shape[1]]), floors)
