"""The ids of one column of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from tempfile import TemporaryDirectory

import duckdb

from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.columns import find_usual
from nestrec.data.readers.spooling import spool
from nestrec.data.readers.table_sources import VIEW, ParquetFiles, quoted
from nestrec.errors import DataError

_AT_ONCE = 1 << 16


def parquet_ids(source: ByteSource, role: str) -> Iterator[str]:
    """Yield the ids of the column with a usual name for the role, or of the only column, as text.

    Raises DataError where the file cannot be read, or which column is meant is unknown.
    """
    folders: list[TemporaryDirectory[str]] = []
    path = source.location.path
    if not source.is_plain_file:
        path, folder = spool(source)
        folders.append(folder)
    files = ParquetFiles([path], source.path, folders)
    with closing(files), duckdb.connect() as connection:
        try:
            connection.execute("SET enable_progress_bar = false")
            files.attach(connection)
            names = [row[0] for row in connection.execute(f"DESCRIBE {VIEW}").fetchall()]
            column = quoted(names[_place(names, role, source.path)])
            rows = connection.execute(f"SELECT CAST({column} AS VARCHAR) FROM {VIEW} WHERE {column} IS NOT NULL")
            while block := rows.fetchmany(_AT_ONCE):
                yield from (value for (value,) in block if value)
        except duckdb.Error as error:
            raise files.explain(error, "") from error


def _place(names: list[str], role: str, name: str) -> int:
    place = find_usual(names, role)
    if place is None and len(names) == 1:
        return 0
    if place is None:
        raise DataError(f"{name} has no column of {role}s among {', '.join(map(repr, names))}; name it {role}_id")
    return place
