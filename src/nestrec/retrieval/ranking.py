"""What a retrieval returns: ids and scores, best first, and which queries they answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int64Array
from nestrec.data.ids import IdArray


@dataclass(frozen=True, eq=False)
class Ranking:
    """The best ids of each query with their scores; unpacks as `ids, scores = ranking`.

    For one query the arrays are as long as what is left to return, at most k. For many they are (n_queries, k), and a
    row with less than k to return is filled up: score minus infinity and id -1 (the smallest 64-bit number where -1 is
    an id itself), or empty text. `rows` and `columns` leave the filling out.

    >>> import nestrec
    >>> model = nestrec.NestedEmbeddings.from_arrays([[1.0, 0.0]], [[2.0, 1.0], [3.0, 1.0]], widths=[1, 2])
    >>> ids, scores = model.recommend([0], k=3)
    >>> ids.tolist(), scores.tolist()
    ([[1, 0, -1]], [[3.0, 2.0, -inf]])
    """

    ids: IdArray  # (n_queries, k), or (at most k,) for a single query
    scores: Float32Array  # the same shape
    queries: IdArray  # (n_queries,) the ids asked for, unknown ones left out
    skipped: IdArray  # (n_skipped,) ids asked for that the model does not know; empty unless unknown="skip"
    skipped_items: IdArray  # (n_skipped_items,) such ids among those allowed and denied

    def rows(self) -> Iterator[tuple[Any, IdArray, Float32Array]]:
        """Yield each query's id with its ids and scores, filling left out."""
        for query, ids, scores in zip(self.queries.tolist(), self._by_query(self.ids), self._scores(), strict=True):
            left = scores > -np.inf
            yield query, ids[left], scores[left]

    def columns(self) -> tuple[IdArray, IdArray, Int64Array, Float32Array]:
        """Return the query, the id, its rank from 1 and its score of every answer, as four columns of one table."""
        scores = self._scores()
        left = scores > -np.inf
        query, place = np.nonzero(left)
        return self.queries[query], self._by_query(self.ids)[left], place + 1, scores[left]

    @property
    def n_unanswered(self) -> int:
        """How many queries nothing is left to return for, as for a user who has met every item."""
        return int((self._scores() == -np.inf).all(axis=1).sum())

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """Unpack to ids and scores."""
        return iter((self.ids, self.scores))

    def _scores(self) -> Float32Array:
        return self._by_query(self.scores)

    def _by_query(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array if array.ndim == 2 else array.reshape(len(self.queries), -1 if len(self.queries) else 0)
