"""Certified exact search: upper bounds from a few bytes an item, full-width scores of the few that could be best.

The coarse scan keeps the items of greatest upper bound; refinement codes, if any, tighten these bounds. Candidates are
reranked by descending bound until the k-th best score is above the next bound and above everything that the scan
refused: that certifies the answer to be the full scan's, bit for bit. Where the candidates do not suffice, more are
kept; where that would be a large part of the catalogue, all items are scored. So are those of a short allow-list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import BoolArray, Int64Array
from nestrec.kernels.search.rerank import PRODUCTS_AT_ONCE, rerank_certified
from nestrec.parallel.slices import counted_slices
from nestrec.retrieval.coarse_candidates import Candidates, ScanOptions
from nestrec.retrieval.coarse_scan import scan_coarsely
from nestrec.retrieval.full_scan import scan_all
from nestrec.retrieval.ranking import Ranking, Work
from nestrec.retrieval.request import Request, empty_keys, rank_keys
from nestrec.retrieval.retriever import IndexRetriever

_GROWTH = 8  # times as many candidates where they did not suffice
_LARGE_PART = 8  # an eighth of the items


@dataclass(frozen=True, eq=False)
class Exact(IndexRetriever):
    """Finds the best items of the full width by a coarse index, and certifies that none is missing."""

    n_candidates: int | None = None  # per query at first; None: 2 k + 64, eight times that with refinement codes

    def answer(self, request: Request, threads: int) -> Ranking:
        """See `Retriever`."""
        if self._n_allowed(request) * _LARGE_PART <= self.n_items:
            return scan_all(request, self.vectors, self.full_width, threads)
        shown = min(request.k, self.n_items)
        best = empty_keys(len(request), shown)
        open_rows, n_candidates = np.arange(len(request)), self._first_candidates(shown)
        scanned = reranked = 0
        while len(open_rows) and n_candidates * _LARGE_PART <= self.n_items:
            rest = request if len(open_rows) == len(request) else request.select(open_rows)
            certified, n_scanned, n_reranked = self._certify(rest, n_candidates, best, open_rows, threads)
            scanned, reranked = scanned + n_scanned, reranked + n_reranked
            open_rows, n_candidates = open_rows[~certified], n_candidates * _GROWTH
        reranked += len(open_rows) * self._n_allowed(request)
        ranking = rank_keys(best, request.k, Work(len(request) * self.n_items, scanned, reranked))
        if len(open_rows):
            scored = scan_all(request.select(open_rows), self.vectors, self.full_width, threads)
            ranking.ids[open_rows], ranking.scores[open_rows] = scored
        return ranking

    def _n_allowed(self, request: Request) -> int:
        return self.n_items if request.allowed is None else int(np.count_nonzero(request.allowed))

    def _first_candidates(self, k: int) -> int:
        by_blocks = 2 * k + 64  # refinement codes make more candidates cheap, and another scan costs much
        usual = by_blocks if self.index.refinement is None else _GROWTH * by_blocks
        fitting = usual if usual * _LARGE_PART <= self.n_items else by_blocks
        return max(fitting if self.n_candidates is None else self.n_candidates, k)

    def _certify(
        self, request: Request, n_candidates: int, best: Int64Array, rows: Int64Array, threads: int
    ) -> tuple[BoolArray, int, int]:
        """Answer the rows that so many candidates suffice for; return which, and how many pairs were scored."""
        certified = np.zeros(len(request), dtype=np.bool_)
        k, reranked = best.shape[1], list[int]()

        def rerank_candidates(some: slice, found: Candidates) -> None:
            queries, own, sure = request.queries[some], empty_keys(len(found.counts), k), certified[some]
            self.index.refine(found.keys, found.counts, queries, exact=True)
            for first, last in counted_slices(found.counts, PRODUCTS_AT_ONCE // queries.shape[1]):
                part = slice(first, last)
                keys, counts, floors = (array[part] for array in found)
                n = rerank_certified(keys, counts, floors, queries[part], self.vectors, k, own[part], sure[part])
                reranked.append(n)
            best[rows[some]] = own

        options = ScanOptions(n_candidates, exact=True, at_least=k)
        scanned = scan_coarsely(self.index, request, options, rerank_candidates, threads)
        return certified, scanned, sum(reranked)
