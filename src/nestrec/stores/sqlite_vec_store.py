"""SQLite with the extension sqlite-vec: one database file in a folder, scanned by distance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from nestrec.data.ids import IdArray
from nestrec.data.readers.duckdb_connection import shorten_message
from nestrec.errors import NestrecError, OptionError, StoreError
from nestrec.export.exporters import Side
from nestrec.export.item_columns import FINGERPRINT, ID
from nestrec.extras import require
from nestrec.stores.folder import StoreFolder
from nestrec.stores.metadata import StoreMetadata
from nestrec.stores.requests import Query
from nestrec.stores.sqlite_vec_index import ROW, create_index_sql, lift_query, lift_rows, note_norms, table_name
from nestrec.stores.sqlite_vec_tables import (
    GREATEST_K,
    PRODUCT,
    count_neighbours,
    create_rows_sql,
    list_values,
    search_sql,
    upsert_sql,
)
from nestrec.stores.store import Answer, Rows, Store, StoredRows
from nestrec.stores.write_plan import stored_rows

FILE = "store.sqlite"
_READ_AT_ONCE = 20_000
_WAIT = 10_000  # milliseconds for another process's lock


@dataclass(frozen=True)
class SqliteVecTarget:
    """A folder with an SQLite database, whose vectors sqlite-vec scans."""

    name: ClassVar[str] = "sqlite-vec"

    def open(self, place: str) -> SqliteVecStore:
        """See `Target`."""
        for module in ("apsw", "sqlite_vec"):
            require(module, "sqlite-vec", "a store of sqlite-vec")
        return SqliteVecStore(place)


@dataclass
class SqliteVecStore(Store):
    """The file store.sqlite: tables items and users, and one of lifted vectors for each width; searches are exact."""

    name: ClassVar[str] = "sqlite-vec"
    batch_rows: ClassVar[int] = 10_000

    _folder: StoreFolder = field(init=False, repr=False)
    _opened: Any = field(init=False, repr=False, default=None)

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
        """See `Store`; the tables are made when they are first used."""
        if metadata.layout.quantize is not None:
            raise OptionError(
                f"quantize must be left out for sqlite-vec, whose lifted vectors are 32-bit floats; got "
                f"{metadata.layout.quantize}",
                option="quantize",
            )
        self.close()
        self._folder.clear()
        self._folder.save_metadata(metadata.as_dict())

    def read_rows(self, side: Side) -> Iterator[StoredRows]:
        """See `Store`."""
        kind = self.layout.side(side).id_type
        sql = f"SELECT {ROW}, {ID}, {FINGERPRINT} FROM {side} WHERE {ROW} > ? ORDER BY {ROW} LIMIT {_READ_AT_ONCE}"
        last = -(2**63)
        with self._mapping_errors() as connection:
            while rows := list(connection.execute(sql, (last,))):
                last = rows[-1][0]
                yield stored_rows([row[1] for row in rows], [row[2] for row in rows], kind)

    def write(self, side: Side, rows: Rows) -> None:
        """See `Store`; one transaction."""
        layout = self.layout
        with self._mapping_errors() as connection, connection:
            numbers = list(connection.executemany(upsert_sql(side, layout), list_values(rows)))
            if side == "items":
                note_norms(connection, rows.vectors, layout.widths)
                connection.executemany("INSERT OR IGNORE INTO not_lifted VALUES (?)", numbers)

    def delete(self, side: Side, ids: IdArray) -> None:
        """See `Store`; one transaction."""
        tables = [*map(table_name, self.layout.widths), "not_lifted"] if side == "items" else []
        with self._mapping_errors() as connection, connection:
            sql = f"DELETE FROM {side} WHERE {ID} IN (SELECT value FROM json_each(?)) RETURNING {ROW}"
            numbers = list(connection.execute(sql, (json.dumps(ids.tolist()),)))
            for table in tables:
                connection.executemany(f"DELETE FROM {table} WHERE {ROW} = ?", numbers)

    def build_index(self) -> None:
        """Lift the rows that were written; one transaction."""
        with self._mapping_errors() as connection, connection:
            if self.layout.items is not None:
                lift_rows(connection, self.layout.widths, self.layout.size)

    def locked(self) -> AbstractContextManager[object]:
        """See `Store`."""
        return self._folder.locked()

    def find(self, query: Query) -> Answer:
        """See `Store`; every search is exact."""
        first, n_excluded = query.stages[0], len(query.excluded)
        values: dict[str, Any] = {
            f"user_{stage.width}": query.vector[: stage.width].astype("<f4").tobytes() for stage in query.stages
        }
        values["excluded"] = json.dumps(query.excluded)
        with self._mapping_errors() as connection:
            n = count_neighbours(first, n_excluded)
            if n <= GREATEST_K:
                (norm,) = next(connection.execute("SELECT lifted FROM norms WHERE width = ?", (first.width,)))
                values |= {"lifted": lift_query(query.vector[: first.width], norm), "n": n}
            found = list(connection.execute(search_sql(query.stages, n_excluded), values))
        return Answer([row[0] for row in found], [row[1] for row in found])

    def close(self) -> None:
        """Close the database."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @contextmanager
    def _mapping_errors(self) -> Iterator[Any]:
        """Give the connection, and map its errors."""
        try:
            yield self._connect()
        except NestrecError:
            raise
        except require("apsw", "sqlite-vec", "a store of sqlite-vec").Error as error:
            raise StoreError(
                f"{self._folder.path / FILE} cannot be used by SQLite ({shorten_message(error)}); export to another "
                "folder, or again with overwrite=True",
                mentions=("overwrite=True",),
            ) from error

    def _connect(self) -> Any:
        """Open the database, with its tables made where it is new."""
        if self._opened is None:
            apsw = require("apsw", "sqlite-vec", "a store of sqlite-vec")
            layout, file = self.layout, self._folder.path / FILE
            connection = apsw.Connection(str(file))
            connection.set_busy_timeout(_WAIT)
            connection.enable_load_extension(enable=True)
            connection.load_extension(require("sqlite_vec", "sqlite-vec", "a store of sqlite-vec").loadable_path())
            connection.enable_load_extension(enable=False)
            connection.create_scalar_function(PRODUCT, _multiply, 2, deterministic=True)
            if not list(connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1")):
                with connection:
                    index = [] if layout.items is None else create_index_sql(layout.widths)
                    for statement in (*create_rows_sql(layout), *index):
                        connection.execute(statement)
            self._opened = connection
        return self._opened


def _multiply(vector: bytes, query: bytes) -> float:
    """Return the inner product of a query with the prefix of a vector that is as long."""
    other = np.frombuffer(query, dtype="<f4")
    return float(np.dot(np.frombuffer(vector, dtype="<f4", count=len(other)), other))
