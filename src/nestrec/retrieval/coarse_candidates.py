"""Candidates of a coarse scan: its options, the thresholds that a sample of the code blocks gives, and its filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.search.coarse_candidates import raise_thresholds
from nestrec.kernels.search.code_blocks import CodeBlocks, ItemFilter
from nestrec.kernels.search.top_k_buffers import Buffers, empty_buffers
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.exclusions import Exclusions

SAMPLE_EVERY = 16  # one of so many blocks is in the sample
_LEAST_SAMPLE = 32  # blocks
_MARGIN = 3.0  # standard deviations by which a sample's threshold is below what an exact scan should keep
_MARGIN_OF_LEAST = 5.0  # the same of what must be kept: a block in which one query has less is scanned again
_MARGIN_OF_SHORTLIST = 1.0  # the same where a shortlist may be a little short, which saves a fifth of it and more
_NO_RESIDUALS: Float32Array = np.zeros(0, dtype=np.float32)  # estimates do not use them


class ScanOptions(NamedTuple):
    """What a coarse scan keeps."""

    n_candidates: int  # per query, about
    exact: bool  # ranked by upper bounds, not by estimates
    at_least: int  # per query, if so many may be returned
    share: float = 1.0  # of the blocks visited at most, best cells first


class Candidates(NamedTuple):
    """Best items of some queries by a coarse scan."""

    keys: Int64Array  # (n, capacity) bounds or estimates with items
    counts: Int64Array  # (n,) how many of them
    floors: Int64Array  # (n,) no other item has as great a key


UseCandidates = Callable[[slice, Candidates], None]


def select_blocks(index: CoarseIndex, options: ScanOptions) -> CodeBlocks:
    """Return the code blocks as a scan for bounds or for estimates reads them."""
    return index.blocks if options.exact else index.blocks._replace(residual_norms=_NO_RESIDUALS)


def start_buffers(
    index: CoarseIndex, n_queries: int, options: ScanOptions, scan_sample: Callable[[int, Buffers], int]
) -> tuple[Buffers, int]:
    """Return buffers with the thresholds of a sample of the blocks, and the number of pairs that were scored for them.

    Without thresholds, a buffer takes n ln(N / n) of N items on its way to the best n: most of them in vain.
    """
    buffers = empty_buffers(n_queries, 1, options.n_candidates)
    if len(index.blocks.scales) < _LEAST_SAMPLE * SAMPLE_EVERY:
        return buffers, 0
    expected, least = options.n_candidates / SAMPLE_EVERY, options.at_least / SAMPLE_EVERY
    by_size = expected + (_MARGIN if options.exact else _MARGIN_OF_SHORTLIST) * expected**0.5
    n_best = int(max(by_size, least + _MARGIN_OF_LEAST * least**0.5)) + 1
    sample = empty_buffers(n_queries, 1, n_best)
    n_scored = scan_sample(n_best, sample)
    raise_thresholds(sample, n_best, buffers)
    return buffers, n_scored


def build_filter(index: CoarseIndex, excluded: Exclusions | None, n_queries: int, allowed: Int64Array) -> ItemFilter:
    """Return the positions that may be returned to these queries."""
    if excluded is None:
        return ItemFilter(allowed, np.zeros(n_queries + 1, dtype=np.int64), np.zeros(0, dtype=np.int32))
    positions = index.positions[excluded.indices]
    if n_queries == 1:
        return ItemFilter(allowed, excluded.indptr, np.sort(positions))
    rows = np.repeat(np.arange(n_queries), np.diff(excluded.indptr))
    return ItemFilter(allowed, excluded.indptr, positions[np.lexsort((positions, rows))])
