"""The top of delimited text: comments, Excel's `sep=;`, the delimiter, whether fields are quoted, and the first row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nestrec.arrays import UInt8Array
from nestrec.data.read_options import ReadOptions
from nestrec.data.read_report import format_count
from nestrec.data.readers.blocks import Blocks
from nestrec.data.readers.columns import has_positions, has_usual_names
from nestrec.errors import DataError
from nestrec.kernels.data import delimited_rows as kernel

DELIMITERS = ("::", "\t", ",", ";", "|")
_LINE = re.compile(rb"[^\r\n]+")
_EXCEL_SEPARATOR = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=([^\w"\x80-\xff])"?\s*\Z', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How lines are split into fields."""

    delimiter: str  # one or two characters; a blank stands for any run of blanks and tabs
    quote: str | None

    @property
    def separator(self) -> UInt8Array:
        """Return the bytes of the delimiter."""
        return np.frombuffer(self.delimiter.encode("ascii"), dtype=np.uint8)

    @property
    def quote_byte(self) -> int:
        """Return the byte of the quote, or -1."""
        return -1 if self.quote is None else ord(self.quote)


@dataclass(frozen=True)
class FirstRow:
    """The first row after comments, and how to read the rows."""

    dialect: Dialect
    fields: list[bytes]
    named: bool  # the fields name the columns
    rows_at: int  # bytes before the first row of data
    line: int  # number of the line there
    notes: list[str] = field(default_factory=list)

    def names(self, source: str) -> list[str]:
        """Return the names of the columns, or, where there are none, what stands in the first row.

        Raises DataError where names are not UTF-8.
        """
        if not self.named:
            return [name.decode("utf-8", "replace") for name in self.fields]
        try:
            return [name.decode("utf-8") for name in self.fields]
        except UnicodeDecodeError as error:
            raise DataError(
                f"{source}, line {self.line - 1}: the first line is not UTF-8 text ({error.reason}); save the file as "
                "UTF-8, give its encoding, or give format if it is not text",
                mentions=("format",),
            ) from error


@dataclass(frozen=True)
class _Line:
    text: bytes
    start: int
    number: int


def read_first_row(blocks: Blocks, options: ReadOptions, format_name: str, source: str) -> FirstRow:
    """Return the first row of the file, without consuming anything.

    Raises DataError where there is none, or it is longer than a row may be.
    """
    top = blocks.buffer[: min(blocks.end, blocks.longest_row)].tobytes()
    lines = _iterate_lines(top)
    line = next(lines, None)
    if line is None:
        raise DataError(f"{source} is empty; give a file with a header and rows of interactions")
    delimiter = options.delimiter
    if excel := _EXCEL_SEPARATOR.match(line.text):
        delimiter = delimiter or excel[1].decode("latin-1")
        line = next(lines, None)
        if line is None:
            raise DataError(f"{source} has no rows of interactions (a header at most); give a file with data")
    comments: list[_Line] = []
    while line.text.lstrip(b" ").startswith((b"#", b"%")) and (following := next(lines, None)):
        comments.append(line)
        line = following
    delimiter = delimiter or detect_delimiter(line.text.decode("utf-8", "replace"), format_name)
    return _read_after_comments(blocks, options, format_name, source, delimiter, comments, line)


def _read_after_comments(
    blocks: Blocks,
    options: ReadOptions,
    format_name: str,
    source: str,
    delimiter: str,
    comments: list[_Line],
    line: _Line,
) -> FirstRow:
    """Take a line that begins as a comment for one only where it has other fields than the rows have."""
    n_fields = _count_fields(line.text, delimiter)
    rows = [comment for comment in comments if _count_fields(comment.text, delimiter) == n_fields]
    if rows:
        line = rows[0]
        comments = [comment for comment in comments if comment.number < line.number]
    dialect = Dialect(delimiter, _choose_quote(options, format_name, delimiter, line.text))
    names = _parse_commented_names(comments, dialect, n_fields) if options.header is not False else None
    n_comments = len(comments) if names is None else len(comments) - 1
    notes = [f"{format_count(n_comments, 'comment line')} at the top passed over"] if n_comments else []
    if names is not None:
        return FirstRow(dialect, names, named=True, rows_at=line.start, line=line.number, notes=notes)
    fields, consumed, next_line = _split_first(blocks, line, dialect, source)
    named = _is_header(fields, options)
    at, number = (consumed, next_line) if named else (line.start, line.number)
    return FirstRow(dialect, fields, named, at, number, notes)


def _iterate_lines(top: bytes) -> Iterator[_Line]:
    """Yield the lines that hold more than blanks."""
    place, number = 0, 1
    for match in _LINE.finditer(top):
        between = top[place : match.start()]
        number += len(between.replace(b"\r\n", b"\n"))
        place = match.end()
        if match[0].strip():
            yield _Line(match[0], match.start(), number)


def _count_fields(line: bytes, delimiter: str) -> int:
    buffer = np.frombuffer(bytearray(line), dtype=np.uint8)
    return int(kernel.count_plain_fields(buffer, 0, len(buffer), Dialect(delimiter, None).separator)[0])


def _parse_commented_names(comments: list[_Line], dialect: Dialect, n_fields: int) -> list[bytes] | None:
    """Return the names in the last comment line, as in `# user item`, where they are a header of the rows."""
    if not comments:
        return None
    text = comments[-1].text.lstrip(b" #%\t")
    parts = text.split() if dialect.delimiter == " " else text.split(dialect.delimiter.encode("ascii"))
    names = [part.strip() for part in parts]
    usual = has_usual_names([name.decode("utf-8", "replace") for name in names])
    return names if usual and len(names) == n_fields else None


def _split_first(blocks: Blocks, line: _Line, dialect: Dialect, source: str) -> tuple[list[bytes], int, int]:
    """Return the fields of the row at `line`, the place after it and the number of the line there.

    A row with a stray quote is split as if there were no quoting.
    """
    found = _split_row(blocks, line, dialect)
    if found is None:
        found = _split_row(blocks, line, Dialect(dialect.delimiter, None))
    if found is None:
        raise DataError(
            f"{source}, line {line.number}: the row is longer than {blocks.longest_row:,} bytes, so this is no "
            "delimited text; give format",
            mentions=("format",),
        )
    return found


def _split_row(blocks: Blocks, line: _Line, dialect: Dialect) -> tuple[list[bytes], int, int] | None:
    stop = min(blocks.end, line.start + blocks.longest_row + 2)
    buffer = blocks.buffer[line.start : stop].copy()  # doubled quotes are undone in place
    is_last = blocks.is_last and stop == blocks.end
    separator, n_fields, spans = dialect.separator, 0, np.empty((2, 0, 1), dtype=np.int64)
    after, number = 0, line.number
    for _ in range(2):  # count the fields, then find them
        targets = np.arange(n_fields, dtype=np.int64)
        spans = np.zeros((2, n_fields, 1), dtype=np.int64)
        one, status = np.zeros((2, 1), dtype=np.int64), np.zeros(1, dtype=np.uint8)
        n_rows, after, number = kernel.split_rows(
            buffer, len(buffer), is_last, separator, dialect.quote_byte, n_fields, blocks.longest_row, targets,
            line.number, np.zeros(2, dtype=np.int64), spans[0], spans[1], np.zeros((n_fields, 1), dtype=np.uint8),
            one[0], one[1], status,
        )  # fmt: skip
        if n_rows == 0 or status[0] not in (kernel.FINE, kernel.TEXT_AFTER_QUOTE):
            return None
        n_fields = int(one[0, 0])
    if status[0] != kernel.FINE:
        return None
    bounds = zip(spans[0, :, 0].tolist(), spans[1, :, 0].tolist(), strict=True)
    return [buffer[start:end].tobytes() for start, end in bounds], line.start + int(after), int(number)


def _is_header(fields: list[bytes], options: ReadOptions) -> bool:
    if options.header is not None:
        return options.header
    return not has_positions(options) or has_usual_names([name.decode("utf-8", "replace") for name in fields])


def _choose_quote(options: ReadOptions, format_name: str, delimiter: str, line: bytes) -> str | None:
    """Return the character of quoting.

    Tab-separated text is written without quoting as a rule, so a quote is one only where all of the first row is.
    """
    if options.quote != "auto":
        return options.quote or None
    if format_name not in ("tsv", "recbole") and delimiter != "\t":
        return '"'
    fields = [part.strip() for part in line.removeprefix(b"\xef\xbb\xbf").split(delimiter.encode("ascii"))]
    return '"' if all(len(part) > 1 and part[:1] == part[-1:] == b'"' for part in fields) else None


def detect_delimiter(line: str, format_name: str) -> str:
    """Return the most frequent delimiter of the line, outside quotes; a blank where there is no other."""
    if format_name in ("tsv", "recbole"):
        return "\t"
    bare = "".join(part for number, part in enumerate(line.split('"')) if number % 2 == 0)
    counts = {delimiter: bare.count(delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: counts[delimiter])
    if counts[best]:
        return best
    return " " if len(bare.split()) > 1 else ","
