"""Full scan: score every item in all dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.retrieval.ranking import Ranking, Work
from nestrec.retrieval.request import Request, check_vectors
from nestrec.retrieval.retriever import Retriever
from nestrec.retrieval.top_k import top_k


@dataclass(frozen=True, eq=False)
class FullScan(Retriever):
    """Scores every item in all dimensions. Holds nothing; the baseline of every other retriever.

    >>> import numpy as np
    >>> items, scores = FullScan(np.eye(3, dtype=np.float32), 3).search([[0.0, 2.0, 1.0]], k=2)
    >>> items.tolist(), scores.tolist()
    ([[1, 2]], [[2.0, 1.0]])
    """

    width: int

    def __post_init__(self) -> None:
        """Validate the shape of the vectors."""
        check_vectors(self.vectors, len(self.vectors), self.width)

    @property
    def full_width(self) -> int:
        """Width of the returned scores."""
        return self.width

    @property
    def nbytes(self) -> int:
        """Bytes in addition to the vectors: none."""
        return 0

    def answer(self, request: Request, threads: int) -> Ranking:
        """See `Retriever`."""
        return scan_all(request, self.vectors, self.full_width, threads)


def scan_all(request: Request, vectors: Float32Array, width: int, threads: int) -> Ranking:
    """Answer by scoring every item that may be returned."""
    candidates, excluded = request.candidates, request.excluded
    best = top_k(request.queries, vectors, width, request.k, candidates=candidates, excluded=excluded, threads=threads)
    n = len(vectors) if candidates is None else len(candidates)
    return Ranking(*best, np.arange(len(request)), work=Work(len(request) * len(vectors), 0, len(request) * n))
