"""The protocol of stores: a target is opened at a place and gives a `Store`, which is written and searched.

To add a store, write a frozen dataclass of options with `open` (the protocol `Target`) and a subclass of `Store`.
`nestrec.stores.exporting` calls its methods in this order, for a first export as for the next ones:

    read_metadata → create, or read_rows of each side → write, delete → build_index → write_metadata

Rows are identified by the model's own ids. A row that is written again replaces the earlier one, so that an export can
be repeated after it was killed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy.typing as npt

from nestrec.arrays import Float32Array, Int64Array
from nestrec.data.ids import IdArray
from nestrec.errors import StoreError
from nestrec.export.exporters import Side
from nestrec.retrieval.ranking import Ranking
from nestrec.stores.layout import Layout
from nestrec.stores.metadata import StoreMetadata, read_metadata
from nestrec.stores.requests import Query, make_queries, make_stages, rank_answers


class Rows(NamedTuple):
    """Rows to write: (n,) ids with everything that is stored of them."""

    ids: IdArray
    vectors: Float32Array  # (n, layout.size)
    fingerprints: Int64Array  # (n,) hashes of vector and columns
    columns: dict[str, list[Any]]  # of the layout's columns; None where an item has no value


class StoredRows(NamedTuple):
    """Ids and fingerprints of rows that a store holds."""

    ids: IdArray
    fingerprints: Int64Array


class Answer(NamedTuple):
    """What a store found for one query, at most k ids."""

    ids: list[Any]
    scores: list[float]  # inner products


class Target(Protocol):
    """A kind of store: a frozen dataclass whose fields are its options."""

    name: ClassVar[str]

    def open(self, place: str) -> Store:
        """Return the store at a place, which need not exist yet: a folder, or an address.

        Raises MissingExtraError where the engine is not installed, StoreError where it cannot be reached.
        """


@dataclass
class Store(ABC):
    """Vectors of a model in a vector store; a context manager that closes it at the end."""

    place: str
    """Folder or address."""

    name: ClassVar[str]
    batch_rows: ClassVar[int] = 2_000
    """Rows that are written at once."""

    # What is there

    @abstractmethod
    def load_metadata(self) -> dict[str, Any] | None:
        """Return what `save_metadata` or `create` stored last; None where there is no store of nestrec's.

        Raises OutputError where the place holds something else.
        """

    @abstractmethod
    def read_rows(self, side: Side) -> Iterator[StoredRows]:
        """Yield the rows of a side in blocks of any size and order, each id once."""

    # Writing

    @abstractmethod
    def create(self, metadata: StoreMetadata) -> None:
        """Make empty tables for a layout and store its metadata, in place of an earlier store of nestrec's."""

    @abstractmethod
    def write(self, side: Side, rows: Rows) -> None:
        """Write rows; those of ids that are there already are replaced."""

    @abstractmethod
    def delete(self, side: Side, ids: IdArray) -> None:
        """Delete rows; ids that are not there are ignored."""

    @abstractmethod
    def build_index(self) -> None:
        """Build or complete the index after the last row."""

    @abstractmethod
    def save_metadata(self, metadata: StoreMetadata) -> None:
        """Store metadata, which is small and JSON."""

    def build_options(self) -> dict[str, Any]:
        """Return the options that an index is built with, as JSON; another export must have the same ones."""
        return {}

    def locked(self) -> AbstractContextManager[object]:
        """Return a context manager that keeps other exports out, where that is possible."""
        return nullcontext()

    # Searching

    @abstractmethod
    def find(self, query: Query) -> Answer:
        """Return the best items of a query, in any order: all stages in the store's own query language.

        The first stage leaves out excluded items. `query.exact` scores all rows in the first stage, without an index.
        """

    def search(
        self,
        user_vectors: npt.ArrayLike,  # (n_queries, >= the last of widths)
        k: int = 10,
        *,
        widths: tuple[int, ...] | None = None,
        shortlist: int | tuple[int, ...] | None = None,
        exclude: list[Any] | None = None,
        exact: bool = False,
    ) -> Ranking:
        """Return the k items of greatest inner product for each vector, as `NestedEmbeddings.recommend` does.

        Args:
            user_vectors: one row a user.
            k: items per user; a user with fewer left gets fewer, see `Ranking`.
            widths: of the stages, ascending, out of the stored ones; None: those of the recommended operating point.
                Scores are those of the last width.
            shortlist: candidates that a stage hands to the next; one number, or one for each stage but the last. None:
                that of the operating point of these widths, or 200.
            exclude: lists of item ids that must not be returned, one for each row; None: nothing.
            exact: score all items in the first stage, without an index.

        Raises OptionError for arguments that do not fit, StoreError for a store that is unfinished.

        """
        metadata = self.metadata
        side = metadata.layout.side("items")
        stages = make_stages(metadata, k, widths, shortlist)
        queries = make_queries(metadata, user_vectors, stages, exclude, exact=exact)
        return rank_answers([self.find(query) for query in queries], k, side.id_type)

    @property
    def metadata(self) -> StoreMetadata:
        """Metadata of a store that can be searched; raises StoreError for none and for one that is unfinished."""
        found = self.load_metadata()
        if found is None:
            raise StoreError(f"{self.place} must be a store of nestrec export, and there is none; export a model to it")
        metadata = read_metadata(found, self.place)
        if metadata.version is None:
            raise StoreError(f"the export to {self.place} did not end; repeat the command, which continues it")
        return metadata

    @property
    def layout(self) -> Layout:
        """Layout of the store, finished or not."""
        found = self.load_metadata()
        if found is None:
            raise StoreError(f"{self.place} must be a store of nestrec export, and there is none; export a model to it")
        return read_metadata(found, self.place).layout

    def close(self) -> None:  # noqa: B027 - not every store has something to release
        """Release files and connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
