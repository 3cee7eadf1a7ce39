"""Coarse scan of a batch of queries, which share the reading of the code blocks."""

from __future__ import annotations

from threading import Event

from nestrec.kernels.search.coarse_batch import scan_batch
from nestrec.kernels.search.code_blocks import BLOCK
from nestrec.kernels.search.top_k_buffers import GROUP, Buffers, empty_buffers
from nestrec.parallel.slices import position_slices
from nestrec.retrieval.coarse_candidates import SAMPLE_EVERY, Candidates, CoarseScan
from nestrec.retrieval.coarse_index import CoarseIndex

_PRODUCTS_AT_ONCE = 1 << 32  # of a call of the kernel


def scan_queries_together(scan: CoarseScan, batch: slice, stopped: Event) -> int:
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
                encoded.codes, encoded.bound_terms, blocks, index.n_steps, index.storage.per_step, item_filter,
                n_candidates, buffers, begin + every // 2, end, every,
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
