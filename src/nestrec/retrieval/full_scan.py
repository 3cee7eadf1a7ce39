"""The one interface of everything that finds the best items of a query, and its plain version: score them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.retrieval.request import Request, Retrieved, Work, check_vectors, request
from nestrec.retrieval.top_k import Exclusions, top_k

_NO_SCORE = np.float32(-np.inf)


class Retriever(Protocol):
    """Finds the k items of greatest inner product with each query."""

    @property
    def n_items(self) -> int:
        """How many items there are."""

    @property
    def nbytes(self) -> int:
        """Bytes that it holds beside the vectors themselves."""

    def search(
        self,
        queries: npt.ArrayLike,  # (n_queries, >= width)
        k: int,
        exclude: Exclusions | None = None,  # items that must not be returned, by row of the queries
        *,
        allow: npt.ArrayLike | None = None,  # item indices that may be returned; None: all
        deny: npt.ArrayLike | None = None,  # item indices that must not be returned
        threads: int | None = None,  # None uses all processors
    ) -> Retrieved:
        """Return the best k items of each query, best first, equal scores by item index.

        Raises DataError for queries that are not finite, OptionError for what does not fit.
        """


@dataclass(frozen=True, eq=False)
class FullScan:
    """Scores every item by all its numbers. Holds nothing; every other retriever is measured against it.

    >>> import numpy as np
    >>> found = FullScan(np.eye(3, dtype=np.float32), 3).search([[0.0, 2.0, 1.0]], k=2)
    >>> found.items.tolist(), found.scores.tolist()
    ([[1, 2]], [[2.0, 1.0]])
    """

    vectors: Float32Array  # (n_items, >= width) float32
    width: int

    def __post_init__(self) -> None:
        """Check that the vectors have as many numbers."""
        check_vectors(self.vectors, len(self.vectors), self.width)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.vectors)

    @property
    def nbytes(self) -> int:
        """Bytes beside the vectors: none."""
        return 0

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
        asked = request(queries, k, exclude, allow, deny, n_items=self.n_items, width=self.width)
        return scan(asked, self.vectors, self.width, threads)


def scan(asked: Request, vectors: Float32Array, width: int, threads: int | None) -> Retrieved:
    """Answer by scoring every item that may be returned."""
    candidates = asked.candidates
    n = len(vectors) if candidates is None else len(candidates)
    shown = min(asked.k, n)
    found = top_k(
        asked.queries, vectors, (width,), shown, candidates=candidates, excluded=asked.excluded, threads=threads
    )
    work = Work(len(asked) * len(vectors), 0, len(asked) * n)
    missing = ((0, 0), (0, asked.k - shown))
    return Retrieved(
        np.pad(found.items[:, 0], missing, constant_values=-1),
        np.pad(found.scores[:, 0], missing, constant_values=_NO_SCORE),
        work,
    )
