"""FAISS: an index of prefixes with a refinement by the full vectors, beside a Parquet file of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple

import msgspec
import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.data.ids import IdArray
from nestrec.errors import OptionError, StoreError
from nestrec.export.exporters import Side
from nestrec.stores.faiss_index import IndexOptions, Kind, OpenIndex, faiss_library, sample_size, write_index
from nestrec.stores.folder import StoreFolder
from nestrec.stores.metadata import StoreMetadata
from nestrec.stores.parquet_rows import ParquetRows, RowsDatabase
from nestrec.stores.requests import DEFAULT_SHORTLIST, Query
from nestrec.stores.store import Answer, Rows, Store, StoredRows

_POSITIVE = msgspec.Meta(ge=1)
INDEX = "index.faiss"


@dataclass(frozen=True)
class FaissTarget:
    """A folder with a FAISS index of the narrowest width and the rows in a Parquet file, in the order of the index."""

    name: ClassVar[str] = "faiss"

    kind: Kind = "flat"
    """Full scan of the prefixes, an HNSW graph, or inverted lists."""
    m: Annotated[int, _POSITIVE] = 16
    """Neighbours in the HNSW graph."""
    ef_construct: Annotated[int, _POSITIVE] = 100
    """Candidates while the graph is built."""
    ef: Annotated[int, _POSITIVE] = 200
    """Candidates while it is searched; the shortlist, if that is more."""
    n_lists: Annotated[int, _POSITIVE] = 256
    """Inverted lists; as many as there are items, if that is fewer."""
    n_probes: Annotated[int, _POSITIVE] = 32
    """Inverted lists that a search scans."""

    def open(self, place: str) -> FaissStore:
        """See `Target`."""
        faiss_library()
        return FaissStore(place, self)


class _Opened(NamedTuple):
    """An index that was read."""

    base: OpenIndex
    ids: IdArray  # by position
    positions: dict[Any, int]  # by id
    version: str | None


@dataclass
class FaissStore(Store):
    """Rows in Parquet files, an index that is built of them at the end of an export, and read by the first search."""

    options: FaissTarget
    name: ClassVar[str] = "faiss"
    batch_rows: ClassVar[int] = 32_768

    _folder: StoreFolder = field(init=False, repr=False)
    _rows_database: RowsDatabase = field(init=False, repr=False, default_factory=RowsDatabase)
    _opened: _Opened | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Name the folder; nothing is read yet."""
        self._folder = StoreFolder(self.place)

    def build_options(self) -> dict[str, Any]:
        """See `Store`."""
        chosen = {"flat": (), "hnsw": ("m", "ef_construct"), "ivf": ("n_lists",)}[self.options.kind]
        return {name: getattr(self.options, name) for name in ("kind", *chosen)}

    def load_metadata(self) -> dict[str, Any] | None:
        """See `Store`."""
        return self._folder.load_metadata()

    def save_metadata(self, metadata: StoreMetadata) -> None:
        """See `Store`."""
        self._opened = None
        self._folder.save_metadata(metadata.as_dict())

    def create(self, metadata: StoreMetadata) -> None:
        """See `Store`; raises OptionError for a layout without items."""
        if metadata.layout.items is None:
            raise OptionError("side must be items or both for a FAISS index, got users", option="side")
        self._opened = None
        self._folder.clear()
        self._folder.save_metadata(metadata.as_dict())

    def read_rows(self, side: Side) -> Iterator[StoredRows]:
        """See `Store`."""
        return self._rows(side).read()

    def write(self, side: Side, rows: Rows) -> None:
        """See `Store`."""
        self._rows(side).write(rows)

    def delete(self, side: Side, ids: IdArray) -> None:
        """See `Store`."""
        self._rows(side).delete(ids)

    def build_index(self) -> None:
        """Join the rows to one file for each side, and build the index of the items."""
        self._opened = None
        layout = self.layout
        for side in layout.sides:
            self._rows(side).compact()
        items, own = self._rows("items"), self.options
        n_rows = items.count()
        options = IndexOptions(
            own.kind, layout.widths[0], layout.quantize, own.m, own.ef_construct, own.n_lists
        )  # fmt: skip
        sample = items.sample_vectors(sample_size(options, n_rows))
        write_index(self._folder.path / INDEX, items.read_vectors(), sample, options, n_rows, layout.size)

    def locked(self) -> AbstractContextManager[object]:
        """See `Store`."""
        return self._folder.locked()

    def find(self, query: Query) -> Answer:
        """See `Store`; the index proposes candidates where it is of the first width, others are scanned for."""
        index, ids, places, _ = self._open(query.metadata)
        known = [places[one] for one in query.excluded if one in places]
        excluded = np.array(known, dtype=np.int64)
        first, *others = query.stages
        if first.width == index.width and not query.exact:
            n = (
                first.limit if others else max(first.limit, DEFAULT_SHORTLIST)
            )  # the codes of one stage alone are coarse
            found = index.propose(query.vector, n, excluded, ef=self.options.ef, n_probes=self.options.n_probes)
            stages = others or [first]
        else:
            found, stages = np.setdiff1d(np.arange(len(ids)), excluded, assume_unique=True), [first, *others]
        for stage in stages:
            scores = _score(index.vectors, found, query.vector, stage.width)
            best = np.argsort(-scores, kind="stable")[: stage.limit]
            found, scores = found[best], scores[best]
        return Answer(ids[found].tolist(), scores.tolist())

    def close(self) -> None:
        """Forget the index, and close the connection to the rows."""
        self._opened = None
        self._rows_database.close()

    def _open(self, metadata: StoreMetadata) -> _Opened:
        """Return the index with the ids of its positions, both of one export; raise StoreError while one is running."""
        if self._opened is not None and self._opened.version == metadata.version:
            return self._opened
        if metadata.writing is None:
            index, ids = OpenIndex(self._folder.path / INDEX), self._rows("items").read_ids()
            if self.metadata == metadata and len(ids) == len(index.vectors):
                self._opened = _Opened(index, ids, {one: at for at, one in enumerate(ids.tolist())}, metadata.version)
                return self._opened
        raise StoreError(f"an export to {self.place} is running or did not end; repeat it, and search afterwards")

    def _rows(self, side: Side) -> ParquetRows:
        return ParquetRows(self._folder.path, side, self.layout, self._rows_database)


def _score(vectors: Float32Array, rows: Int64Array, query: Float32Array, width: int) -> Float32Array:
    """Return the inner products of prefixes."""
    if len(rows) == len(vectors):
        scores: Float32Array = vectors[:, :width] @ query[:width]
        return scores[rows]
    some: Float32Array = vectors[rows, :width] @ query[:width]
    return some
