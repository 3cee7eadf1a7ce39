"""What duckdb reads rows from: Parquet files, an Arrow C stream, a table of a DuckDB database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import duckdb

from nestrec.errors import DataError

VIEW = "interactions"
_LONGEST_WORDS = 300  # characters of another library's message
_NOT_WORDS = re.compile(
    r"^(?:[A-Z]\w+ )+(?:Error|Exception): "  # "Invalid Input Error: "
    r"|^reading the stream registered as '\w+' failed: "
    r"|\.? Detail: Python exception.*"
)


class TableSource(Protocol):
    """A table that duckdb can read under the name `VIEW`."""

    format: str
    name: str  # as messages show it

    def attach(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """Make the table known; return its number of rows where that costs nothing."""
        ...

    def explain(self, error: Exception, where: str) -> DataError:
        """Return the error to raise where reading failed; `where` is " after row N" or empty."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...


class ParquetFiles:
    """One or more Parquet files of the same columns."""

    format = "parquet"

    def __init__(
        self, paths: Sequence[Path], name: str, folders: Sequence[TemporaryDirectory[str]] = (), *, hive: bool = False
    ) -> None:
        """Take over temporary folders; `hive` adds columns named in the paths (`country=de/part-0.parquet`)."""
        self.name, self._hive = name, hive
        self._folders = list(folders)
        self._patterns = [self._pattern(path) for path in paths]

    def attach(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """Make a view of the files; values of partitions stay text, so that leading zeros stay."""
        files = ", ".join(_literal(pattern) for pattern in self._patterns)
        options = f"hive_partitioning = {self._hive}" + (", hive_types_autocast = false" if self._hive else "")
        connection.execute(f"CREATE VIEW {VIEW} AS FROM read_parquet([{files}], {options})")
        row = connection.execute(f"SELECT count(*) FROM {VIEW}").fetchone()
        return row[0] if row else None

    def explain(self, error: Exception, where: str) -> DataError:
        """Say that a file is damaged."""
        return DataError(
            f"{self.name} is no Parquet file that can be read{where}: it is damaged, cut off or of another kind "
            f"({words_of(error)}); write or fetch it again, or name the format"
        )

    def close(self) -> None:
        """Remove the temporary folders."""
        _remove(self._folders)

    def _pattern(self, path: Path) -> str:
        """Return what duckdb, which takes every path for a pattern, reads as this path and no other."""
        text = str(path.absolute())
        if "\\" in text or not _is_utf8(text):  # neither can be escaped
            folder = TemporaryDirectory(prefix="nestrec-")
            self._folders.append(folder)
            link = Path(folder.name) / "linked.parquet"
            link.symlink_to(path.absolute())
            text = str(link)
        return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


class ArrowStream:
    """A table that speaks the Arrow C stream."""

    def __init__(
        self, table: Any, name: str, format_name: str = "table", folders: Sequence[TemporaryDirectory[str]] = ()
    ) -> None:
        self.name, self.format = name, format_name
        self._table, self._folders = table, folders
        self._error: BaseException | None = None

    def attach(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """Register this object, which shows duckdb the stream and nothing of the table's own library."""
        connection.register(VIEW, self)
        return None

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the table's stream, and remember its maker's words where that fails."""
        try:
            return self._table.__arrow_c_stream__(requested_schema)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of polars is no Exception
            self._error = error
            raise RuntimeError(str(error)) from error

    def explain(self, error: Exception, where: str) -> DataError:
        """Give the words of the table's maker."""
        return DataError(
            f"{self.name} failed while its rows were read{where}: {words_of(self._error or error)}; "
            "check that it can be read to its end"
        )

    @property
    def failed(self) -> bool:
        """Tell whether the table could not give its stream."""
        return self._error is not None

    def close(self) -> None:
        """Let go of the table."""
        self._table = None
        _remove(self._folders)


class DuckDbTable:
    """A table or view of a DuckDB database, opened for reading only."""

    format = "duckdb"

    def __init__(
        self, path: Path, name: str, table: str | None, folders: Sequence[TemporaryDirectory[str]] = ()
    ) -> None:
        self._path, self._path_name, self._table, self._folders = path, name, table, folders
        self.name = name if table is None else f"{name}::{table}"

    def attach(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """Attach the database and make a view of the table; without a name, of the only one."""
        connection.execute(f"ATTACH {_literal(str(self._path.absolute()))} AS source_database (READ_ONLY)")
        rows = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source_database' UNION ALL "
            "SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = 'source_database' AND NOT internal"
        ).fetchall()
        tables = {f"{schema}.{table}" if schema != "main" else table: (schema, table) for schema, table in rows}
        schema, table = tables[choose_table(self._path_name, sorted(tables), self._table)]
        parts = ".".join(quoted(part) for part in ("source_database", schema, table))
        connection.execute(f"CREATE VIEW {VIEW} AS FROM {parts}")
        return None

    def explain(self, error: Exception, where: str) -> DataError:
        """Give duckdb's words."""
        return DataError(
            f"{self.name} cannot be read as a DuckDB database{where} ({words_of(error)}); close programs that write to "
            "it, or export the table as Parquet"
        )

    def close(self) -> None:
        """Remove the temporary folders."""
        _remove(self._folders)


def choose_table(path: str, tables: list[str], wanted: str | None) -> str:
    """Return the wanted table, or the only one.

    Raises DataError where there is no such table, or no wish and several tables.
    """
    if wanted is None and len(tables) == 1:
        return tables[0]
    if wanted is not None and wanted in tables:
        return wanted
    listed = ", ".join(tables[:12]) + (", …" if len(tables) > 12 else "")
    if not tables:
        raise DataError(f"{path} is a database without tables; give one with interactions")
    if wanted is None:
        raise DataError(f"{path} is a database of several tables ({listed}); name one, as {path}::{tables[0]}")
    raise DataError(f"{path} has no table {wanted!r}; its tables are {listed}")


def words_of(error: BaseException) -> str:
    """Return the first line of another library's message, not too long."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    while (shorter := _NOT_WORDS.sub("", text)) != text:
        text = shorter
    return text if len(text) <= _LONGEST_WORDS else text[:_LONGEST_WORDS] + "…"


def quoted(name: str) -> str:
    """Return the name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _remove(folders: Sequence[TemporaryDirectory[str]]) -> None:
    for folder in folders:
        folder.cleanup()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
