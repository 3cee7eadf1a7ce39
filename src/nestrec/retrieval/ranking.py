"""The result of a search: ids and scores, best first, and the queries that they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int64Array
from nestrec.data.ids import IdArray
from nestrec.item_table.item_table import ItemTable, TextArray
from nestrec.tabular import Tabular, Values


def _no_ids() -> IdArray:
    return np.zeros(0, dtype=np.int64)


class Work(NamedTuple):
    """What a search computed, summed over its queries."""

    possible: int  # pairs of a query and an item
    scanned: int  # of them, scored by the codes of a coarse index
    reranked: int  # of them, scored in all dimensions

    @property
    def pruned(self) -> float:
        """Share of the possible pairs that were never scored in all dimensions.

        Not below 0, though a certified search in several rounds scores some pairs more than once.
        """
        return max(0.0, 1.0 - self.reranked / self.possible) if self.possible else 0.0


_NO_WORK = Work(0, 0, 0)


@dataclass(frozen=True, eq=False, repr=False)
class Ranking(Tabular):
    """The best ids of each query with their scores; unpacks as `ids, scores = ranking`.

    For one query the arrays are as long as what is left to return, at most k. For many they are (n_queries, k), and a
    row with fewer than k to return is padded: score minus infinity and id -1 (the smallest 64-bit number where -1 is an
    id itself), or empty text. `rows` and `columns` leave the padding out. Retrievers return it with item indices as ids
    and row numbers as queries.

    >>> import nestrec
    >>> model = nestrec.NestedEmbeddings.from_arrays([[1.0, 0.0]], [[2.0, 1.0], [3.0, 1.0]], widths=[1, 2])
    >>> ids, scores = model.recommend([0], k=3)
    >>> ids.tolist(), scores.tolist()
    ([[1, 0, -1]], [[3.0, 2.0, -inf]])
    """

    ids: IdArray
    """(n_queries, k), or (at most k,) for a single query."""
    scores: Float32Array
    """Of the same shape."""
    queries: IdArray
    """(n_queries,) the ids of the queries, unknown ones left out."""
    skipped: IdArray = field(default_factory=_no_ids)
    """(n_skipped,) query ids that the model does not know; empty unless unknown="skip"."""
    skipped_items: IdArray = field(default_factory=_no_ids)
    """(n_skipped_items,) such ids in allow- and deny-lists."""
    work: Work = _NO_WORK
    """What the search computed; 0 where it was not counted."""
    item_table: ItemTable | None = None
    """The item table of the model, where the ids are of items."""

    @property
    def titles(self) -> TextArray | None:
        """Titles of the ids, in their shape, empty text where there is none; None for a model without titles."""
        if self.item_table is None or self.item_table.title_column is None:
            return None
        return self.item_table.titles_at(self.item_table.items.index_of(self.ids, unknown="mark"))

    def answer_titles(self) -> TextArray | None:
        """Return the title of every answer, as `columns` has them; None for a model without titles."""
        titles = self.titles
        return None if titles is None else self._by_query(titles)[self._scores() > -np.inf]

    def rows(self) -> Iterator[tuple[Any, IdArray, Float32Array]]:
        """Yield each query's id with its ids and scores, without padding."""
        for query, ids, scores in zip(self.queries.tolist(), self._by_query(self.ids), self._scores(), strict=True):
            left = scores > -np.inf
            yield query, ids[left], scores[left]

    def columns(self) -> tuple[IdArray, IdArray, Int64Array, Float32Array]:
        """Return query, id, rank from 1 and score of every answer, as four columns of one table."""
        scores = self._scores()
        left = scores > -np.inf
        query, position = np.nonzero(left)
        return self.queries[query], self._by_query(self.ids)[left], position + 1, scores[left]

    def as_columns(self) -> Mapping[str, Values]:
        """Return the columns `query`, `id`, `rank` (from 1) and `score` of every answer, as tables have them.

        The answers of a model with titles have a column `title` as well.
        """
        query, ids, rank, score = self.columns()
        columns: dict[str, Values] = {"query": query, "id": ids, "rank": rank, "score": score}
        titles = self.answer_titles()
        return columns if titles is None else {**columns, "title": [title or None for title in titles.tolist()]}

    @property
    def n_unanswered(self) -> int:
        """Number of queries for which nothing is left to return, as for a user who has seen every item."""
        return int((self._scores() == -np.inf).all(axis=1).sum())

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """Unpack to ids and scores."""
        return iter((self.ids, self.scores))

    def __repr__(self) -> str:
        """Show the sizes."""
        n, k = len(self.queries), self.ids.shape[-1]
        queries, answers = f"{n:,} {'query' if n == 1 else 'queries'}", f"{k:,} answer{'' if k == 1 else 's'}"
        return f"<Ranking: {queries}, at most {answers} each>"

    def _scores(self) -> Float32Array:
        return self._by_query(self.scores)

    def _by_query(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array if array.ndim == 2 else array.reshape(len(self.queries), -1 if len(self.queries) else 0)
