"""Write the parts of a split file: every row as in the file, with all of its columns.

Rows of delimited text are copied byte for byte, with the header, and so are JSON lines; an object of a JSON array, or
one that spans lines, becomes a line. Rows of Parquet are copied by duckdb, which streams them and converts between
formats. Adjacency text, and JSON that is converted, are written as the pairs they hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import duckdb
import numpy as np

from nestrec.atomic.output_file import atomic_file
from nestrec.data.file_split import LEFT_OUT, PARTS, Assignment
from nestrec.data.formats import FORMATS
from nestrec.data.id_index import TextIds
from nestrec.data.interactions import Interactions
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import read_usable_batches
from nestrec.data.readers.columns import normalize_name
from nestrec.data.readers.delimited import DelimitedReader
from nestrec.data.readers.duckdb_connection import connect, escape_path, quote_name, quote_text, shorten_message
from nestrec.data.readers.fields import NA_WORDS
from nestrec.data.readers.json_lines import JsonLinesReader
from nestrec.data.readers.open_reader import open_reader
from nestrec.data.readers.packing import EXTENSIONS
from nestrec.data.rejections import RejectionLog
from nestrec.errors import DataError, OutputError

DELIMITED = ("csv", "tsv", "recbole")


def choose_part_suffix(path: Path, format_name: str, to: str | None) -> str:
    """Return how the names of the parts end: as that of the file does, where its format is kept.

    >>> choose_part_suffix(Path("log.tsv.gz"), "tsv", None), choose_part_suffix(Path("log.tsv"), "tsv", "parquet")
    ('.tsv', '.parquet')
    """
    own = path.with_suffix("") if path.suffix.lower() in EXTENSIONS else path
    if to is not None or format_name == "parquet":
        return ".csv" if to == "csv" else ".parquet"
    if format_name == "jsonl":
        return own.suffix if own.suffix.lower() in (".jsonl", ".ndjson") else ".jsonl"
    if format_name in (*DELIMITED, "adjacency"):
        return own.suffix or f".{FORMATS[format_name].extensions[0] if FORMATS[format_name].extensions else 'txt'}"
    return ".csv"


def write_parts(
    path: str,
    assignment: Assignment,
    options: ReadOptions,
    places: Mapping[int, Path],
    to: str | None,
    *,
    overwrite: bool,
) -> None:
    """Write each part (code -> file). Raises OutputError where a file exists or cannot be written."""
    with ExitStack() as stack:
        files = {code: stack.enter_context(atomic_file(place, overwrite=overwrite)) for code, place in places.items()}
        if assignment.format == "parquet":
            _write_table_rows(path, _number_codes(path, assignment, options), files, to or "parquet")
        elif assignment.format in (*DELIMITED, "jsonl") and (
            to is None or _is_plain_csv(path, assignment, options, to)
        ):
            _copy_rows(path, assignment, options, files)
        elif assignment.format in DELIMITED:
            folder = stack.enter_context(TemporaryDirectory(prefix="nestrec-"))
            texts = {code: Path(folder) / PARTS[code] for code in files}
            reader = _copy_rows(path, assignment, options, texts, one_blank=True)
            assert isinstance(reader, DelimitedReader)
            _convert(texts, files, reader, to or "csv")
        else:
            _write_pairs(assignment, files, to)


def _is_plain_csv(path: str, assignment: Assignment, options: ReadOptions, to: str) -> bool:
    """Return whether the rows are those of CSV already."""
    if to != "csv" or assignment.format != "csv":
        return False
    reader, _ = _open_rows(path, options)
    with closing(reader):
        return isinstance(reader, DelimitedReader) and reader.delimiter == "," and reader.quote == '"'


def _copy_rows(
    path: str, assignment: Assignment, options: ReadOptions, files: Mapping[int, Path], *, one_blank: bool = False
) -> DelimitedReader | JsonLinesReader:
    """Copy rows as bytes, JSON objects one a line; return the reader, which knows the header.

    `one_blank` makes a run of blanks between fields a single one.
    """
    reader, name = _open_rows(path, options)
    header, delimiter = (reader.header, reader.delimiter) if isinstance(reader, DelimitedReader) else (b"", "")
    end = b"\r\n" if header.endswith(b"\r\n") else b"\n"
    tidy = _join_by_single_blanks if one_blank and delimiter == " " else bytes
    done = 0
    with closing(reader), ExitStack() as stack:
        outs: dict[int, BinaryIO] = {code: stack.enter_context(file.open("wb")) for code, file in files.items()}
        for out in outs.values():
            out.write(tidy(header.rstrip(b"\r\n")) + end if header else b"")
        for batch in read_usable_batches(reader, RejectionLog(name, strict=False)):
            assert batch.raw is not None
            codes = assignment.row_codes[done : done + len(batch.raw)]
            done += len(batch.raw)
            if len(codes) < len(batch.raw):
                break
            for code, out in outs.items():
                out.writelines(tidy(row) + end for row in _iterate_rows(batch.raw[codes == code]))
    _check_unchanged(name, done, assignment)
    return reader


def _open_rows(path: str, options: ReadOptions) -> tuple[DelimitedReader | JsonLinesReader, str]:
    """Open a file whose rows can be copied as they are."""
    reader, name = open_reader(path, options)
    if not isinstance(reader, (DelimitedReader, JsonLinesReader)):
        raise DataError(f"{name} cannot be split row by row; give a single file of text or Parquet")
    reader.keeps_rows = True
    return reader, name


def _iterate_rows(rows: TextIds) -> Iterator[bytes]:
    contents = rows.buffer.tobytes()
    for start, stop in zip(rows.starts.tolist(), rows.ends.tolist(), strict=True):
        yield contents[start:stop]


def _join_by_single_blanks(row: bytes) -> bytes:
    """Return the row with one blank between fields; a row with quotes, which may hold blanks, as it is."""
    return row if b'"' in row else b" ".join(row.split())


def _number_codes(path: str, assignment: Assignment, options: ReadOptions) -> np.ndarray[Any, Any]:
    """Return the part of every row of the file, those that the reader cannot use included."""
    reader, name = open_reader(path, options)
    parts = []
    with closing(reader):
        for batch in read_usable_batches(reader, RejectionLog(name, strict=False)):
            if batch.numbers is None:
                raise DataError(f"{name} cannot be split row by row; give a single Parquet file")
            parts.append(batch.numbers.copy())
    numbers = np.concatenate(parts)
    _check_unchanged(name, len(numbers), assignment)
    codes = np.full(assignment.report.n_rows, LEFT_OUT, dtype=np.uint8)
    codes[numbers - 1] = assignment.row_codes
    return codes


def _check_unchanged(name: str, n_rows: int, assignment: Assignment) -> None:
    if n_rows != len(assignment.row_codes):
        raise DataError(f"{name} changed while it was read; run the command again")


def _write_table_rows(path: str, codes: np.ndarray[Any, Any], files: Mapping[int, Path], to: str) -> None:
    with _database() as database:
        database.register("codes", {"code": codes})
        rows = f"read_parquet({quote_text(escape_path(path))})"
        for code, file in files.items():
            _copy_to(database, f"SELECT f.* FROM {rows} f POSITIONAL JOIN codes WHERE codes.code = {code}", file, to)


def _copy_to(database: duckdb.DuckDBPyConnection, query: str, file: Path, to: str) -> None:
    form = "(FORMAT parquet, COMPRESSION zstd)"
    if to == "csv":
        quoted = ", ".join(quote_name(name) for name in _columns_to_quote(database, query))
        form = f"(FORMAT csv, HEADER{f', FORCE_QUOTE ({quoted})' if quoted else ''})"
    database.execute(f"COPY ({query}) TO {quote_text(str(file))} {form}")


def _columns_to_quote(database: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """Return the columns of text that a reader would alter: missing-value words, blanks at an end."""
    described = database.execute(f"DESCRIBE {query}").fetchall()
    texts = [name for name, kind, *_ in described if kind == "VARCHAR"]
    if not texts:
        return []
    words = ", ".join(map(quote_text, NA_WORDS))
    tests = (f"bool_or({name} IN ({words}) OR {name} <> trim({name}))" for name in map(quote_name, texts))
    altered = database.execute(f"SELECT {', '.join(tests)} FROM ({query})").fetchone() or ()
    return [name for name, is_altered in zip(texts, altered, strict=True) if is_altered]


def _convert(texts: Mapping[int, Path], files: Mapping[int, Path], reader: DelimitedReader, to: str) -> None:
    """Write delimited text in another format, every column as text, so that ids stay as they are."""
    quote = quote_text(reader.quote or "")
    columns = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in map(normalize_name, reader.names))
    dialect = (
        f"header = {bool(reader.header)}, delim = {quote_text(reader.delimiter)}, quote = {quote}, escape = {quote}, "
        f"auto_detect = false, columns = {{{columns}}}"
    )
    for code, text in texts.items():
        with _database() as database:
            _copy_to(database, f"FROM read_csv({quote_text(str(text))}, {dialect})", files[code], to)


def _write_pairs(assignment: Assignment, files: Mapping[int, Path], to: str | None) -> None:
    for code, file in files.items():
        part = assignment.part(code)
        if assignment.format != "adjacency" or to is not None:
            _write_pair_table(part, file, to or "csv")
        else:
            with file.open("w", encoding="utf-8", newline="") as out:
                out.writelines(_adjacency_lines(part))


def _write_pair_table(part: Interactions, file: Path, to: str) -> None:
    users = np.repeat(part.users.ids, np.diff(part.indptr))
    columns: dict[str, Any] = {"user_id": users, "item_id": part.items.ids[part.indices]}
    columns = {name: ids.astype(object) if ids.dtype.kind == "T" else ids for name, ids in columns.items()}
    if part.timestamps is not None:
        columns["timestamp"] = part.timestamps
    with _database() as database:
        database.register("pairs", columns)
        _copy_to(database, "FROM pairs", file, to)


def _adjacency_lines(part: Interactions) -> Iterator[str]:
    users, items = part.users.ids.tolist(), part.items.ids.tolist()
    for row in np.flatnonzero(np.diff(part.indptr)).tolist():
        having = part.indices[part.indptr[row] : part.indptr[row + 1]].tolist()
        yield " ".join([str(users[row]), *(str(items[column]) for column in having)]) + "\n"


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as database:
        try:
            yield database
        except duckdb.Error as error:
            raise OutputError(
                f"the parts cannot be written ({shorten_message(error)}); choose another --out"
            ) from error
