"""The base of retrievers: maximum inner product search over vectors in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.listed_items import scan_lists
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.request import Request, check_vectors, validate_request


@dataclass(frozen=True, eq=False)
class Retriever(ABC):
    """Finds the k items of greatest inner product with each query; a subclass answers validated requests."""

    vectors: Float32Array
    """(n_items, >= full width) float32: what an index was built from."""

    @property
    @abstractmethod
    def full_width(self) -> int:
        """Width of the returned scores."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes it holds in addition to the vectors."""

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.vectors)

    def search(
        self,
        queries: npt.ArrayLike,  # (n_queries, >= full width)
        k: int,
        exclude: ItemLists | None = None,  # items that must not be returned, by row of the queries
        *,
        allow: npt.ArrayLike | None = None,  # item indices that may be returned; None: all
        deny: npt.ArrayLike | None = None,  # item indices that must not be returned
        lists: ItemLists | None = None,  # what alone may be returned, by row of the queries; None: all
        threads: int | None = None,  # None uses all processors
    ) -> Ranking:
        """Return the best k items of each query, best first, equal scores by item index.

        Ids of the ranking are item indices, int32. Raises DataError for queries that are not finite, OptionError for
        arguments that do not fit.
        """
        request = validate_request(queries, k, exclude, allow, deny, lists, n_items=self.n_items, width=self.full_width)
        if request.lists is not None:
            return scan_lists(request, self.vectors, self.full_width, resolve_threads(threads))
        return self.answer(request, resolve_threads(threads))

    @abstractmethod
    def answer(self, request: Request, threads: int) -> Ranking:
        """Answer a validated request without allow-lists of single queries."""


@dataclass(frozen=True, eq=False)
class IndexRetriever(Retriever):
    """A retriever that scans a coarse index of the vectors first."""

    index: CoarseIndex

    def __post_init__(self) -> None:
        """Validate that the index is one of these vectors."""
        check_vectors(self.vectors, self.index.n_items, self.index.full_width)

    @property
    def full_width(self) -> int:
        """Width of the returned scores."""
        return self.index.full_width

    @property
    def nbytes(self) -> int:
        """Bytes of the index."""
        return self.index.nbytes
