"""Parquet files, one or several as one table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.columns import find_usual
from nestrec.data.readers.duckdb_connection import connect, escape_path, quote_name, quote_text, shorten_message
from nestrec.data.readers.spooling import get_local_path
from nestrec.data.readers.tables import VIEW, TableReader, TableSource
from nestrec.errors import DataError

_AT_ONCE = 1 << 16  # ids


class ParquetFiles(TableSource):
    """One or more Parquet files of the same columns."""

    format = "parquet"

    def __init__(self, paths: Iterable[Path], name: str, resources: ExitStack, *, hive: bool = False) -> None:
        """Take over resources; `hive` adds columns named in the paths (`country=de/part-0.parquet`)."""
        super().__init__(name, resources)
        self._hive = hive
        self._patterns = [self._pattern(path) for path in paths]

    def attach(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """Create a view of the files; values of partitions stay text, so that leading zeros stay."""
        files = ", ".join(map(quote_text, self._patterns))
        options = f"hive_partitioning = {self._hive}" + (", hive_types_autocast = false" if self._hive else "")
        connection.execute(f"CREATE VIEW {VIEW} AS FROM read_parquet([{files}], {options})")
        row = connection.execute(f"SELECT count(*) FROM {VIEW}").fetchone()
        return row[0] if row else None

    def explain(self, error: Exception, where: str) -> DataError:
        """Return the error for a damaged file."""
        return _build_damage_error(self.name, where, f" ({shorten_message(error)})")

    def _pattern(self, path: Path) -> str:
        """Return what duckdb, which takes every path for a pattern, reads as this path and no other."""
        text = str(path.absolute())
        if "\\" in text or not _is_encodable(text):  # neither can be escaped
            link = Path(self.resources.enter_context(TemporaryDirectory(prefix="nestrec-"))) / "linked.parquet"
            link.symlink_to(path.absolute())
            text = str(link)
        return escape_path(text)


def open_parquet(source: ByteSource, options: ReadOptions) -> TableReader:
    """Return the reader of a Parquet file; raise DataError where it is none."""
    if source.format is None:
        if not source.head(1 << 17).strip():
            raise DataError(f"{source.path} is empty; give a Parquet file with columns of users and items")
        raise _build_damage_error(source.path)
    return open_parquet_files([source], source.path, options)


def open_parquet_files(
    sources: Iterable[ByteSource], name: str, options: ReadOptions, *, hive: bool = False
) -> TableReader:
    """Return the reader of Parquet files as one table; what is packed or a pipe is copied to a temporary file."""
    with ExitStack() as resources:
        paths = []
        for source in sources:
            with closing(source):
                paths.append(get_local_path(source, resources))
        files = ParquetFiles(paths, name, resources.pop_all(), hive=hive)
    return TableReader(files, options)


def read_parquet_ids(source: ByteSource, role: str) -> Iterator[str]:
    """Yield the ids of the column with a usual name for the role, or of the only column, as text.

    Raises DataError where the file cannot be read, or which column is meant is unknown.
    """
    with ExitStack() as resources:
        path = get_local_path(source, resources)
        files = ParquetFiles([path], source.path, resources.pop_all())
    with closing(files), connect() as connection:
        try:
            files.attach(connection)
            names = [row[0] for row in connection.execute(f"DESCRIBE {VIEW}").fetchall()]
            column = quote_name(names[_find_id_column(names, role, source.path)])
            rows = connection.execute(f"SELECT CAST({column} AS VARCHAR) FROM {VIEW} WHERE {column} IS NOT NULL")
            while block := rows.fetchmany(_AT_ONCE):
                yield from (value for (value,) in block if value)
        except duckdb.Error as error:
            raise files.explain(error, "") from error


def read_parquet_names(source: ByteSource) -> list[str]:
    """Return the names of the columns of a Parquet file; raise DataError where it cannot be read."""
    with ExitStack() as resources:
        path = get_local_path(source, resources)
        files = ParquetFiles([path], source.path, resources.pop_all())
    with closing(files), connect() as connection:
        try:
            files.attach(connection)
            return [row[0] for row in connection.execute(f"DESCRIBE {VIEW}").fetchall()]
        except duckdb.Error as error:
            raise files.explain(error, "") from error


def _find_id_column(names: list[str], role: str, name: str) -> int:
    place = find_usual(names, role)
    other = "item" if role == "user" else "user"
    if place is None and len(names) == 1 and find_usual(names, other) is None:
        return 0
    if place is None:
        raise DataError(f"{name} has no column of {role}s among {', '.join(map(repr, names))}; name it {role}_id")
    return place


def _build_damage_error(name: str, where: str = "", message: str = "") -> DataError:
    return DataError(
        f"{name} is no Parquet file that can be read{where}: it is damaged, cut off or of another kind{message}; "
        "write or fetch it again, or give format",
        mentions=("format",),
    )


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
