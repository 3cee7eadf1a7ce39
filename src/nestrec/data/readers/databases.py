"""Tables and views of SQLite and DuckDB databases, opened for reading only."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.duckdb_connection import quote_name, quote_text, shorten_message
from nestrec.data.readers.rows import RowsReader
from nestrec.data.readers.source_columns import SourceColumns
from nestrec.data.readers.spooling import get_local_path
from nestrec.data.readers.tables import VIEW, TableReader, TableSource
from nestrec.errors import DataError

_UNREADABLE = (
    sqlite3.Error,
    UnicodeDecodeError,
    MemoryError,
)  # sqlite3 fails to decode messages that quote other bytes


class DuckDbTable(TableSource):
    """A table or view of a DuckDB database."""

    format = "duckdb"

    def __init__(self, path: Path, name: str, table: str | None, resources: ExitStack) -> None:
        super().__init__(name if table is None else f"{name}::{table}", resources)
        self._path, self._path_name, self._table = path, name, table

    def attach(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """Attach the database and create a view of the table; without a name, of the only one."""
        connection.execute(f"ATTACH {quote_text(str(self._path.absolute()))} AS source_database (READ_ONLY)")
        rows = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source_database' UNION ALL "
            "SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = 'source_database' AND NOT internal"
        ).fetchall()
        tables = {f"{schema}.{table}" if schema != "main" else table: (schema, table) for schema, table in rows}
        schema, table = tables[choose_table(self._path_name, sorted(tables), self._table)]
        parts = ".".join(quote_name(part) for part in ("source_database", schema, table))
        connection.execute(f"CREATE VIEW {VIEW} AS FROM {parts}")
        return None

    def explain(self, error: Exception, where: str) -> DataError:
        """Return the error with duckdb's message."""
        return DataError(
            f"{self.name} cannot be read as a DuckDB database{where} ({shorten_message(error)}); close programs that "
            "write to it, or export the table as Parquet"
        )


def open_duckdb(source: ByteSource, options: ReadOptions) -> TableReader:
    """Return the reader of a table of a DuckDB database."""
    with ExitStack() as resources, closing(source):
        path = get_local_path(source, resources)
        table = DuckDbTable(path, str(source.location.path), source.location.member, resources.pop_all())
    return TableReader(table, options)


def open_sqlite(source: ByteSource, options: ReadOptions) -> RowsReader:
    """Return the reader of a table or view of a SQLite database.

    Raises DataError where the database cannot be read or has no such table, or several and none is named.
    """
    name = str(source.location.path)
    with ExitStack() as resources:
        with closing(source):
            path = get_local_path(source, resources)
        try:
            connection = resources.enter_context(closing(_connect(path)))
            table = choose_table(name, _list_tables(connection), source.location.member)
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({quote_name(table)})")]
        except _UNREADABLE as error:
            raise _unreadable(name, error) from error
        shown = f"{name}::{table}"
        columns = SourceColumns(names, options, shown)
        rows = _select(connection, table, [names[place] for place in columns.places.values()], shown)
        return RowsReader(rows, columns, format_name="sqlite", close=resources.pop_all().close)


def read_sqlite_table(source: ByteSource) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns and all rows of a table or view of a SQLite database; raises DataError as `open_sqlite`."""
    name = str(source.location.path)
    with ExitStack() as resources:
        path = get_local_path(source, resources)
        try:
            connection = resources.enter_context(closing(_connect(path)))
            table = choose_table(name, _list_tables(connection), source.location.member)
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({quote_name(table)})")]
        except _UNREADABLE as error:
            raise _unreadable(name, error) from error
        return names, list(_select(connection, table, names, f"{name}::{table}"))


def choose_table(path: str, tables: list[str], named: str | None) -> str:
    """Return the named table, or the only one.

    Raises DataError where there is no such table, or several and none is named.
    """
    if named is None and len(tables) == 1:
        return tables[0]
    if named is not None and named in tables:
        return named
    listed = ", ".join(tables[:12]) + (", …" if len(tables) > 12 else "")
    if not tables:
        raise DataError(f"{path} is a database without tables; give one with interactions")
    if named is None:
        raise DataError(f"{path} is a database of several tables ({listed}); name one, as {path}::{tables[0]}")
    raise DataError(f"{path} has no table {named!r}; its tables are {listed}")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(os.fsencode(path.absolute()))}?mode=ro", uri=True)
    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")  # rejected if it is no UTF-8
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _list_tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "ORDER BY name"
    )
    return [name for (name,) in found]


def _select(connection: sqlite3.Connection, table: str, columns: list[str], name: str) -> Iterator[tuple[Any, ...]]:
    try:
        yield from connection.execute(f"SELECT {', '.join(map(quote_name, columns))} FROM {quote_name(table)}")
    except _UNREADABLE as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(
        f"{name} cannot be read as a SQLite database ({shorten_message(error)}); check it with `sqlite3 FILE 'PRAGMA "
        "integrity_check'`, or export the table as CSV"
    )
