"""From what the caller gave to the reader for it: by type, then by the file's name, then by its contents."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from nestrec.data.read_options import FORMATS, ReadOptions
from nestrec.data.readers.adjacency import AdjacencyReader
from nestrec.data.readers.batch import Reader
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.databases import ArrowFile, open_sqlite
from nestrec.data.readers.delimited import DelimitedReader
from nestrec.data.readers.file_kinds import refuse_extension
from nestrec.data.readers.folders import files_in, has_partitions
from nestrec.data.readers.json_lines import JsonLinesReader
from nestrec.data.readers.location import Location, locate
from nestrec.data.readers.objects import kind_of, name_of, open_object
from nestrec.data.readers.several import SeveralReader
from nestrec.data.readers.spooling import spool
from nestrec.data.readers.table_sources import ArrowStream, DuckDbTable, ParquetFiles
from nestrec.data.readers.tables import TableReader
from nestrec.data.readers.text_format import detect_text_format, refuse_stand_ins
from nestrec.errors import DataError, OptionError

_BY_EXTENSION = {
    "csv": "csv", "tsv": "tsv", "inter": "recbole", "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl",
    "parquet": "parquet", "pq": "parquet",
}  # fmt: skip
_ANY_TEXT = ("", "txt", "dat", "data", "text", "tab", "edges")
_COLUMNS = ("user_column", "item_column", "rating_column", "timestamp_column")
_DELIMITED_ONLY = ("header", "delimiter", "quote", "na_values")
_TEXT_ONLY = (*_DELIMITED_ONLY, "encoding")
_SEQUENCES = ("sequence", "sequence_separator")
_MEANINGLESS = {
    "adjacency": (*_COLUMNS, *_DELIMITED_ONLY, *_SEQUENCES, "min_rating", "repeats", "keep_timestamps", "time_format"),
    "jsonl": _DELIMITED_ONLY,
    "parquet": _TEXT_ONLY,
    "sqlite": (*_TEXT_ONLY, *_SEQUENCES, "format"),
    "duckdb": (*_TEXT_ONLY, "format"),
    "arrow": (*_TEXT_ONLY, "format"),
    "arrays": (*_TEXT_ONLY, *_SEQUENCES, "format"),
    "rows": (*_TEXT_ONLY, *_SEQUENCES, "format"),
    "table": (*_TEXT_ONLY, "format"),
    "sparse": (*_COLUMNS, *_TEXT_ONLY, *_SEQUENCES, "format", "keep_timestamps", "time_format"),
}
_SAMPLE_BYTES = 1 << 17
_SHOWN = 5  # files that a note names


def open_reader(source: object, options: ReadOptions) -> tuple[Reader, str]:
    """Return the reader and the name to show for the source.

    Raises DataError where there is nothing to read, or not of a kind that can be.
    """
    if isinstance(source, (str, os.PathLike)):
        return _open_path(locate(source), options)
    if isinstance(source, Sequence) and source and all(isinstance(part, (str, os.PathLike)) for part in source):
        return _open_several([locate(part) for part in source], options)
    kind = kind_of(source)
    _refuse_options(kind, options)
    return open_object(source, kind, options), name_of(source)


def _open_path(location: Location, options: ReadOptions) -> tuple[Reader, str]:
    if location.is_folder:
        return _open_several([location], options)
    return _reader_of(ByteSource(location, options.encoding), options), location.name


def _open_several(locations: list[Location], options: ReadOptions) -> tuple[Reader, str]:
    """Open files and the files of folders as one source."""
    if sum(location.is_standard_input for location in locations) > 1:
        raise DataError("standard input can be read once only; name it once")
    files: list[Location] = []
    partitions = False
    for location in locations:
        if not location.is_folder:
            files.append(location)
            continue
        inside = files_in(location.path)
        partitions |= has_partitions(location.path, inside)
        files += [Location(path) for path in inside]
    if len(files) == 1 and not partitions:
        return _reader_of(ByteSource(files[0], options.encoding), options), files[0].name
    name = _name_of(locations, files)
    reader = _open_files(files, name, options, partitions=partitions)
    shown = ", ".join(file.name for file in files[:_SHOWN]) + (", …" if len(files) > _SHOWN else "")
    reader.notes.insert(0, f"{len(files):,} file{'' if len(files) == 1 else 's'} read as one: {shown}")
    return reader, name


def _name_of(locations: list[Location], files: list[Location]) -> str:
    first = locations[0].name
    if len(locations) == 1:
        return f"{first} ({len(files):,} file{'' if len(files) == 1 else 's'})"
    return f"{first} and {len(locations) - 1:,} more ({len(files):,} files)"


def _open_files(files: list[Location], name: str, options: ReadOptions, *, partitions: bool) -> Reader:
    first = ByteSource(files[0], options.encoding)
    if first.kind == "parquet":
        return _open_parquet(first, files[1:], name, options, hive=partitions)
    openers: list[Callable[[], Reader | None]] = [lambda: _reader_unless_empty(first, options)]
    openers += [_opener(file, options) for file in files[1:]]
    return SeveralReader([file.name for file in files], openers, [_size(file) for file in files])


def _opener(file: Location, options: ReadOptions) -> Callable[[], Reader | None]:
    return lambda: _reader_unless_empty(ByteSource(file, options.encoding), options)


def _reader_unless_empty(source: ByteSource, options: ReadOptions) -> Reader | None:
    if source.head(1):
        return _reader_of(source, options)
    source.close()
    return None


def _size(file: Location) -> int | None:
    return file.path.stat().st_size if not file.is_standard_input and file.path.is_file() else None


def _reader_of(source: ByteSource, options: ReadOptions) -> Reader:
    """Return the reader of an opened file, which it takes over."""
    try:
        if source.kind is None:
            head = source.head(_SAMPLE_BYTES)
            refuse_stand_ins(source.path, head)
            format_name = options.format or _format_by_name(source)
            if format_name is None:
                format_name = detect_text_format(head, len(head) < _SAMPLE_BYTES, options, source.path)
            return _open_text(source, format_name, options)
        if source.kind == "parquet":
            return _open_parquet(source, [], source.path, options)
        return _open_database(source, source.kind, options)
    except BaseException:
        source.close()
        raise


def _open_text(source: ByteSource, format_name: str, options: ReadOptions) -> Reader:
    _refuse_options(format_name, options)
    if format_name == "parquet":
        if not source.head(_SAMPLE_BYTES).strip():
            raise DataError(f"{source.path} is empty; give a Parquet file with columns of users and items")
        raise DataError(
            f"{source.path} is no Parquet file that can be read: it is damaged, cut off or of another kind; "
            "write or fetch it again, or name the format"
        )
    if format_name == "adjacency":
        return AdjacencyReader(source)
    if format_name == "jsonl":
        return JsonLinesReader(source, options)
    return DelimitedReader(source, options, format_name)


def _format_by_name(source: ByteSource) -> str | None:
    """Return the format that the name tells, or None where any text may be in it."""
    extension = source.data_path.suffix.lower().lstrip(".")
    if extension in _BY_EXTENSION:
        return _BY_EXTENSION[extension]
    if extension in _ANY_TEXT or not source.is_regular or not source.head(1):
        return None
    refuse_extension(source.path, extension)
    raise DataError(
        f"{source.path}: the extension .{extension} names no format that can be read; name the format, one of "
        f"{', '.join(FORMATS)}"
    )


def _open_parquet(
    first: ByteSource, rest: list[Location], name: str, options: ReadOptions, *, hive: bool = False
) -> Reader:
    """Open Parquet files as one table; what is packed or a pipe is copied to a temporary file."""
    if options.format not in (None, "parquet") or _is_named_otherwise(first):
        first.close()
        other = options.format or first.data_path.suffix.lstrip(".")
        raise DataError(f"{first.path} is a Parquet file read as {other}; give format='parquet'")
    _refuse_options("parquet", options)
    paths: list[Path] = []
    folders: list[TemporaryDirectory[str]] = []
    try:
        for source in chain([first], map(ByteSource, rest)):
            with closing(source):
                _check_parquet(source, first)
                paths.append(_plain_path(source, folders))
        return TableReader(ParquetFiles(paths, name, folders, hive=hive), options)
    except BaseException:
        for folder in folders:
            folder.cleanup()
        raise


def _check_parquet(source: ByteSource, first: ByteSource) -> None:
    if source.kind != "parquet":
        raise DataError(f"{source.path} is no Parquet file, and {first.path} is one; give files of one format")


def _is_named_otherwise(source: ByteSource) -> bool:
    return _BY_EXTENSION.get(source.data_path.suffix.lower().lstrip("."), "parquet") != "parquet"


def _open_database(source: ByteSource, kind: str, options: ReadOptions) -> Reader:
    """Open a table of a database, or an Arrow file."""
    if options.format is not None:
        raise DataError(f"{source.path} is read as {kind} by its contents, not as {options.format}; leave out format")
    _refuse_options(kind, options)
    folders: list[TemporaryDirectory[str]] = []
    with closing(source):
        path, member = _plain_path(source, folders), source.location.member
    try:
        name = str(source.location.path)
        if kind == "sqlite":
            return open_sqlite(path, name, member, options, folders)
        if kind == "duckdb":
            return TableReader(DuckDbTable(path, name, member, folders), options)
        return TableReader(ArrowStream(ArrowFile(path, source.path), source.path, "arrow", folders), options)
    except BaseException:
        for folder in folders:
            folder.cleanup()
        raise


def _plain_path(source: ByteSource, folders: list[TemporaryDirectory[str]]) -> Path:
    """Return a path of the bytes themselves; a temporary folder made for them joins `folders`."""
    if source.is_plain_file:
        return source.location.path
    path, folder = spool(source)
    folders.append(folder)
    return path


def _refuse_options(format_name: str, options: ReadOptions) -> None:
    """Raise OptionError where an option was given that the format knows nothing of; none is silently ignored."""
    defaults = ReadOptions()
    for option in _MEANINGLESS.get(format_name, ()):
        value = getattr(options, option)
        if value != getattr(defaults, option):
            raise OptionError(f"{option} {value!r} has no meaning for interactions read as {format_name}; leave it out")
