"""LanceDB in a folder: a table of Lance for each side, searched with one call for each stage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from nestrec.data.ids import IdArray
from nestrec.data.readers.duckdb_connection import shorten_message
from nestrec.errors import NestrecError, OptionError, StoreError
from nestrec.export.exporters import Side
from nestrec.export.item_columns import FINGERPRINT, ID
from nestrec.extras import require
from nestrec.stores.folder import StoreFolder
from nestrec.stores.lancedb_tables import condition, make_schema, make_table, vector_column
from nestrec.stores.metadata import StoreMetadata
from nestrec.stores.requests import Query, Stage
from nestrec.stores.store import Answer, Rows, Store, StoredRows
from nestrec.stores.write_plan import stored_rows

_POSITIVE = msgspec.Meta(ge=1)
_SPARE = 16  # candidates beyond k that are scored again, since 1 - product rounds small products
_KEPT = dt.timedelta(hours=1)  # age of versions that readers may still have open


@dataclass(frozen=True)
class LanceDBTarget:
    """A folder of LanceDB, searched by a scan of the prefixes or by an inverted-file index."""

    name: ClassVar[str] = "lancedb"

    n_lists: Annotated[int, _POSITIVE] | None = None
    """Clusters of an IVF index of the narrow prefixes; None: no index, all prefixes are scanned."""
    n_probes: Annotated[int, _POSITIVE] | None = None
    """Clusters that are searched; None: a quarter of them."""

    def open(self, place: str) -> LanceDBStore:
        """See `Target`."""
        require("lancedb", "lancedb", "a store of LanceDB")
        return LanceDBStore(place, self)


@dataclass
class LanceDBStore(Store):
    """The tables items and users, with a column of vectors for each width."""

    options: LanceDBTarget
    name: ClassVar[str] = "lancedb"
    batch_rows: ClassVar[int] = 16_384

    _folder: StoreFolder = field(init=False, repr=False)
    _tables: dict[Side, Any] = field(init=False, repr=False, default_factory=dict)
    _last: dict[Side, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Name the folder; nothing is opened yet."""
        self._folder = StoreFolder(self.place)

    def load_metadata(self) -> dict[str, Any] | None:
        """See `Store`."""
        return self._folder.load_metadata()

    def save_metadata(self, metadata: StoreMetadata) -> None:
        """See `Store`."""
        self._folder.save_metadata(metadata.as_dict())

    def create(self, metadata: StoreMetadata) -> None:
        """See `Store`; tables are made when they are first used."""
        if metadata.layout.quantize is not None:
            raise OptionError(
                f"quantize must be left out for LanceDB, which scans 32-bit floats; got {metadata.layout.quantize}",
                option="quantize",
            )
        self.close()
        self._folder.clear()
        self._folder.save_metadata(metadata.as_dict())

    def read_rows(self, side: Side) -> Iterator[StoredRows]:
        """See `Store`."""
        kind = self.layout.side(side).id_type
        with self._mapping_errors():
            for batch in self._table(side).search().select([ID, FINGERPRINT]).to_batches():
                rows = batch.to_pydict()
                yield stored_rows(rows[ID], rows[FINGERPRINT], kind)

    def write(self, side: Side, rows: Rows) -> None:
        """See `Store`; one version of the table."""
        layout, ids = self.layout, rows.ids.tolist()
        with self._mapping_errors():
            table, new = self._table(side), make_table(rows, layout.side(side), layout)
            if side not in self._last and table.count_rows() == 0:
                self._last[side] = None
            if side in self._last and (self._last[side] is None or min(ids) > self._last[side]):
                table.add(new)  # ids that ascend, since the table was empty
                self._last[side] = max(ids)
            else:
                self._last.pop(side, None)
                table.merge_insert(ID).when_matched_update_all().when_not_matched_insert_all().execute(new)

    def delete(self, side: Side, ids: IdArray) -> None:
        """See `Store`."""
        self._last.pop(side, None)
        with self._mapping_errors():
            self._table(side).delete(condition(ids.tolist(), is_among=True))

    def build_index(self) -> None:
        """Build or complete the indexes, join small files, and remove old versions."""
        indexes = require("lancedb.index", "lancedb", "a store of LanceDB")
        with self._mapping_errors():
            for side in self.layout.sides:
                table = self._table(side)
                if table.count_rows():
                    there = {column for index in table.list_indices() for column in index.columns}
                    if ID not in there:
                        table.create_index(ID, config=indexes.BTree())
                    self._index_vectors(side, table, there)
                table.optimize(cleanup_older_than=_KEPT)

    def locked(self) -> AbstractContextManager[object]:
        """See `Store`."""
        return self._folder.locked()

    def find(self, query: Query) -> Answer:
        """See `Store`; one call for each stage, the ids of the one before in its condition."""
        where = condition(query.excluded, is_among=False)
        with self._mapping_errors():
            for number, stage in enumerate(query.stages[:-1]):
                found = self._search(query, stage, stage.limit, where, scan=number > 0 or query.exact)
                where = condition(found[ID].to_pylist(), is_among=True)
            last = query.stages[-1]
            scan = len(query.stages) > 1 or query.exact
            found = self._search(query, last, last.limit + _SPARE, where, scan=scan)
        vectors = found[vector_column(last.width)].combine_chunks().flatten().to_numpy().reshape(-1, last.width)
        scores = vectors @ query.vector[: last.width]
        best = np.argsort(-scores, kind="stable")[: last.limit].tolist()
        ids = found[ID].to_pylist()
        return Answer([ids[row] for row in best], scores[best].tolist())

    def close(self) -> None:
        """Forget the tables."""
        self._tables.clear()
        self._last.clear()

    def _search(self, query: Query, stage: Stage, limit: int, where: str, *, scan: bool) -> Any:
        """Return ids and vectors of a stage as an Arrow table."""
        column = vector_column(stage.width)
        found = self._table("items").search(query.prefix(stage), vector_column_name=column).distance_type("dot")
        if scan or self.options.n_lists is None:
            found = found.bypass_vector_index()
        else:
            found = found.nprobes(self.options.n_probes or max(1, self.options.n_lists // 4))
        return found.where(where, prefilter=True).limit(limit).select([ID, column, "_distance"]).to_arrow()

    def _index_vectors(self, side: Side, table: Any, there: set[str]) -> None:
        options, layout = self.options, self.layout
        if side != "items" or options.n_lists is None:
            return
        make = require("lancedb.index", "lancedb", "a store of LanceDB").IvfFlat
        for width in layout.widths[:-1] or layout.widths:
            if vector_column(width) not in there and table.count_rows() >= options.n_lists:
                config = make(distance_type="dot", num_partitions=options.n_lists)
                table.create_index(vector_column(width), config=config)

    def _table(self, side: Side) -> Any:
        """Return the open table of a side, made where it is missing."""
        if side not in self._tables:
            database = require("lancedb", "lancedb", "a store of LanceDB").connect(str(self._folder.path))
            schema = make_schema(self.layout.side(side), self.layout)
            if (self._folder.path / f"{side}.lance").exists():
                self._tables[side] = database.open_table(side)
            else:
                self._tables[side] = database.create_table(side, schema=schema)
        return self._tables[side]

    @contextmanager
    def _mapping_errors(self) -> Iterator[None]:
        try:
            yield
        except NestrecError:
            raise
        except Exception as error:
            raise StoreError(
                f"{self.place} cannot be used by LanceDB ({shorten_message(error)}); export to another folder, or "
                "again with overwrite=True",
                mentions=("overwrite=True",),
            ) from error
