"""Parquet files in a folder, searched by DuckDB: the store without a server, an index or another dependency."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import duckdb

from nestrec.data.ids import IdArray
from nestrec.data.readers.duckdb_connection import connect, escape_path, quote_text, shorten_message
from nestrec.errors import OptionError, StoreError
from nestrec.export.exporters import Side
from nestrec.stores.duckdb_readme import write_readme
from nestrec.stores.duckdb_sql import search_sql
from nestrec.stores.folder import StoreFolder
from nestrec.stores.metadata import StoreMetadata
from nestrec.stores.parquet_rows import ParquetRows, RowsDatabase
from nestrec.stores.requests import Query
from nestrec.stores.store import Answer, Rows, Store, StoredRows


@dataclass(frozen=True)
class DuckDBTarget:
    """A folder of `items.parquet` and `users.parquet`, a README and SQL for DuckDB.

    >>> DuckDBTarget().open("shop").place
    'shop'
    """

    name: ClassVar[str] = "duckdb"

    def open(self, place: str) -> DuckDBStore:
        """See `Target`."""
        return DuckDBStore(place)


@dataclass
class DuckDBStore(Store):
    """Parquet files that DuckDB scans; every search is exact."""

    name: ClassVar[str] = "duckdb"
    batch_rows: ClassVar[int] = 32_768

    _folder: StoreFolder = field(init=False, repr=False)
    _rows_database: RowsDatabase = field(init=False, repr=False, default_factory=RowsDatabase)

    def __post_init__(self) -> None:
        """Name the folder; nothing is read yet."""
        self._folder = StoreFolder(self.place)

    def load_metadata(self) -> dict[str, Any] | None:
        """See `Store`."""
        return self._folder.load_metadata()

    def save_metadata(self, metadata: StoreMetadata) -> None:
        """See `Store`; the README and the SQL name the operating point, and are written with it."""
        if metadata.writing is None:
            write_readme(self._folder.path, metadata)
        self._folder.save_metadata(metadata.as_dict())

    def create(self, metadata: StoreMetadata) -> None:
        """See `Store`."""
        if metadata.layout.quantize is not None:
            raise OptionError(
                f"quantize must be left out for duckdb, which has 32-bit floats; got {metadata.layout.quantize}",
                option="quantize",
            )
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
        """Join the parts to one file for each side."""
        for side in self.layout.sides:
            self._rows(side).compact()

    def locked(self) -> AbstractContextManager[object]:
        """See `Store`."""
        return self._folder.locked()

    def find(self, query: Query) -> Answer:
        """See `Store`."""
        file = quote_text(escape_path(str(self._folder.path / "items.parquet")))
        sql, parameters = search_sql(query.stages, f"read_parquet({file})", query.metadata.layout.side("items").id_type)
        values = {name: query.prefix(stage) for name, stage in parameters.items()}
        try:
            found = self._database.execute(sql, {**values, "excluded": query.excluded}).fetchall()
        except duckdb.Error as error:
            raise StoreError(f"{self.place} cannot be searched ({shorten_message(error)}); export it again") from error
        return Answer([row[0] for row in found], [row[1] for row in found])

    def close(self) -> None:
        """Close the connections."""
        self._rows_database.close()
        if "_database" in self.__dict__:
            self._database.close()
            del self.__dict__["_database"]

    @cached_property
    def _database(self) -> Any:
        return connect()

    def _rows(self, side: Side) -> ParquetRows:
        return ParquetRows(self._folder.path, side, self.layout, self._rows_database)
