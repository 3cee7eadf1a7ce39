"""Queries of the Parquet file of an item table, by DuckDB.

Conditions run on another connection than the file: one to a copy of their columns in memory, from which no file can be
reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from nestrec.arrays import Int32Array
from nestrec.data.ids import TEXT
from nestrec.data.readers.duckdb_connection import connect, quote_name, quote_text, shorten_message
from nestrec.errors import ModelFileError
from nestrec.item_table.conditions.sql import compile_condition
from nestrec.item_table.open_file import OpenFile

ROW = "file_row_number"  # DuckDB's own column of Parquet files: the item's index

_KEPT = 8  # answers to conditions, and copies of their columns

TextArray = npt.NDArray[Any]  # StringDType


class TableQueries:
    """Connections to one item table; threads may share them."""

    def __init__(self, file: OpenFile, columns: dict[str, str], n_items: int) -> None:
        self._file, self._columns, self._n_items = file, columns, n_items
        self._copies: dict[tuple[str, ...], duckdb.DuckDBPyConnection] = {}
        self._answers: dict[str, Int32Array] = {}
        self._lock = Lock()

    def read_texts(self, column: str, rows: npt.NDArray[np.integer]) -> dict[int, str | None]:
        """Return the values of a column, as text, of some rows, by row."""
        numbers = ", ".join(map(str, rows[rows >= 0].tolist())) or "-1"
        values = f"SELECT {ROW}, CAST({quote_name(column)} AS VARCHAR)"
        with self._query() as cursor:
            return dict(cursor.execute(f"{values} FROM {self._source} WHERE {ROW} IN ({numbers})").fetchall())

    def read_all_texts(self, column: str) -> TextArray:
        """Return the values of a column as text, empty where there is none, and empty text at the end, for row -1."""
        values = f"SELECT CAST({quote_name(column)} AS VARCHAR) AS value"
        with self._query() as cursor:
            found = cursor.execute(f"{values} FROM {self._source}").fetchnumpy()["value"]
        texts = np.ma.filled(found, "") if np.ma.isMaskedArray(found) else found
        return np.array([*texts.tolist(), ""], dtype=TEXT)

    def read_values(self, column: str, *, is_list: bool) -> tuple[Int32Array, TextArray]:
        """Return row and text of every value of a column, in the order of rows; those of lists one by one."""
        value = f"unnest({quote_name(column)})" if is_list else quote_name(column)
        every = f"SELECT {ROW} AS number, CAST({value} AS VARCHAR) AS value FROM {self._source}"
        with self._query() as cursor:
            found = cursor.execute(
                f"SELECT number, value FROM ({every}) WHERE value IS NOT NULL ORDER BY number, value"
            )
            columns = found.fetchnumpy()
        return np.asarray(columns["number"], dtype=np.int32), np.array(list(columns["value"]), dtype=TEXT)

    def select_rows(self, where: str) -> Int32Array:
        """Return the rows for which a condition holds, ascending; raise OptionError for what is not a condition."""
        found = self._answers.get(where) if isinstance(where, str) else None
        if found is not None:
            return found
        query = compile_condition(where, self._columns)
        with self._query():
            cursor = self._copy_columns(query.columns).cursor()
            result = cursor.execute(f"SELECT {ROW} FROM described WHERE {query.sql}", list(query.parameters))
            answer = np.sort(np.asarray(result.fetchnumpy()[ROW], dtype=np.int32))
        answer.setflags(write=False)
        with self._lock:
            _make_room(self._answers)
            self._answers[where] = answer
        return answer

    def count_values(self) -> dict[str, int]:
        """Return for each column how many rows have a value."""
        counts = ", ".join(f"count({quote_name(name)})" for name in self._columns)
        with self._query() as cursor:
            found = cursor.execute(f"SELECT {counts} FROM {self._source}").fetchall()[0]
        return dict(zip(self._columns, found, strict=True))

    def read_batches(self, n_rows: int) -> Iterator[dict[str, list[Any]]]:
        """Yield the columns of consecutive rows, in order, so many at a time."""
        names = ", ".join(map(quote_name, self._columns))
        with self._query() as cursor:
            result = cursor.execute(f"SELECT {names} FROM {self._source} ORDER BY {ROW}")
            while rows := result.fetchmany(n_rows):
                yield {name: list(values) for name, values in zip(self._columns, zip(*rows, strict=True), strict=True)}

    def stream(self, requested_schema: object) -> object:
        """Return all rows as an Arrow C stream."""
        names = ", ".join(map(quote_name, self._columns))
        with self._query() as cursor:
            return cursor.sql(f"SELECT {names} FROM {self._source}").__arrow_c_stream__(requested_schema)

    @property
    def _source(self) -> str:
        return f"read_parquet({quote_text(self._file.readable_path)}, {ROW} = true)"

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        """A connection to the file, which has the columns and rows that it should have."""
        connection = connect()
        described = connection.execute(f"DESCRIBE FROM {self._source}").fetchall()
        found = {row[0]: row[1] for row in described if row[0] != ROW}
        n_rows = connection.execute(f"SELECT count(*) FROM {self._source}").fetchall()[0][0]
        if found != self._columns or n_rows != self._n_items:
            raise ModelFileError(f"{self._file.path} does not fit its model; attach it again: nestrec items")
        return connection

    def _copy_columns(self, columns: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
        """Return a connection to columns in memory, from which no file can be reached."""
        with self._lock:
            if columns not in self._copies:
                names = "".join(f", {quote_name(name)}" for name in columns)
                connection = connect()
                connection.execute(f"CREATE TABLE described AS SELECT {ROW}{names} FROM {self._source}")
                connection.execute("SET enable_external_access = false")
                connection.execute("SET lock_configuration = true")
                _make_room(self._copies)
                self._copies[columns] = connection
            return self._copies[columns]

    @contextmanager
    def _query(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection to the file; raise ModelFileError where it cannot be read."""
        try:
            yield self._connection.cursor()
        except duckdb.Error as error:
            message = f"{self._file.path} cannot be read ({shorten_message(error)})"
            raise ModelFileError(f"{message}; attach the item table again: nestrec items") from error


def _make_room(kept: dict[Any, Any]) -> None:
    """Forget the oldest entries."""
    while len(kept) >= _KEPT:
        kept.pop(next(iter(kept)), None)
