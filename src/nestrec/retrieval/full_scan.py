"""The interface of all retrievers, and the full scan, which scores every item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.retrieval.exclusions import Exclusions
from nestrec.retrieval.ranking import Ranking, Work
from nestrec.retrieval.request import Request, check_vectors, validate_request
from nestrec.retrieval.top_k import top_k

_NO_SCORE = np.float32(-np.inf)


class Retriever(Protocol):
    """Maximum inner product search: finds the k items of greatest inner product with each query."""

    @property
    def n_items(self) -> int:
        """Number of items."""

    @property
    def nbytes(self) -> int:
        """Bytes it holds in addition to the vectors."""

    def search(
        self,
        queries: npt.ArrayLike,  # (n_queries, >= width)
        k: int,
        exclude: Exclusions | None = None,  # items that must not be returned, by row of the queries
        *,
        allow: npt.ArrayLike | None = None,  # item indices that may be returned; None: all
        deny: npt.ArrayLike | None = None,  # item indices that must not be returned
        threads: int | None = None,  # None uses all processors
    ) -> Ranking:
        """Return the best k items of each query, best first, equal scores by item index.

        Ids of the ranking are item indices, int32. Raises DataError for queries that are not finite, OptionError for
        arguments that do not fit.
        """


@dataclass(frozen=True, eq=False)
class FullScan:
    """Scores every item in all dimensions. Holds nothing; the baseline of every other retriever.

    >>> import numpy as np
    >>> items, scores = FullScan(np.eye(3, dtype=np.float32), 3).search([[0.0, 2.0, 1.0]], k=2)
    >>> items.tolist(), scores.tolist()
    ([[1, 2]], [[2.0, 1.0]])
    """

    vectors: Float32Array  # (n_items, >= width) float32
    width: int

    def __post_init__(self) -> None:
        """Validate the shape of the vectors."""
        check_vectors(self.vectors, len(self.vectors), self.width)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.vectors)

    @property
    def nbytes(self) -> int:
        """Bytes in addition to the vectors: none."""
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
    ) -> Ranking:
        """See `Retriever`."""
        request = validate_request(queries, k, exclude, allow, deny, n_items=self.n_items, width=self.width)
        return scan_all(request, self.vectors, self.width, threads)


def scan_all(request: Request, vectors: Float32Array, width: int, threads: int | None) -> Ranking:
    """Answer by scoring every item that may be returned."""
    candidates = request.candidates
    n = len(vectors) if candidates is None else len(candidates)
    shown = min(request.k, n)
    items, scores = top_k(
        request.queries, vectors, width, shown, candidates=candidates, excluded=request.excluded, threads=threads
    )
    padding = ((0, 0), (0, request.k - shown))
    return Ranking(
        np.pad(items, padding, constant_values=-1),
        np.pad(scores, padding, constant_values=_NO_SCORE),
        np.arange(len(request)),
        work=Work(len(request) * len(vectors), 0, len(request) * n),
    )
