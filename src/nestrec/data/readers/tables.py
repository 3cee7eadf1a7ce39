"""Parquet files, and any Python table that speaks the Arrow C stream, through duckdb, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.ids import LARGEST_EXACT_FLOAT
from nestrec.data.ledger import BAD_RATING, BAD_TIME, NO_ITEM, NO_USER, Ledger, Reason
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.arrow_stream import ArrowColumn, ArrowStreamError, arrow_batches
from nestrec.data.readers.batch import Batch
from nestrec.data.readers.columns import find_columns
from nestrec.errors import DataError

_EXACT = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_TEXT_LIKE = {"UBIGINT", "HUGEINT", "UHUGEINT", "VARCHAR", "UUID", '"NULL"'}
_FLOATS = {"FLOAT", "DOUBLE"}
_NAME = "interactions"


class TableReader:
    """Columns of a table: ids as int64 or text, ratings and times as float64."""

    def __init__(
        self, source: object, name: str, options: ReadOptions, folder: TemporaryDirectory[str] | None = None
    ) -> None:
        """Open a Parquet file (a Path) or an object with `__arrow_c_stream__`; take over the temporary folder."""
        self.format, self._name = "parquet" if isinstance(source, Path) else "table", name
        self._folder = folder or TemporaryDirectory(prefix="nestrec-")
        self._connection = _connect(options, self._folder.name)
        self._row, self._n_rows = 0, None
        self.notes: list[str] = []
        try:
            if isinstance(source, Path):
                self._connection.from_parquet(str(source)).create_view(_NAME)
                self._n_rows = self._scalar(f"SELECT count(*) FROM {_NAME}")
            else:
                self._connection.register(_NAME, _StreamOnly(source))
            described = self._connection.execute(f"DESCRIBE {_NAME}").fetchall()
        except (duckdb.Error, ArrowStreamError) as error:
            self.close()
            raise self._unreadable(error) from error
        try:
            names = [row[0] for row in described]
            self._types = [row[1] for row in described]
            self._roles = find_columns(names, options, name).roles()
            self.columns = {role: names[place] for role, place in self._roles.items()}
            self._query = self._sql()
        except DataError:
            self.close()
            raise

    def close(self) -> None:
        """Free the connection and its temporary files."""
        self._connection.close()
        self._folder.cleanup()

    def progress(self) -> tuple[int, int | None]:
        """Return rows read, and how many there are where that is known."""
        return self._row, self._n_rows

    def batches(self, ledger: Ledger) -> Iterator[Batch]:
        """Yield the usable rows, batch by batch as duckdb hands them out."""
        try:
            relation = self._connection.sql(self._query)
            for columns in arrow_batches(relation.__arrow_c_stream__()):
                yield self._checked(dict(zip(self._roles, columns, strict=True)), ledger)
        except (duckdb.Error, ArrowStreamError) as error:
            raise self._unreadable(error) from error

    def _checked(self, columns: dict[str, ArrowColumn], ledger: Ledger) -> Batch:
        n_read = len(columns["user"].values)
        numbers = np.arange(self._row + 1, self._row + n_read + 1)  # of the rows, from 1
        self._row += n_read
        fine = np.ones(n_read, dtype=np.bool_)
        for role, reason in (("user", NO_USER), ("item", NO_ITEM), ("rating", BAD_RATING), ("timestamp", BAD_TIME)):
            if role in columns:
                _reject(columns[role], fine, numbers, reason, ledger)
        whole = bool(fine.all())
        ids = {role: self._ids(role, columns[role].values, fine, whole=whole) for role in ("user", "item")}
        values = {role: columns[role].values for role in ("rating", "timestamp") if role in columns}
        kept: dict[str, Any] = {role: value if whole else value[fine] for role, value in values.items()}
        return Batch(ids["user"], ids["item"], kept.get("rating"), kept.get("timestamp"), n_read)

    def _ids(self, role: str, values: Any, fine: npt.NDArray[np.bool_], *, whole: bool) -> IdColumn:
        kept: Any = values if whole else values[fine]
        if isinstance(kept, TextIds) or kept.dtype == np.int64:
            result: IdColumn = kept
            return result
        bad = ~((kept == np.floor(kept)) & (np.abs(kept) < LARGEST_EXACT_FLOAT))
        if bad.any():
            value = kept[bad][0]
            raise DataError(
                f"{self._name}: column {self.columns[role]!r} holds floats, and {value} is no whole number below "
                "2^53, so which id was meant is unknown; store ids as whole numbers or text"
            )
        return np.asarray(kept).astype(np.int64)

    def _sql(self) -> str:
        """Ask for exactly the columns needed, in the few types that `arrow_batches` knows."""
        parts = []
        for role, place in self._roles.items():
            column = _quoted(self.columns[role])
            parts.append(
                self._id_sql(role, column, place) if role in ("user", "item") else self._number_sql(role, column, place)
            )
        return f"SELECT {', '.join(parts)} FROM {_NAME}"

    def _id_sql(self, role: str, column: str, place: int) -> str:
        kind = self._types[place]
        if kind in _EXACT:
            return f"CAST({column} AS BIGINT) AS {role}_id"
        if kind in _FLOATS:
            return f"CAST({column} AS DOUBLE) AS {role}_id"
        if kind in _TEXT_LIKE or kind.startswith("ENUM"):
            return f"CAST({column} AS VARCHAR) AS {role}_id"
        raise DataError(
            f"{self._name}: column {self.columns[role]!r} of type {kind} cannot name {role}s; "
            "store ids as whole numbers or text"
        )

    def _number_sql(self, role: str, column: str, place: int) -> str:
        kind = self._types[place]
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"CAST(epoch({column}) AS DOUBLE) AS {role}_value"
        if role == "timestamp" and kind == "VARCHAR":
            seconds = f"epoch(TRY_CAST({column} AS TIMESTAMPTZ))"
            return f"CAST(coalesce(TRY_CAST({column} AS DOUBLE), {seconds}) AS DOUBLE) AS {role}_value"
        return f"TRY_CAST({column} AS DOUBLE) AS {role}_value"

    def _scalar(self, query: str) -> Any:
        row = self._connection.execute(query).fetchone()
        return row[0] if row else None

    def _unreadable(self, error: Exception) -> DataError:
        if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error):
            return DataError(f"{self._name} needs more memory to read than memory_limit_mb allows; give more")
        if self.format == "table":
            return DataError(f"{self._name} failed while its rows were read; check that it can be read to its end")
        where = f" after row {self._row:,}" if self._row else ""
        return DataError(
            f"{self._name} is no Parquet file that can be read{where}: it is damaged, cut off or of another kind; "
            "write or fetch it again, or name the format"
        )


class _StreamOnly:
    """Shows duckdb the Arrow C stream and nothing else, so that it needs no library of the table's maker."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def _connect(options: ReadOptions, folder: str) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": str(options.n_threads),
        "memory_limit": f"{max(options.memory_limit_mb // 2, 64)}MB",
        "temp_directory": folder,
        "TimeZone": "UTC",
        "autoinstall_known_extensions": "false",
    }
    # its progress would be drawn among the answers on standard output
    return duckdb.connect(config=config).execute("SET enable_progress_bar = false")


def _reject(
    column: ArrowColumn, fine: npt.NDArray[np.bool_], numbers: npt.NDArray[np.int64], reason: Reason, ledger: Ledger
) -> None:
    """Clear `fine` where the value is null, empty text, NaN or infinite."""
    good = np.ones(len(fine), dtype=np.bool_) if column.present is None else column.present.copy()
    if isinstance(column.values, TextIds):
        good &= column.values.ends > column.values.starts
    elif column.values.dtype == np.float64:
        good &= np.isfinite(column.values)
    if good.all():
        return
    bad = np.flatnonzero(fine & ~good)
    ledger.reject(reason, len(bad), ((f"row {numbers[row]}", _shown(column, row)) for row in bad.tolist()))
    fine &= good


def _shown(column: ArrowColumn, row: int) -> str:
    if column.present is not None and not column.present[row]:
        return "null"
    return column.values.at(row) if isinstance(column.values, TextIds) else str(column.values[row])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
