"""ClickHouse in this process (chDB): tables in a folder, scanned by inner products."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nestrec.atomic.output_file import atomic_file
from nestrec.data.ids import IdArray
from nestrec.data.readers.duckdb_connection import shorten_message
from nestrec.errors import NestrecError, OptionError, StoreError
from nestrec.export.exporters import Side
from nestrec.export.item_columns import FINGERPRINT, ID, VECTOR
from nestrec.extras import require
from nestrec.stores.arrow_columns import make_column, make_vectors
from nestrec.stores.chdb_sql import DATABASE, create_table_sql, escape, id_type, list_sql, quote, search_sql
from nestrec.stores.folder import StoreFolder
from nestrec.stores.metadata import StoreMetadata
from nestrec.stores.requests import Query
from nestrec.stores.store import Answer, Rows, Store, StoredRows
from nestrec.stores.write_plan import stored_rows

_DATA = "clickhouse"  # folder of the engine
_READ_AT_ONCE = 50_000


@dataclass(frozen=True)
class ChDBTarget:
    """A folder of chDB, the engine of ClickHouse in this process; every search is a scan."""

    name: ClassVar[str] = "chdb"

    def open(self, place: str) -> ChDBStore:
        """See `Target`."""
        for module in ("chdb", "pyarrow"):
            require(module, "chdb", "a store of chDB")
        return ChDBStore(place)


@dataclass
class ChDBStore(Store):
    """The tables nestrec.items and nestrec.users."""

    name: ClassVar[str] = "chdb"
    batch_rows: ClassVar[int] = 16_384

    _folder: StoreFolder = field(init=False, repr=False)
    _session: Any = field(init=False, repr=False, default=None)
    _greatest: dict[Side, Any] = field(init=False, repr=False, default_factory=dict)

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
                f"quantize must be left out for chDB, which scans 32-bit floats; got {metadata.layout.quantize}",
                option="quantize",
            )
        self.close()
        self._folder.clear()
        self._folder.save_metadata(metadata.as_dict())

    def read_rows(self, side: Side) -> Iterator[StoredRows]:
        """See `Store`."""
        table, condition = self.layout.side(side), ""
        parameters: dict[str, Any] = {}
        while True:
            rows = self._query(
                f"SELECT {ID}, {FINGERPRINT} FROM {DATABASE}.{side} {condition} ORDER BY {ID} LIMIT {_READ_AT_ONCE}",
                parameters,
            )
            if not rows:
                return
            yield stored_rows([row[0] for row in rows], [row[1] for row in rows], table.id_type)
            condition, parameters = f"WHERE {ID} > {{last:{id_type(table)}}}", {"last": rows[-1][0]}

    def write(self, side: Side, rows: Rows) -> None:
        """See `Store`; earlier rows of the ids are deleted first, where there are any."""
        ids = rows.ids.tolist()
        if side not in self._greatest:
            ((n_rows, greatest),) = self._query(f"SELECT count(), max({ID}) FROM {DATABASE}.{side}")
            self._greatest[side] = greatest if n_rows else None
        greatest = self._greatest[side]
        if greatest is not None and min(ids) <= greatest:
            self._delete(side, rows.ids)
        self._insert(side, rows)
        self._greatest[side] = max(ids) if greatest is None else max(*ids, greatest)

    def delete(self, side: Side, ids: IdArray) -> None:
        """See `Store`."""
        self._delete(side, ids)

    def build_index(self) -> None:
        """Join the parts of the tables, and drop deleted rows."""
        for side in self.layout.sides:
            self._query(f"OPTIMIZE TABLE {DATABASE}.{side} FINAL")

    def locked(self) -> AbstractContextManager[object]:
        """See `Store`."""
        return self._folder.locked()

    def find(self, query: Query) -> Answer:
        """See `Store`; every search is exact."""
        kind = id_type(self.layout.side("items"))
        values: dict[str, Any] = {f"user_{stage.width}": query.prefix(stage) for stage in query.stages}
        found = self._query(search_sql(query.stages, kind), {**values, "excluded": json.dumps(query.excluded)})
        return Answer([row[0] for row in found], [row[1] for row in found])

    def close(self) -> None:
        """Close the engine; a process has one at a time."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._greatest.clear()

    def _delete(self, side: Side, ids: IdArray) -> None:
        kind = id_type(self.layout.side(side))
        sql = f"DELETE FROM {DATABASE}.{side} WHERE {ID} IN ({list_sql('ids', kind)})"
        self._query(sql, {"ids": json.dumps(ids.tolist())})

    def _insert(self, side: Side, rows: Rows) -> None:
        """Hand a batch over as a Parquet file."""
        arrow = require("pyarrow", "chdb", "a store of chDB")
        table, names = self.layout.side(side), [ID, FINGERPRINT, VECTOR, *rows.columns]
        arrays = [make_column(rows.ids.tolist(), table.id_type), arrow.array(rows.fingerprints)]
        arrays += [make_vectors(rows.vectors)]
        arrays += [make_column(values, table.columns[name]) for name, values in rows.columns.items()]
        columns = ", ".join(map(quote, names))
        with atomic_file(self._folder.path / "batch.parquet", overwrite=True) as partial:
            writer = require("pyarrow.parquet", "chdb", "a store of chDB")
            writer.write_table(arrow.Table.from_arrays(arrays, names=names), partial)
            self._query(
                f"INSERT INTO {DATABASE}.{side} ({columns}) SELECT {columns} FROM file({{file:String}}, 'Parquet')",
                {"file": str(partial.resolve())},
            )
        (self._folder.path / "batch.parquet").unlink()

    def _query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[list[Any]]:
        """Return the rows of a query."""
        with self._mapping_errors() as session:
            values = {
                name: escape(value) if isinstance(value, str) else value for name, value in (parameters or {}).items()
            }
            answer = session.query(sql, "JSONCompactEachRow", params=values)
            return [json.loads(line) for line in str(answer).split("\n") if line]

    @contextmanager
    def _mapping_errors(self) -> Iterator[Any]:
        try:
            yield self._connect()
        except NestrecError:
            raise
        except Exception as error:
            raise StoreError(
                f"{self.place} cannot be used by chDB ({shorten_message(error)}); close other stores of chDB in this "
                "process, or export to another folder"
            ) from error

    def _connect(self) -> Any:
        if self._session is None:
            layout = self.layout
            session = require("chdb.session", "chdb", "a store of chDB").Session(str(self._folder.path / _DATA))
            session.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
            for side in layout.sides:
                session.query(create_table_sql(side, layout.side(side)))
            self._session = session
        return self._session
