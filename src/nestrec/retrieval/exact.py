"""Exact retrieval by a screen: upper bounds from few bytes an item, exact scores for the few that could be best.

A screen keeps the items of greatest upper bound; one with rows brings their bounds nearer, by more numbers of each.
They are scored exactly, greatest bound first, until the k-th best score is above the next bound and above everything
that the screen refused: then the answer is provably that of a full scan, bit for bit. Where the kept items do not
suffice, more are kept; where that would be a large part of the catalogue, all are scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nestrec.arrays import BoolArray, Float32Array, Int64Array
from nestrec.kernels.search.rerank import PRODUCTS_AT_ONCE, settle
from nestrec.parallel.slices import counted_slices
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_scan import Kept, Walk, walked
from nestrec.retrieval.full_scan import scan
from nestrec.retrieval.request import Request, Retrieved, Work, check_vectors, no_keys, request, retrieved
from nestrec.retrieval.top_k import Exclusions

_MORE = 8  # times as many are kept where they did not suffice
_LARGE_PART = 8  # an eighth of the items


@dataclass(frozen=True, eq=False)
class Exact:
    """The best items of the full width, found by a screen of it or of a prefix, and proven."""

    vectors: Float32Array  # (n_items, >= full width) float32: what the screen was built from
    screen: CoarseIndex
    n_kept: int | None = None  # items kept of each query at first; None: twice k and some, eight times that with rows

    def __post_init__(self) -> None:
        """Check that the screen stands for these vectors."""
        check_vectors(self.vectors, self.screen.n_items, self.screen.full_width)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.vectors)

    @property
    def nbytes(self) -> int:
        """Bytes of the screen."""
        return self.screen.nbytes

    def search(
        self,
        queries: npt.ArrayLike,
        k: int,
        exclude: Exclusions | None = None,
        *,
        allow: npt.ArrayLike | None = None,
        deny: npt.ArrayLike | None = None,
        threads: int | None = None,
    ) -> Retrieved:
        """See `Retriever`."""
        width = self.screen.full_width
        asked = request(queries, k, exclude, allow, deny, n_items=self.n_items, width=width)
        return self._answer(asked, resolve_threads(threads))

    def _answer(self, asked: Request, threads: int) -> Retrieved:
        shown = min(asked.k, self.n_items)
        best = no_keys(len(asked), shown)
        open_rows, kept = np.arange(len(asked)), self._first_kept(shown)
        screened = rescored = 0
        while len(open_rows) and kept * _LARGE_PART <= self.n_items:
            certain, n_screened, n_rescored = self._settled(asked.of(open_rows), kept, best, open_rows, threads)
            screened, rescored = screened + n_screened, rescored + n_rescored
            open_rows, kept = open_rows[~certain], kept * _MORE
        result = retrieved(best, asked.k, Work(len(asked) * self.n_items, screened, rescored))
        if len(open_rows):
            rest = scan(asked.of(open_rows), self.vectors, self.screen.full_width, threads)
            result.items[open_rows], result.scores[open_rows] = rest.items, rest.scores
            work = result.work._replace(rescored=rescored + rest.work.rescored)
            return result._replace(work=work)
        return result

    def _first_kept(self, k: int) -> int:
        by_shelves = 2 * k + 64  # by rows it costs little to look at more, and another walk much
        usual = by_shelves if self.screen.rows is None else _MORE * by_shelves
        fitting = usual if usual * _LARGE_PART <= self.n_items else by_shelves
        return max(fitting if self.n_kept is None else self.n_kept, k)

    def _settled(
        self, asked: Request, kept: int, best: Int64Array, rows: Int64Array, threads: int
    ) -> tuple[BoolArray, int, int]:
        """Answer the rows that so many kept items suffice for; return which, and how many pairs were scored."""
        certain = np.zeros(len(asked), dtype=np.bool_)
        rescored: list[int] = []

        def finish(some: slice, found: Kept) -> None:
            own, sure = no_keys(len(found.counts), best.shape[1]), certain[some]
            self.screen.refine(found.keys, found.counts, asked.queries[some], exact=True)
            queries, k = asked.queries[some], best.shape[1]
            for first, last in counted_slices(found.counts, PRODUCTS_AT_ONCE // queries.shape[1]):
                part = slice(first, last)
                kept, counts, floors = found.keys[part], found.counts[part], found.floors[part]
                scored = settle(kept, counts, floors, queries[part], self.vectors, k, own[part], sure[part])
                rescored.append(scored)
            best[rows[some]] = own

        screened = walked(self.screen, asked, Walk(kept, exact=True, least=best.shape[1]), finish, threads)
        return certain, screened, sum(rescored)
