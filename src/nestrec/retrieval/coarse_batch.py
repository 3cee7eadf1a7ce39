"""Coarse scan of a batch of queries, which share the reading of the code blocks."""

from __future__ import annotations

from threading import Event

from nestrec.arrays import Int64Array
from nestrec.kernels.search.coarse_batch import scan_batch
from nestrec.kernels.search.code_blocks import BLOCK
from nestrec.kernels.search.top_k_buffers import GROUP, Buffers, empty_buffers
from nestrec.parallel.slices import position_slices
from nestrec.retrieval.coarse_candidates import (
    SAMPLE_EVERY,
    Candidates,
    ScanOptions,
    UseCandidates,
    build_filter,
    select_blocks,
    start_buffers,
)
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.request import Request

_PRODUCTS_AT_ONCE = 1 << 32  # of a call of the kernel


def scan_queries_together(
    index: CoarseIndex,
    request: Request,
    batch: slice,
    options: ScanOptions,
    allowed: Int64Array,
    use: UseCandidates,
    stopped: Event,
) -> int:
    """Scan for a batch of the queries and pass their candidates on; return the number of pairs scored."""
    part = request.slice(batch)
    encoded = index.encode(part.queries, exact=options.exact, group_size=GROUP)
    item_filter, blocks = build_filter(index, part.excluded, len(part), allowed), select_blocks(index, options)

    def scan(n_candidates: int, buffers: Buffers, every: int = 1) -> int:
        n_scored = 0
        for begin, end in position_slices(len(blocks.scales), _blocks_at_once(index, len(part), every)):
            if stopped.is_set():
                break
            n_scored += scan_batch(
                encoded.codes, encoded.bound_terms, blocks, index.n_steps, index.storage.per_step, item_filter,
                n_candidates, buffers, begin + every // 2, end, every,
            )  # fmt: skip
        return n_scored

    buffers, n_scored = start_buffers(index, len(part), options, lambda n, sample: scan(n, sample, SAMPLE_EVERY))
    n_scored += scan(options.n_candidates, buffers)
    if (buffers.counts[: len(part)] < options.at_least).any():
        buffers = empty_buffers(len(part), 1, options.n_candidates)  # the sample misled, or little is left to return
        n_scored += scan(options.n_candidates, buffers)
    if not stopped.is_set():
        n = len(part)
        use(batch, Candidates(buffers.keys[:n], buffers.counts[:n], buffers.floors[:n]))
    return n_scored


def _blocks_at_once(index: CoarseIndex, n_queries: int, every: int) -> int:
    """Return a number of blocks whose products with these queries take some tenths of a second."""
    products_of_a_block = n_queries * BLOCK * index.n_steps * index.storage.per_step
    return max(1, _PRODUCTS_AT_ONCE // products_of_a_block) * every
