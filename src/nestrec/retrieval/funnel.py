"""Funnel search: a shortlist by few dimensions, narrowed width by width, each stage adding only its new dimensions.

Inner products add up: the score at width 32 is the score at width 16 plus the products of 16 more dimensions. Where the
coarse index holds the model's own float32 values, they are not read again; after quantized ones, the first stage starts
from nothing. A stage of the width of the refinement codes is scored by these. The last stage is the full width, so
scores are exact; items that a shortlist misses are not found. `Exact` finds all.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from nestrec.arrays import Float32Array
from nestrec.errors import OptionError
from nestrec.kernels.search.rerank import PRODUCTS_AT_ONCE, cut_to_best, rerank, write_ranking
from nestrec.parallel.slices import counted_slices
from nestrec.retrieval.coarse_candidates import Candidates, ScanOptions
from nestrec.retrieval.coarse_scan import scan_coarsely
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.ranking import Ranking, Work
from nestrec.retrieval.request import Request, empty_keys, rank_keys
from nestrec.retrieval.retriever import IndexRetriever


class Stage(NamedTuple):
    """Scores at a width, and the size of the shortlist they leave; never fewer than k."""

    width: int
    shortlist: int


@dataclass(frozen=True, eq=False)
class Funnel(IndexRetriever):
    """Finds the best items among those that pass shortlists of given sizes; others are missing.

    Raises OptionError for stage widths that do not ascend to less than the full one (refinement codes may have all of
    it), and for an empty shortlist.
    """

    shortlist: int  # items that pass the coarse scan; in a large catalogue, about so many
    stages: tuple[Stage, ...] = ()  # between the coarse scan and the full width
    share: float = 1.0  # of the code blocks that an index with clusters visits at most, best cells first

    def __post_init__(self) -> None:
        """Validate the sizes, and that the index is one of these vectors."""
        super().__post_init__()
        own = [stage.width for stage in self.stages if not self._is_refinement(stage)]
        widths = [0, *own, self.index.full_width]
        if any(low >= high for low, high in pairwise(widths)):
            raise OptionError(f"widths of stages must ascend and be below {widths[-1]}, got {widths[1:-1]}")
        shortlists = [self.shortlist, *(stage.shortlist for stage in self.stages)]
        if min(shortlists) < 1:
            raise OptionError(f"shortlists must be 1 or more, got {', '.join(map(str, shortlists))}")
        if not 0.0 < self.share <= 1.0:
            raise OptionError(f"share must be above 0 and at most 1, got {self.share}")

    def answer(self, request: Request, threads: int) -> Ranking:
        """See `Retriever`."""
        shown = min(request.k, self.n_items)
        best, reranked = empty_keys(len(request), shown), list[int]()
        shortlist = min(self.n_items, max(self.shortlist, shown))

        def narrow(some: slice, found: Candidates) -> None:
            cut_to_best(found.keys, found.counts, shortlist)
            begin, queries = self._n_scored, request.queries[some]
            for stage in self.stages:
                kept = max(stage.shortlist, shown)
                if self._is_refinement(stage):
                    self.index.refine(found.keys, found.counts, queries, exact=False)
                    cut_to_best(found.keys, found.counts, kept)
                    begin = 0
                else:
                    self._rerank(found, queries, begin, stage.width, kept)
                    begin = stage.width
            reranked.append(self._rerank(found, queries, begin, self.full_width, shown))
            write_ranking(found.keys, found.counts, best[some])

        options = ScanOptions(shortlist, exact=False, at_least=shown, share=self.share)
        scanned = scan_coarsely(self.index, request, options, narrow, threads)
        return rank_keys(best, request.k, Work(len(request) * self.n_items, scanned, sum(reranked)))

    def _rerank(self, found: Candidates, queries: Float32Array, begin: int, end: int, kept: int) -> int:
        """Add dimensions begin to end to the scores and keep the best; return the number of items scored."""
        n_scored = 0
        for first, last in counted_slices(found.counts, PRODUCTS_AT_ONCE // end):
            part = slice(first, last)
            n_scored += rerank(found.keys[part], found.counts[part], queries[part], self.vectors, begin, end, kept)
        return n_scored

    def _is_refinement(self, stage: Stage) -> bool:
        return self.index.refinement is not None and stage.width == self.index.refinement.width

    @property
    def _n_scored(self) -> int:
        """Dimensions whose exact products are in the estimates of the coarse scan."""
        unchanged = self.index.storage is Storage.FLOAT32 and self.index.rotation is None
        return self.index.width if unchanged else 0
