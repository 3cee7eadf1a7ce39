"""Tables of SQLite databases, and Arrow files (Feather, IPC) through pyarrow where it is installed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.columns import find_columns
from nestrec.data.readers.rows import RowsReader
from nestrec.data.readers.table_sources import choose_table, quoted, words_of
from nestrec.data.readers.value_columns import ValueColumns
from nestrec.errors import DataError, MissingExtraError


def open_sqlite(
    path: Path, name: str, table: str | None, options: ReadOptions, folders: Sequence[TemporaryDirectory[str]] = ()
) -> RowsReader:
    """Return a reader of a table or view of a SQLite database, opened for reading only.

    Raises DataError where the database cannot be read or has no such table, or several and none is named.
    """
    try:
        connection = _connect(path)
    except sqlite3.Error as error:
        raise _unreadable(name, error) from error
    try:
        chosen = choose_table(name, _tables(connection), table)
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({quoted(chosen)})")]
        shown = f"{name}::{chosen}"
        places = find_columns(names, options, shown)
        columns = {role: names[place] for role, place in places.roles().items()}
        numbers = ValueColumns(places, names, options, shown)
        rows = _rows(connection, chosen, [names[place] for place in places.read().values()], shown)
    except sqlite3.Error as error:
        connection.close()
        raise _unreadable(name, error) from error
    except BaseException:
        connection.close()
        raise
    return RowsReader(rows, columns, numbers, format_name="sqlite", close=lambda: _close(connection, folders))


def _close(connection: sqlite3.Connection, folders: Sequence[TemporaryDirectory[str]]) -> None:
    connection.close()
    for folder in folders:
        folder.cleanup()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(os.fsencode(path.absolute()))}?mode=ro", uri=True)
    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")  # counted if it is no UTF-8
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
        "ORDER BY name"
    )
    return [name for (name,) in found]


def _rows(connection: sqlite3.Connection, table: str, columns: list[str], name: str) -> Iterator[tuple[Any, ...]]:
    try:
        yield from connection.execute(f"SELECT {', '.join(map(quoted, columns))} FROM {quoted(table)}")
    except (sqlite3.Error, MemoryError) as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(
        f"{name} cannot be read as a SQLite database ({words_of(error)}); check it with `sqlite3 FILE 'PRAGMA "
        "integrity_check'`, or export the table as CSV"
    )


class ArrowFile:
    """An Arrow file or stream on disk, as an object that speaks the Arrow C stream."""

    def __init__(self, path: Path, name: str) -> None:
        """Raise MissingExtraError where pyarrow is not installed, DataError where the file cannot be read."""
        try:
            import pyarrow as pa
            from pyarrow import ipc
        except ImportError as error:
            raise MissingExtraError(
                f"{name} is an Arrow file, which needs pyarrow to read: pip install pyarrow; or convert it to Parquet "
                "where pyarrow or polars is installed"
            ) from error
        self._arrow, self._name = pa, name
        with path.open("rb") as file:
            is_file = file.read(6) == b"ARROW1"
        try:
            self._memory = pa.memory_map(str(path))
            reader = ipc.open_file(self._memory) if is_file else ipc.open_stream(self._memory)
            self._schema = reader.schema
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._unreadable(error) from error
        self._batches: Callable[[], Iterator[Any]] = lambda: (
            (reader.get_batch(place) for place in range(reader.num_record_batches)) if is_file else iter(reader)
        )

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the stream of its batches, each of them validated, since the file may be damaged."""
        reader = self._arrow.RecordBatchReader.from_batches(self._schema, self._validated())
        return reader.__arrow_c_stream__(requested_schema)

    def _validated(self) -> Iterator[Any]:
        for batch in self._batches():
            batch.validate(full=True)
            yield batch

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(f"{self._name} is no Arrow file that can be read ({words_of(error)}); write or fetch it again")
