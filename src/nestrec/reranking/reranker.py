"""Candidates of a list, the protocol of rerankers, and applying one to the result of a search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from nestrec.arguments import check_integer
from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.errors import OptionError
from nestrec.reranking.catalogue import Catalogue
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.ranking import Ranking

_QUERIES = 1_024  # reranked at once


@dataclass(frozen=True, eq=False)
class Candidates:
    """The best items of some queries, best first, of which a list is chosen."""

    items: Int32Array  # (n, m) item_index, -1 where there are fewer
    scores: Float32Array  # (n, m), minus infinity where there are fewer
    histories: ItemLists  # n lists: what each user has seen
    catalogue: Catalogue

    @property
    def gains(self) -> Float64Array:
        """Scores scaled to 1 for the best candidate of a query and 0 for the last, (n, m); minus infinity if none."""
        scores = self.scores.astype(np.float64)
        present = np.isfinite(scores)
        best = scores.max(axis=1, keepdims=True, initial=-np.inf)
        last = np.where(present, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
        spread = np.where(best > last, best - last, 1.0)
        with np.errstate(invalid="ignore"):
            return np.where(present, (scores - last) / spread, -np.inf)

    def slice(self, rows: slice) -> Candidates:
        """Return those of consecutive queries."""
        return Candidates(self.items[rows], self.scores[rows], self.histories.slice(rows), self.catalogue)


@runtime_checkable
class Reranker(Protocol):
    """Chooses a list from candidates."""

    @property
    def candidates(self) -> int:
        """Candidates for each item of the list."""

    def choose(self, found: Candidates, k: int) -> Int64Array:
        """Return the positions of at most k candidates of each query, first place first, (n, k); -1 for none."""


def check_reranker(rerank: object) -> Reranker:
    """Return the reranker; raise OptionError for another object."""
    if isinstance(rerank, type) or not isinstance(rerank, Reranker):
        raise OptionError(
            f"rerank must be a reranker such as Diversify(0.3), got {rerank!r:.60}; see nestrec.reranking",
            option="rerank",
        )
    return rerank


def check_candidates(candidates: object) -> None:
    """Raise OptionError unless there is at least one candidate for each place."""
    if check_integer("candidates", candidates, 10) < 1:
        raise OptionError(f"candidates must be 1 or more for each place, got {candidates}", option="candidates")


def check_strength(strength: object) -> None:
    """Raise OptionError unless the strength is a number from 0 to 1."""
    number = isinstance(strength, (int, float)) and not isinstance(strength, bool)
    if not number or not 0 <= strength <= 1:  # type: ignore[operator]
        raise OptionError(f"strength must be a number from 0 (scores alone) to 1, got {strength!r}", option="strength")


def apply_reranker(rerank: Reranker, found: Ranking, *, k: int, histories: ItemLists, catalogue: Catalogue) -> Ranking:
    """Return the chosen lists, with the items' own scores, in the order of choice."""
    n = len(found.ids)
    items = np.full((n, k), -1, dtype=np.int32)
    scores = np.full((n, k), -np.inf, dtype=np.float32)
    whole = Candidates(found.ids, found.scores, histories, catalogue)
    for start in range(0, n, _QUERIES):
        rows = slice(start, min(start + _QUERIES, n))
        places = rerank.choose(whole.slice(rows), k)
        chosen = places >= 0
        columns = np.maximum(places, 0)
        items[rows] = np.where(chosen, np.take_along_axis(found.ids[rows], columns, axis=1), -1)
        scores[rows] = np.where(chosen, np.take_along_axis(found.scores[rows], columns, axis=1), -np.inf)
    return replace(found, ids=items, scores=scores)


def choose_greedily(found: Candidates, k: int, value: StepValue) -> Int64Array:
    """Return k candidates of each query, each the one of greatest value given those chosen before.

    Ties go to the better score. A candidate whose value is minus infinity is never chosen.
    """
    n, m = found.items.shape
    places = np.full((n, k), -1, dtype=np.int64)
    left = found.items >= 0
    for place in range(min(k, m)):
        values = np.where(left, value.of_candidates(), -np.inf)
        best = values.argmax(axis=1)
        chosen = values[np.arange(n), best] > -np.inf
        places[chosen, place] = best[chosen]
        left[np.flatnonzero(chosen), best[chosen]] = False
        value.add(np.where(chosen, best, -1))
    return places


class StepValue(Protocol):
    """Values of the candidates, given those chosen so far."""

    def of_candidates(self) -> Float64Array:
        """Return the value of choosing each candidate next, (n, m)."""

    def add(self, places: Int64Array) -> None:
        """Take note of the chosen candidate of each query, (n,), -1 for none."""
