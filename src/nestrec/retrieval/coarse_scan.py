"""Coarse scan, the first stage of a search: candidates of every query from the codes of a coarse index.

Batches of queries share the reading of the code blocks, each thread its own batch. Few queries, and all queries of an
index with clusters, are scanned one by one, cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from nestrec.kernels.search.coarse_batch import scan_batch
from nestrec.kernels.search.code_blocks import BLOCK
from nestrec.kernels.search.top_k_buffers import GROUP, Buffers, capacity, empty_buffers
from nestrec.parallel.slices import position_slices
from nestrec.parallel.threads import map_in_threads
from nestrec.retrieval.coarse_candidates import SAMPLE_EVERY, Candidates, CoarseScan, ScanOptions
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_single import scan_one_query
from nestrec.retrieval.request import Request

FEW_QUERIES = 2 * GROUP  # up to so many are scanned one by one
_BATCH = 512  # queries a thread takes at once
_BUFFER_BYTES = 1 << 25  # per thread; smaller batches for many candidates
_PRODUCTS_AT_ONCE = 1 << 32  # of a call of the kernel
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
    if one_by_one and n < threads and index.n_scanned_codes >= _WORTH_SHARING:
        return sum(scan_one_query(scan, row, threads) for row in range(n))
    size, stopped = _batch_size(n, options.n_candidates, threads), Event()

    def scan_part(batch: slice) -> int:
        if not one_by_one:
            return _scan_together(scan, batch, stopped)
        return sum(scan_one_query(scan, row, 1) for row in range(batch.start, batch.stop) if not stopped.is_set())

    batches = [slice(start, min(start + size, n)) for start in range(0, n, size)]
    return sum(map_in_threads(scan_part, batches, threads, stopped))


def _batch_size(n_queries: int, n_candidates: int, threads: int) -> int:
    """Return the size of batches: a thread's share in equal parts, each of whole groups."""
    evenly = -(-n_queries // threads)
    most = min(_BATCH, max(GROUP, _BUFFER_BYTES // (8 * capacity(n_candidates))))
    n_batches = -(-evenly // most)
    return max(1, -(-evenly // (n_batches * GROUP)) * GROUP) if n_batches else 1


def _scan_together(scan: CoarseScan, batch: slice, stopped: Event) -> int:
    """Scan for a batch of the queries and pass their candidates on; return the number of pairs scored."""
    index, options, part = scan.index, scan.options, scan.request.slice(batch)
    encoded = index.encode(part.queries, exact=options.exact, group_size=GROUP)
    item_filter, blocks, n = scan.build_filter(part), scan.blocks, len(part)

    def add_candidates(n_candidates: int, buffers: Buffers, every: int = 1) -> int:
        n_scored = 0
        for begin, end in position_slices(len(blocks.scales), _blocks_at_once(index, n, every)):
            if stopped.is_set():
                break
            n_scored += scan_batch(
                encoded.codes, encoded.bound_terms, blocks, index.n_steps, index.block_steps, index.storage.per_step,
                item_filter, n_candidates, buffers, begin + every // 2, end, every,
            )  # fmt: skip
        return n_scored

    buffers, n_scored = scan.start_buffers(n, lambda n_best, sample: add_candidates(n_best, sample, SAMPLE_EVERY))
    n_scored += add_candidates(options.n_candidates, buffers)
    if (buffers.counts[:n] < options.at_least).any():
        buffers = empty_buffers(n, 1, options.n_candidates)  # the sample misled, or little is left to return
        n_scored += add_candidates(options.n_candidates, buffers)
    if not stopped.is_set():
        scan.use(batch, Candidates(buffers.keys[:n], buffers.counts[:n], buffers.floors[:n]))
    return n_scored


def _blocks_at_once(index: CoarseIndex, n_queries: int, every: int) -> int:
    """Return a number of blocks whose products with these queries take some tenths of a second."""
    products_of_a_block = n_queries * BLOCK * index.n_steps * index.storage.per_step
    return max(1, _PRODUCTS_AT_ONCE // products_of_a_block) * every
