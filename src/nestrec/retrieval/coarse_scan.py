"""Coarse scan, the first stage of a search: candidates of every query from the codes of a coarse index.

Batches of queries share the reading of the code blocks, each thread its own batch. Few queries, and all queries of an
index with clusters, are scanned one by one, cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from nestrec.kernels.search.top_k_buffers import GROUP, capacity
from nestrec.parallel.threads import map_in_threads
from nestrec.retrieval.coarse_batch import scan_queries_together
from nestrec.retrieval.coarse_candidates import Candidates, CoarseScan, ScanOptions
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_single import scan_one_query
from nestrec.retrieval.request import Request

FEW_QUERIES = 2 * GROUP  # up to so many are scanned one by one
_BATCH = 512  # queries a thread takes at once
_BUFFER_BYTES = 1 << 25  # per thread; smaller batches for many candidates
_WORTH_SHARING = 1 << 24  # codes: with fewer, a second thread costs one query more than it saves


def scan_coarsely(
    index: CoarseIndex,
    request: Request,
    options: ScanOptions,
    use: Callable[[slice, Candidates], None],  # takes some queries' candidates; called by several threads at once
    threads: int,
) -> int:
    """Pass the candidates of every query to `use`, some queries at a time; return the number of pairs scored."""
    allowed = index.used_bits if request.allowed is None else index.allowed_bits(request.allowed)
    scan, n = CoarseScan(index, request, options, use, allowed), len(request)
    one_by_one = index.cells.is_clustered or n <= FEW_QUERIES
    if one_by_one and n < threads and len(index.blocks.codes) >= _WORTH_SHARING:
        return sum(scan_one_query(scan, row, threads) for row in range(n))
    size, stopped = _batch_size(n, options.n_candidates, threads), Event()

    def scan_batch(batch: slice) -> int:
        if not one_by_one:
            return scan_queries_together(scan, batch, stopped)
        return sum(scan_one_query(scan, row, 1) for row in range(batch.start, batch.stop) if not stopped.is_set())

    batches = [slice(start, min(start + size, n)) for start in range(0, n, size)]
    return sum(map_in_threads(scan_batch, batches, threads, stopped))


def _batch_size(n_queries: int, n_candidates: int, threads: int) -> int:
    """Return the size of batches: a thread's share in equal parts, each of whole groups."""
    evenly = -(-n_queries // threads)
    most = min(_BATCH, max(GROUP, _BUFFER_BYTES // (8 * capacity(n_candidates))))
    n_batches = -(-evenly // most)
    return max(1, -(-evenly // (n_batches * GROUP)) * GROUP) if n_batches else 1
