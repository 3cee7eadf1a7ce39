"""A funnel of given sizes: a shortlist by few numbers, narrowed width by width, each adding only its new numbers.

Inner products add up: the score at width 32 is the score at width 16 plus the products of 16 more numbers. Where the
screen holds float32 numbers of the model itself, they are not read again; where it holds coded ones, the first stage
after it starts from nothing. A stage of the width of the screen's rows is scored by them. The last stage is the full
width, so scores are exact; what the shortlist missed is not found. `Exact` finds everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.errors import OptionError
from nestrec.kernels.search.rerank import PRODUCTS_AT_ONCE, extend, trim, write_all
from nestrec.parallel.slices import counted_slices
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_scan import Kept, Walk, walked
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.request import Retrieved, Work, check_vectors, no_keys, request, retrieved
from nestrec.retrieval.top_k import Exclusions


class Stage(NamedTuple):
    """Scores at a width, and how many of the best go on; fewer than k never do."""

    width: int
    shortlist: int


@dataclass(frozen=True, eq=False)
class Funnel:
    """The best items that shortlists of these sizes let through.

    Raises OptionError for widths that do not ascend to less than the full one (rows may have all of it), or an empty
    shortlist.
    """

    vectors: Float32Array  # (n_items, >= full width) float32: what the screen was built from
    screen: CoarseIndex
    shortlist: int  # items that the screen lets through; in a large catalogue, about so many
    stages: tuple[Stage, ...] = ()  # between the screen and the full width
    share: float = 1.0  # of the shelves that a screen with clusters visits at most, best cells first

    def __post_init__(self) -> None:
        """Check the sizes, and that the screen stands for these vectors."""
        check_vectors(self.vectors, self.screen.n_items, self.screen.full_width)
        own = [stage.width for stage in self.stages if not self._by_rows(stage)]
        widths = [0, *own, self.screen.full_width]
        if any(low >= high for low, high in pairwise(widths)):
            raise OptionError(f"widths of stages ascend and end below {widths[-1]}; got {widths[1:-1]}")
        if min([self.shortlist, *(stage.shortlist for stage in self.stages)]) < 1:
            raise OptionError("an empty shortlist lets nothing through; give 1 or more")
        if not 0.0 < self.share <= 1.0:
            raise OptionError(f"share={self.share} of the shelves; give more than 0, at most 1")

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
        """See `Retriever`; items that a shortlist left out are missing."""
        width = self.screen.full_width
        asked = request(queries, k, exclude, allow, deny, n_items=self.n_items, width=width)
        shown = min(asked.k, self.n_items)
        best, rescored = no_keys(len(asked), shown), [0]
        walk = Walk(min(self.n_items, max(self.shortlist, shown)), exact=False, least=shown, share=self.share)

        def finish(some: slice, found: Kept) -> None:
            trim(found.keys, found.counts, walk.n_kept)
            begin, queries = self._held, asked.queries[some]
            for stage in self.stages:
                kept = max(stage.shortlist, shown)
                if self._by_rows(stage):
                    self.screen.refine(found.keys, found.counts, queries, exact=False)
                    trim(found.keys, found.counts, kept)
                    begin = 0
                else:
                    self._extend(found, queries, begin, stage.width, kept)
                    begin = stage.width
            rescored.append(self._extend(found, queries, begin, width, shown))
            write_all(found.keys, found.counts, best[some])

        screened = walked(self.screen, asked, walk, finish, resolve_threads(threads))
        return retrieved(best, asked.k, Work(len(asked) * self.n_items, screened, sum(rescored)))

    def _extend(self, found: Kept, queries: Float32Array, begin: int, end: int, kept: int) -> int:
        """Add the numbers from begin to end to the scores and keep the best; return how many scores were extended."""
        n_scored = 0
        for first, last in counted_slices(found.counts, PRODUCTS_AT_ONCE // end):
            part = slice(first, last)
            n_scored += extend(found.keys[part], found.counts[part], queries[part], self.vectors, begin, end, kept)
        return n_scored

    def _by_rows(self, stage: Stage) -> bool:
        return self.screen.rows is not None and stage.width == self.screen.rows.width

    @property
    def _held(self) -> int:
        """How many of the model's own numbers are in the screen's estimates."""
        as_they_are = self.screen.storage is Storage.FLOAT32 and self.screen.axes is None
        return self.screen.width if as_they_are else 0
