"""Load a table of items into DuckDB: from a file of any format of the reader, or from a table in Python."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from nestrec.data.formats import FORMATS, Format, find_by_extension
from nestrec.data.readers.arrow_files import ArrowFile, ArrowStream
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.databases import DuckDbTable, read_sqlite_table
from nestrec.data.readers.duckdb_connection import escape_path, quote_name, quote_text, shorten_message
from nestrec.data.readers.foreign_files import refuse_extension, refuse_stand_ins
from nestrec.data.readers.location import locate
from nestrec.data.readers.parquet import ParquetFiles
from nestrec.data.readers.spooling import copy_to_temporary_file, get_local_path
from nestrec.data.readers.tables import VIEW, TableSource
from nestrec.errors import DataError, OptionError

SOURCE = "source"  # name of the table
_NULLS = ("", "NULL", "null", "None", "NaN", "nan", "NA", "\\N")  # unquoted words of text that are missing values
_WAYS = "give a path, a table (pandas, polars, pyarrow, duckdb) or a dictionary of columns"
_HEAD = 4096


@dataclass(frozen=True)
class TextLayout:
    """How delimited text is read; None detects."""

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None

    def given(self) -> list[str]:
        """Return the names of the options that are given."""
        return [name for name, value in vars(self).items() if value is not None]


def load_source(connection: duckdb.DuckDBPyConnection, source: object, layout: TextLayout) -> str:
    """Create the table `SOURCE` of all rows in order; return the name of the source for messages.

    Raises DataError for what cannot be read.
    """
    if isinstance(source, (str, os.PathLike)):
        return _load_path(connection, source, layout)
    _refuse_layout(layout, "a table in Python")
    name = f"{type(source).__module__.partition('.')[0]} {type(source).__name__}"
    if hasattr(source, "iloc") and not _gives_arrow(source):
        source = _split_frame(source)
    if hasattr(source, "__arrow_c_stream__"):
        _create(connection, ArrowStream(source, name))
    elif isinstance(source, Mapping):
        _create_from_columns(connection, {str(key): _as_list(value) for key, value in source.items()}, name)
    else:
        raise DataError(f"an item table cannot be read from {name}; {_WAYS}")
    return name


def _load_path(connection: duckdb.DuckDBPyConnection, path: str | os.PathLike[str], layout: TextLayout) -> str:
    location = locate(path)
    if location.is_folder:
        raise DataError(f"{path} is a folder; name the file of the item table")
    with ExitStack() as resources:
        source = resources.enter_context(closing(ByteSource(location, layout.encoding)))
        kind = source.format or _choose_text_format(source)
        if kind.is_binary or kind.name == "jsonl":
            _refuse_layout(layout, f"{source.path}, which is read as {kind.name}", allowed=("encoding",))
        if kind.name == "sqlite":
            names, rows = read_sqlite_table(source)
            _create_from_columns(
                connection, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), source.path
            )
        elif kind.is_binary:
            _create(connection, _open_binary(source, kind, resources))
        else:
            _create(connection, _TextFile(source, kind, layout, resources))
        return source.path


def _choose_text_format(source: ByteSource) -> Format:
    head = source.head(_HEAD)
    refuse_stand_ins(source.path, head)
    if not head.strip():
        raise DataError(f"{source.path} is empty; give a table with a column of item ids")
    by_name = find_by_extension(source.extension)
    if by_name is not None and by_name.name in ("csv", "tsv", "jsonl"):
        return by_name
    refuse_extension(source.path, source.extension)
    return FORMATS["jsonl" if head.lstrip()[:1] in (b"{", b"[") else "csv"]


def _open_binary(source: ByteSource, kind: Format, resources: ExitStack) -> TableSource:
    path = get_local_path(source, resources)
    if kind.name == "parquet":
        return ParquetFiles([path], source.path, resources)
    if kind.name == "arrow":
        return ArrowStream(ArrowFile(path, source.path), source.path, "arrow")
    if kind.name == "duckdb":
        return DuckDbTable(path, str(source.location.path), source.location.member, ExitStack())
    raise DataError(f"{source.path} is read as {kind.name}, which holds no item table; convert it to CSV or Parquet")


class _TextFile(TableSource):
    """Delimited text or JSON, by DuckDB's own readers, all rows looked at for the types of columns."""

    def __init__(self, source: ByteSource, kind: Format, layout: TextLayout, resources: ExitStack) -> None:
        super().__init__(source.path, resources)
        self.format, self._layout = kind.name, layout
        plain = source.is_plain_file and layout.encoding is None and _begins_alike(source)
        self._path = source.location.path if plain else copy_to_temporary_file(source, resources)

    def attach(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """Create a view of the rows."""
        path = quote_text(escape_path(str(self._path.absolute())))
        if self.format == "jsonl":
            connection.execute(f"CREATE VIEW {VIEW} AS FROM read_json({path}, sample_size = -1)")
            return None
        options = {"sample_size": "-1", "nullstr": f"[{', '.join(map(quote_text, _NULLS))}]"}
        options["allow_quoted_nulls"] = "false"
        if self._layout.header is not None:
            options["header"] = str(self._layout.header).lower()
        delimiter = self._layout.delimiter or {"tsv": "\t"}.get(self.format)
        if delimiter is not None:
            options["delim"] = quote_text(delimiter)
        given = "".join(f", {name} = {value}" for name, value in options.items())
        connection.execute(f"CREATE VIEW {VIEW} AS FROM read_csv({path}{given})")
        return None

    def explain(self, error: Exception, where: str) -> DataError:
        """Return the error with DuckDB's message."""
        remedy = "check delimiter, encoding and header" if self.format != "jsonl" else "write one object per line"
        return DataError(
            f"{self.name} cannot be read as a table{where} ({shorten_message(error)}); {remedy}",
            mentions=("delimiter", "encoding", "header"),
        )


def _create(connection: duckdb.DuckDBPyConnection, source: TableSource) -> None:
    try:
        source.attach(connection)
        connection.execute(f"CREATE TEMP TABLE {SOURCE} AS FROM {VIEW}")
        _rename_row_ids(connection)
    except duckdb.Error as error:
        raise source.explain(error, "") from error


def _create_from_columns(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, list[Any]], name: str) -> None:
    """Create the table from columns of Python values."""
    lengths = {key: len(values) for key, values in columns.items()}
    if not lengths or len(set(lengths.values())) > 1:
        raise DataError(f"{name} must have columns of equal length, got {lengths or 'none'}")
    arrays = {f"c{place}": _as_objects(values) for place, values in enumerate(columns.values())}
    connection.register("given", arrays)
    names = ", ".join(f"c{place} AS {quote_name(key)}" for place, key in enumerate(columns))
    try:
        connection.execute(f"CREATE TEMP TABLE {SOURCE} AS SELECT {names} FROM given")
        _rename_row_ids(connection)
    except duckdb.Error as error:
        raise DataError(f"{name} cannot be read as a table ({shorten_message(error)}); {_WAYS}") from error


def _rename_row_ids(connection: duckdb.DuckDBPyConnection) -> None:
    """Rename a column `rowid`: it would hide the numbers of rows."""
    for name, *_ in connection.execute(f"DESCRIBE {SOURCE}").fetchall():
        if name.lower() == "rowid":
            connection.execute(f"ALTER TABLE {SOURCE} RENAME COLUMN {quote_name(name)} TO {quote_name(name + '_2')}")


def _as_objects(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = [None if isinstance(value, float) and np.isnan(value) else value for value in values]
    return array


def _as_list(values: object) -> list[Any]:
    if hasattr(values, "tolist"):
        found: Any = values.tolist()
        return list(found) if isinstance(found, list) else [found]
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes)):
        raise DataError(f"the columns of an item table must be lists of values, got {type(values).__name__}")
    return list(values)


def _split_frame(frame: Any) -> dict[str, Any]:
    return {str(column): frame[column] for column in frame.columns}


def _gives_arrow(frame: Any) -> bool:
    """Tell whether a DataFrame of pandas can be given as Arrow: not without pyarrow, nor with mixed types."""
    try:
        frame.__arrow_c_stream__()
    except Exception:
        return False
    return True


def _begins_alike(source: ByteSource) -> bool:
    """Tell whether the bytes of a file are read as they are, in UTF-8 and without a byte order mark."""
    with Path(source.location.path).open("rb") as file:
        return bytes(islice(file.read(64), 64)) == source.head(64)


def _refuse_layout(layout: TextLayout, what: str, allowed: tuple[str, ...] = ()) -> None:
    for name in layout.given():
        if name not in allowed:
            raise OptionError(f"{name} does not apply to {what}; leave it out", option=name)
