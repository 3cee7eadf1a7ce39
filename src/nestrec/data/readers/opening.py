"""From what the caller gave to the reader for it: by type, then by the file's name, then by its contents."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nestrec.data.read_options import FORMATS, ReadOptions
from nestrec.data.readers.adjacency import AdjacencyReader
from nestrec.data.readers.arrays import ArraysReader
from nestrec.data.readers.batch import Reader
from nestrec.data.readers.byte_source import ByteSource, as_stream
from nestrec.data.readers.columns import has_usual_names
from nestrec.data.readers.delimited import DelimitedReader
from nestrec.data.readers.json_lines import JsonLinesReader
from nestrec.data.readers.sparse import SparseReader
from nestrec.data.readers.tables import TableReader
from nestrec.errors import DataError, OptionError

_BY_EXTENSION = {
    "csv": "csv", "tsv": "tsv", "inter": "recbole", "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl",
    "parquet": "parquet", "pq": "parquet",
}  # fmt: skip
_ANY_TEXT = ("", "txt", "dat", "data", "text", "tab", "edges")
_PACKED = (".gz", ".zst")
_COLUMNS = ("user_column", "item_column", "rating_column", "timestamp_column")
_TEXT_ONLY = ("header", "delimiter", "quote")
_SEQUENCES = ("sequence", "sequence_separator")
_MEANINGLESS = {
    "adjacency": (*_COLUMNS, *_TEXT_ONLY, *_SEQUENCES, "min_rating", "keep_timestamps"),
    "jsonl": (*_TEXT_ONLY, *_SEQUENCES),
    "parquet": (*_TEXT_ONLY, *_SEQUENCES),
    "arrays": (*_TEXT_ONLY, *_SEQUENCES, "format"),
    "table": (*_TEXT_ONLY, *_SEQUENCES, "format"),
    "sparse": (*_COLUMNS, *_TEXT_ONLY, *_SEQUENCES, "format", "keep_timestamps"),
}
_SAMPLE_BYTES = 1 << 16


def open_reader(source: object, options: ReadOptions) -> tuple[Reader, str]:
    """Return the reader and the name to show for the source.

    Raises DataError where there is nothing to read, or not of a kind that can be.
    """
    if isinstance(source, (str, os.PathLike)):
        return _open_file(Path(source), options), os.fspath(source)
    name = f"{type(source).__module__.partition('.')[0]} {type(source).__name__}"
    if hasattr(source, "tocoo"):
        _refuse_options("sparse", options)
        return SparseReader(source), name
    if hasattr(source, "__arrow_c_stream__"):
        _refuse_options("table", options)
        return TableReader(source, name, options), name
    if isinstance(source, Mapping):
        _refuse_options("arrays", options)
        return ArraysReader(source, name, options), name
    raise DataError(
        f"interactions cannot be read from {name}; give a path, a scipy sparse matrix, a table that speaks the "
        "Arrow C stream (pandas, polars, pyarrow, duckdb), or a dictionary of columns"
    )


def _open_file(path: Path, options: ReadOptions) -> Reader:
    format_name = options.format or _format_by_name(path)
    if format_name == "parquet":
        _refuse_options(format_name, options)
        return _open_parquet(path, options)
    source = ByteSource(path)
    try:
        return _open_text(source, format_name or _format_by_contents(source.head(_SAMPLE_BYTES)), options)
    except BaseException:
        source.close()
        raise


def _open_text(source: ByteSource, format_name: str, options: ReadOptions) -> Reader:
    if source.head(4) == b"PAR1":
        raise DataError(f"{source.path} is a Parquet file read as {format_name}; give format='parquet'")
    _refuse_options(format_name, options)
    if format_name == "adjacency":
        return AdjacencyReader(source)
    if format_name == "jsonl":
        return JsonLinesReader(source, options)
    return DelimitedReader(source, options, format_name)


def _format_by_name(path: Path) -> str | None:
    """Return the format that the name tells, or None where any text may be in it."""
    bare = path.with_suffix("") if path.suffix.lower() in _PACKED else path
    extension = bare.suffix.lower().lstrip(".")
    if extension in _BY_EXTENSION:
        return _BY_EXTENSION[extension]
    if extension in _ANY_TEXT or not path.is_file():  # opening it tells why it is no file
        return None
    raise DataError(
        f"{path}: the extension .{extension} names no format that can be read; name the format, one of "
        f"{', '.join(FORMATS)}"
    )


def _format_by_contents(head: bytes) -> str:
    text = head.decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line.strip()]
    if len(head) == _SAMPLE_BYTES and len(lines) > 1:
        lines.pop()  # cut off
    if not lines:
        return "csv"
    if lines[0].lstrip().startswith("{"):
        return "jsonl"
    if ":token" in lines[0]:
        return "recbole"
    return "adjacency" if _looks_like_adjacency(lines[:100]) else "csv"


def _looks_like_adjacency(lines: list[str]) -> bool:
    """Tell adjacency from a table: nothing but blanks between tokens, and, with tabs, lines of unequal length."""
    if any(mark in line for line in lines for mark in (",", ";", "|", "::")) or has_usual_names(lines[0].split()):
        return False
    with_tabs = any("\t" in line for line in lines)
    return not with_tabs or len({len(line.split()) for line in lines}) > 1


def _open_parquet(path: Path, options: ReadOptions) -> Reader:
    source = ByteSource(path, recode=False)
    try:
        if not source.head(1):
            raise DataError(f"{path} is empty; give a Parquet file with columns of users and items")
        if not source.is_packed:
            return TableReader(path, str(path), options)
        folder = tempfile.TemporaryDirectory(prefix="nestrec-")  # the reader removes it
        unpacked = Path(folder.name) / "unpacked.parquet"
        with unpacked.open("wb") as file:
            shutil.copyfileobj(as_stream(source), file, 1 << 20)
        return TableReader(unpacked, str(path), options, folder)
    finally:
        source.close()


def _refuse_options(format_name: str, options: ReadOptions) -> None:
    """Raise OptionError where an option was given that the format knows nothing of; none is silently ignored."""
    defaults = ReadOptions()
    for option in _MEANINGLESS.get(format_name, ()):
        value = getattr(options, option)
        if value != getattr(defaults, option):
            raise OptionError(f"{option} {value!r} has no meaning for interactions read as {format_name}; leave it out")
