"""The interface of retrievers, and what those of this package share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.exclusions import Exclusions
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.request import Request, validate_request


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
class VectorRetriever(ABC):
    """A retriever over item vectors in memory, which answers validated requests."""

    vectors: Float32Array
    """(n_items, >= full width) float32: what an index was built from."""

    @property
    @abstractmethod
    def full_width(self) -> int:
        """Width of the returned scores."""

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.vectors)

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
        request = validate_request(queries, k, exclude, allow, deny, n_items=self.n_items, width=self.full_width)
        return self._search(request, resolve_threads(threads))

    @abstractmethod
    def _search(self, request: Request, threads: int) -> Ranking:
        """Answer a request."""
