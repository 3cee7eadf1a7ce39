"""Candidates of a coarse scan: its options, the thresholds that a sample of the code blocks gives, and its filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.search.coarse_candidates import raise_thresholds
from nestrec.kernels.search.code_blocks import CodeBlocks, ItemFilter
from nestrec.kernels.search.top_k_buffers import Buffers, empty_buffers
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.request import Request

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


@dataclass(frozen=True, eq=False)
class CoarseScan:
    """A request to a coarse index, and what takes the candidates."""

    index: CoarseIndex
    request: Request
    options: ScanOptions
    use: Callable[[slice, Candidates], None]  # takes some queries' candidates; called by several threads at once
    allowed: Int64Array  # (n_blocks,) bit i is 1 where the i-th item may be returned to any query

    @property
    def blocks(self) -> CodeBlocks:
        """The code blocks as a scan for bounds or for estimates reads them."""
        blocks = self.index.blocks
        return blocks if self.options.exact else blocks._replace(residual_norms=_NO_RESIDUALS)

    def start_buffers(self, n_queries: int, scan_sample: Callable[[int, Buffers], int]) -> tuple[Buffers, int]:
        """Return buffers with the thresholds of a sample of the blocks, and the number of pairs scored for them.

        Without thresholds, a buffer takes n ln(N / n) of N items on its way to the best n: most of them in vain.
        """
        options = self.options
        buffers = empty_buffers(n_queries, 1, options.n_candidates)
        if len(self.index.blocks.scales) < _LEAST_SAMPLE * SAMPLE_EVERY:
            return buffers, 0
        expected, least = options.n_candidates / SAMPLE_EVERY, options.at_least / SAMPLE_EVERY
        by_size = expected + (_MARGIN if options.exact else _MARGIN_OF_SHORTLIST) * expected**0.5
        n_best = int(max(by_size, least + _MARGIN_OF_LEAST * least**0.5)) + 1
        sample = empty_buffers(n_queries, 1, n_best)
        n_scored = scan_sample(n_best, sample)
        raise_thresholds(sample, n_best, buffers)
        return buffers, n_scored

    def build_filter(self, part: Request) -> ItemFilter:
        """Return the positions that may be returned to some of the queries."""
        excluded = part.excluded
        positions = self.index.positions[excluded.indices]
        ascending = np.sort(positions) if len(part) == 1 else positions[np.lexsort((positions, excluded.rows))]
        return ItemFilter(self.allowed, excluded.indptr, ascending)
