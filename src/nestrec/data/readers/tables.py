"""Parquet files, tables of DuckDB, and any Python table that speaks the Arrow C stream, in bounded memory."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import duckdb
import numpy as np

from nestrec.arrays import BoolArray, Float64Array, Int64Array
from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.ids import LARGEST_EXACT_FLOAT
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.arrow_stream import ArrowColumn, ArrowStreamError, arrow_batches
from nestrec.data.readers.batch import Batch
from nestrec.data.readers.duckdb_connection import connect, quote_name
from nestrec.data.readers.sequences import expand_sequences, split_sequences
from nestrec.data.readers.source_columns import UNUSED, SourceColumns
from nestrec.data.rejections import NO_ITEM, NO_USER, NOT_UTF8, Reason, RejectionLog
from nestrec.errors import DataError

_EXACT = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_TEXT_LIKE = {"UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM", "VARCHAR", "UUID", '"NULL"'}
_FLOATS = {"FLOAT", "DOUBLE"}
_LIST = re.compile(r"(.+)\[\d*\]\Z")
_NUMBERS = _EXACT | _FLOATS | {"BOOLEAN", "UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM"}  # and DECIMAL

VIEW = "interactions"


class TableSource(ABC):
    """A table that duckdb can read under the name `VIEW`."""

    format: str

    def __init__(self, name: str, resources: ExitStack | None = None) -> None:
        """Take the name that messages show, and what `close` frees."""
        self.name, self.resources = name, resources or ExitStack()

    @abstractmethod
    def attach(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """Make the table known; return its number of rows where that costs nothing."""

    @abstractmethod
    def explain(self, error: Exception, where: str) -> DataError:
        """Return the error to raise where reading failed; `where` is " after row N" or empty."""

    def close(self) -> None:
        """Free what is held."""
        self.resources.close()


class TableReader:
    """Columns of a table: ids as int64 or text, ratings and times as float64."""

    def __init__(self, source: TableSource, options: ReadOptions) -> None:
        """Open the source, and take it over.

        Raises DataError where it cannot be read or lacks the columns.
        """
        self.format, self._source, self._name = source.format, source, source.name
        self._connection = connect(options.n_threads, max(options.memory_limit_mb // 2, 64))
        self._row, self._n_rows = 0, None
        self._sequence, self._separator = options.sequence, options.sequence_separator
        self._sequence_is_text = options.sequence
        self.notes: list[str] = []
        try:
            self._n_rows = source.attach(self._connection)
            described = self._connection.execute(f"DESCRIBE {VIEW}").fetchall()
            names = [row[0] for row in described]
            self._types = [row[1] for row in described]
            self._columns = SourceColumns(names, options, self._name)
            self.columns, self._roles = self._columns.used, dict(self._columns.places)
            if UNUSED in self._roles and not self._is_number(self._roles[UNUSED]):
                del self._roles[UNUSED]
            self._query = self._build_sql(names)
        except (duckdb.Error, ArrowStreamError) as error:
            self.close()
            raise self._explain(error) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the connection and the source."""
        self._connection.close()
        self._source.close()

    def progress(self) -> tuple[int, int | None]:
        """Return rows read, and how many there are where that is known."""
        return self._row, self._n_rows

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield the usable rows, batch by batch as duckdb hands them out."""
        try:
            relation = self._connection.sql(self._query)
            for columns in arrow_batches(relation):
                yield self._check(dict(zip(self._roles, columns, strict=True)), rejections)
            self.notes += self._columns.notes()
        except (duckdb.Error, ArrowStreamError) as error:
            raise self._explain(error) from error

    def _check(self, columns: dict[str, ArrowColumn], rejections: RejectionLog) -> Batch:
        n_read = len(columns["user"].values)
        numbers = np.arange(self._row + 1, self._row + n_read + 1)  # of the rows, from 1
        self._row += n_read
        fine = np.ones(n_read, dtype=np.bool_)

        def reject(reason: Reason, column: ArrowColumn, good: BoolArray) -> None:
            """Clear `fine` where a value cannot be used."""
            if not good.all():
                rejections.reject_rows(reason, fine & ~good, lambda row: f"row {numbers[row]}", column.format_value)
                np.logical_and(fine, good, out=fine)

        for role, reason in (("user", NO_USER), ("item", NO_ITEM)):
            reject(reason, columns[role], _find_present(columns[role]))
        for role in ("user", "item"):  # text that is not binary was checked by duckdb
            values = columns[role].values
            if columns[role].is_binary and isinstance(values, TextIds) and fine.any():
                reject(NOT_UTF8, columns[role], values.are_utf8())
        items = columns["item"].values
        if self._sequence_is_text and isinstance(items, TextIds):
            _, cells = split_sequences(items, self._separator)
            reject(NO_ITEM, columns["item"], np.bincount(cells, minlength=n_read) > 0)
        parsed: dict[str, Float64Array] = {}
        for role in self._columns.roles:
            parsed[role] = self._parse(role, columns[role], numbers)
            reject(self._columns.reasons[role], columns[role], _find_present(columns[role], parsed[role]))
        if UNUSED in columns and self._columns.unused is not None:
            self._columns.unused.see(_fill_with_nan(columns[UNUSED]))
        whole = bool(fine.all())
        ids = {role: self._convert_ids(role, columns[role].values, fine, whole=whole) for role in ("user", "item")}
        kept: dict[str, Any] = {role: value if whole else value[fine] for role, value in parsed.items()}
        batch = Batch(
            ids["user"], ids["item"], kept.get("rating"), kept.get("timestamp"), kept.get("weight"), n_read,
            numbers=numbers if whole else numbers[fine],
        )  # fmt: skip
        return expand_sequences(batch, self._separator) if self._sequence_is_text else batch

    def _convert_ids(self, role: str, values: Any, fine: BoolArray, *, whole: bool) -> IdColumn:
        kept: Any = values if whole else values[fine]
        if isinstance(kept, TextIds) or kept.dtype == np.int64:
            result: IdColumn = kept
            return result
        bad = ~((kept == np.floor(kept)) & (np.abs(kept) < LARGEST_EXACT_FLOAT))
        if bad.any():
            value = kept[bad][0]
            raise DataError(
                f"{self._name}: column {self.columns[role]!r} must hold whole numbers or text, got the float {value}, "
                "which has decimals or is not below 2^53; store ids as whole numbers or text"
            )
        return np.asarray(kept).astype(np.int64)

    def _parse(self, role: str, column: ArrowColumn, numbers: Int64Array) -> Float64Array:
        """Return the values of a column, NaN where there is no number or time."""

        def place(row: int) -> str:
            return f"row {numbers[row]}"

        if isinstance(column.values, TextIds):
            return self._columns.parse_text(role, _fill_with_empty(column.values, column.present), place)
        values = _fill_with_nan(column)
        if role == "timestamp" and self._is_number(self._roles[role]):
            return self._columns.times.parse_numbers(values, place)
        return values

    def _is_number(self, place: int) -> bool:
        return self._types[place] in _NUMBERS or self._types[place].startswith("DECIMAL")

    def _build_sql(self, names: list[str]) -> str:
        """Return the query of exactly the needed columns, in the few types that `arrow_batches` knows."""
        parts = []
        for role, place in self._roles.items():
            column = quote_name(names[place])
            build = self._build_id_sql if role in ("user", "item") else self._build_value_sql
            parts.append(build(role, column, place))
        return f"SELECT {', '.join(parts)} FROM {VIEW}"

    def _build_id_sql(self, role: str, column: str, place: int) -> str:
        kind = self._types[place]
        if role == "item" and (listed := _LIST.match(kind)):
            if not self._sequence:
                raise DataError(
                    f"{self._name}: column {self.columns[role]!r} of type {kind} holds several items; read each "
                    "element as one interaction with sequence=True, or store one item a row",
                    mentions=("sequence=True",),
                )
            # An empty list gives one row without an item, which is counted as such.
            column, kind = _build_unnest_sql(column, listed[1]), listed[1]
            self._sequence_is_text = False
        if kind in _EXACT:
            return f"CAST({column} AS BIGINT) AS {role}_id"
        if kind in _FLOATS:
            return f"CAST({column} AS DOUBLE) AS {role}_id"
        if kind in _TEXT_LIKE or kind.startswith("ENUM"):
            return f"CAST({column} AS VARCHAR) AS {role}_id"
        if kind.startswith("DECIMAL"):  # exact: 12.00 is the whole number 12, and 12.50 is text
            return f"regexp_replace(CAST({column} AS VARCHAR), '\\.0+$', '') AS {role}_id"
        if kind == "BLOB":  # text that its writer did not declare as such
            return f"{column} AS {role}_id"
        raise DataError(
            f"{self._name}: column {self.columns[role]!r} of type {kind} cannot name {role}s; "
            "store ids as whole numbers or text"
        )

    def _build_value_sql(self, role: str, column: str, place: int) -> str:
        kind = self._types[place]
        if self._is_number(place):
            return f"CAST({column} AS DOUBLE) AS {role}_value"
        if kind == "VARCHAR" or kind.startswith("ENUM") or kind == '"NULL"':
            return f"CAST({column} AS VARCHAR) AS {role}_text"
        if role == "timestamp" and kind.startswith(("TIMESTAMP", "DATE")):
            self._columns.times.refuse_format(kind)
            return f"CAST(epoch({column}) AS DOUBLE) AS {role}_value"
        rule = f"{role}s must be numbers"
        if role == "timestamp":
            rule = "times must be timestamps, dates, numbers or text"
        raise DataError(
            f"{self._name}: column {self.columns[role]!r} has type {kind}; {rule}; name another {role}_column"
        )

    def _explain(self, error: Exception) -> DataError:
        if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error):
            return DataError(
                f"{self._name} needs more memory to read than memory_limit_mb allows; give more",
                mentions=("memory_limit_mb",),
            )
        return self._source.explain(error, f" after row {self._row:,}" if self._row else "")


def _build_unnest_sql(column: str, kind: str) -> str:
    elements = f"CAST({column} AS {kind}[])"
    return f"unnest(CASE WHEN len({elements}) > 0 THEN {elements} ELSE [NULL] END)"


def _find_present(column: ArrowColumn, parsed: Float64Array | None = None) -> BoolArray:
    """Return where a value is there: neither null nor empty text, NaN or infinite; `parsed` is what values say."""
    good = np.ones(len(column.values), dtype=np.bool_) if column.present is None else column.present.copy()
    if parsed is not None:
        good &= np.isfinite(parsed)
    elif isinstance(column.values, TextIds):
        good &= column.values.ends > column.values.starts
    elif column.values.dtype == np.float64:
        good &= np.isfinite(column.values)
    return good


def _fill_with_nan(column: ArrowColumn) -> Float64Array:
    """Return the numbers of a column, NaN where null; (n,)."""
    values: Float64Array = np.asarray(column.values)
    return values if column.present is None else np.where(column.present, values, np.nan)


def _fill_with_empty(texts: TextIds, present: BoolArray | None) -> TextIds:
    """Return the texts, empty where null."""
    if present is None:
        return texts
    return TextIds(texts.buffer, texts.starts, np.where(present, texts.ends, texts.starts))
