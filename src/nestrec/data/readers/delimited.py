"""Delimited text: CSV, TSV and RecBole's TSV whose header carries types. Every rejected row is known by its line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nestrec.data.id_index import TextIds
from nestrec.data.ledger import (
    NO_ITEM,
    NO_USER,
    NOT_UTF8,
    RAGGED,
    TEXT_AFTER_QUOTE,
    UNCLOSED_QUOTE,
    Ledger,
    Reason,
)
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch
from nestrec.data.readers.blocks import LONGEST_ROW, Blocks
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.columns import (
    by_position,
    find_columns,
    has_usual_names,
    plain_name,
    refuse_sequences,
)
from nestrec.data.readers.row_spans import row_spans
from nestrec.data.readers.sequences import expand_sequences, split_sequences
from nestrec.data.readers.value_columns import UNUSED, ValueColumns
from nestrec.errors import DataError
from nestrec.kernels import fields as kernel

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

DELIMITERS = ("::", "\t", ",", ";", "|")
_SHORTEST_ROW = 4  # bytes of `1,2` and a line end


@dataclass
class _Rows:
    """Fields of the rows of one block; (n_roles, n) each, or (n,)."""

    buffer: Bytes
    starts: Int64
    ends: Int64
    quoted: Bytes
    lines: Int64
    raw: TextIds | None = None
    values: dict[str, Float64] = field(default_factory=dict)  # role -> its numbers, once parsed

    def keep(self, fine: Mask) -> None:
        """Drop the other rows."""
        self.starts = np.compress(fine, self.starts, axis=1)
        self.ends = np.compress(fine, self.ends, axis=1)
        self.quoted = np.compress(fine, self.quoted, axis=1)
        self.lines = self.lines[fine]
        self.raw = None if self.raw is None else self.raw[fine]
        self.values = {role: values[fine] for role, values in self.values.items()}

    def text(self, role: int) -> TextIds:
        """Return one column."""
        return TextIds(self.buffer, self.starts[role], self.ends[role])


class DelimitedReader:
    """Rows of fields between delimiters, a header first unless told otherwise."""

    keeps_rows = False  # set before the first batch: batches hold the bytes of each row too

    def __init__(self, source: ByteSource, options: ReadOptions, format_name: str) -> None:
        self.format = format_name
        self._source, self._options = source, options
        self.notes: list[str] = []
        self._name = str(source.path)
        first_line, self._skipped, self._line = _first_line(source)
        delimiter = options.delimiter or detect_delimiter(first_line, format_name)
        names = split_line(first_line, delimiter, options.quote)
        named = options.header if options.header is not None else not by_position(options) or has_usual_names(names)
        places = find_columns(names, options, self._name, named=named)
        refuse_sequences(names, places, options, self._name)
        self.columns = {
            role: plain_name(names[place]) if named else f"column {place + 1}" for role, place in places.roles().items()
        }
        shown = [plain_name(name) if named else f"column {place}" for place, name in enumerate(names, start=1)]
        self._numbers = ValueColumns(places, shown, options, self._name)
        self._roles = list(places.read())
        self._wanted = np.full(len(names), -1, dtype=np.int64)
        for row, place in enumerate(places.read().values()):
            self._wanted[place] = row
        self._separator = np.frombuffer(delimiter.encode("ascii"), dtype=np.uint8)
        self._quote = -1 if options.quote is None else ord(options.quote)
        if not named:
            self._skipped = 0
            self._line = 1
        self.header = source.head(self._skipped)  # with its line end; empty where no line names the columns
        self.names = names if named else [f"column{place + 1}" for place in range(len(names))]
        self.delimiter, self.quote = delimiter, options.quote

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def progress(self) -> tuple[int, int | None]:
        """Return bytes of the file read, and its size."""
        return self._source.position, self._source.size

    def batches(self, ledger: Ledger) -> Iterator[Batch]:
        """Yield the usable rows, block by block."""
        blocks = Blocks(self._source)
        consumed = 0
        line = self._line
        if self._skipped:
            blocks.advance(self._skipped)
        while True:
            rows, status, n_fields, consumed, line = self._split(blocks, line)
            if len(rows.lines):
                yield self._checked(rows, status, n_fields, ledger)
            elif consumed == 0 and not blocks.is_last:
                raise DataError(
                    f"{self._name}, line {line}: the line is longer than {len(blocks.buffer):,} bytes, so this is no "
                    "delimited text; name the format"
                )
            if blocks.is_last and consumed >= blocks.end:
                self.notes += self._numbers.notes()
                return
            blocks.advance(consumed)

    def _split(self, blocks: Blocks, line: int) -> tuple[_Rows, Bytes, Int64, int, int]:
        capacity = blocks.end // _SHORTEST_ROW + 1
        shape = (len(self._roles), capacity)
        starts, ends = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
        quoted, status = np.empty(shape, dtype=np.uint8), np.empty(capacity, dtype=np.uint8)
        n_fields, lines = np.empty(capacity, dtype=np.int64), np.empty(capacity, dtype=np.int64)
        original = blocks.buffer[: blocks.end].copy() if self.keeps_rows else None  # doubled quotes become single ones
        first_line = line
        n_rows, consumed, line = kernel.split_rows(
            blocks.buffer, blocks.end, blocks.is_last, self._separator, self._quote, LONGEST_ROW, self._wanted, line,
            starts, ends, quoted, n_fields, lines, status,
        )  # fmt: skip
        rows = _Rows(blocks.buffer, starts[:, :n_rows], ends[:, :n_rows], quoted[:, :n_rows], lines[:n_rows])
        if original is not None:
            rows.raw = row_spans(original, int(consumed), rows.lines - first_line)
        return rows, status[:n_rows], n_fields[:n_rows], int(consumed), int(line)

    def _checked(self, rows: _Rows, status: Bytes, n_fields: Int64, ledger: Ledger) -> Batch:
        n_read = len(rows.lines)
        ragged = n_fields != len(self._wanted)
        whole = (status == kernel.FINE) & ~ragged
        if not whole.all():
            _reject_lines(ledger, UNCLOSED_QUOTE, rows.lines[status == kernel.UNCLOSED_QUOTE])
            _reject_lines(ledger, TEXT_AFTER_QUOTE, rows.lines[status == kernel.TEXT_AFTER_QUOTE])
            uneven = (status == kernel.FINE) & ragged
            self._reject_ragged(ledger, rows.lines[uneven], n_fields[uneven])
            rows.keep(whole)
        for role, reason in ((0, NO_USER), (1, NO_ITEM)):
            self._drop_missing(rows, role, reason, ledger)
        if self._options.sequence:
            _, cells = split_sequences(rows.text(1), self._options.sequence_separator)
            _drop(rows, np.bincount(cells, minlength=len(rows.lines)) > 0, 1, NO_ITEM, ledger)
        _drop_undecodable(rows, ledger)
        for name in self._numbers.roles:
            self._parse(rows, name, ledger)
        if self._numbers.unused is not None:
            self._numbers.unused.see_text(rows.text(self._roles.index(UNUSED)))
        ratings, times = rows.values.get("rating"), rows.values.get("timestamp")
        batch = Batch(rows.text(0), rows.text(1), ratings, times, n_read, raw=rows.raw)
        return expand_sequences(batch, self._options.sequence_separator) if self._options.sequence else batch

    def _reject_ragged(self, ledger: Ledger, lines: Int64, n_fields: Int64) -> None:
        expected = len(self._wanted)
        first = (
            (f"line {line}", f"{count} fields, not {expected}")
            for line, count in zip(lines.tolist(), n_fields.tolist(), strict=True)
        )
        ledger.reject(RAGGED, len(lines), first)

    def _drop_missing(self, rows: _Rows, role: int, reason: Reason, ledger: Ledger) -> None:
        missing = np.empty(len(rows.lines), dtype=np.uint8)
        kernel.find_missing(rows.buffer, rows.starts[role], rows.ends[role], rows.quoted[role], missing)
        _drop(rows, missing == 0, role, reason, ledger)

    def _parse(self, rows: _Rows, name: str, ledger: Ledger) -> None:
        """Parse a column, dropping the rows where it is no finite number."""
        role = self._roles.index(name)
        rows.values[name] = self._numbers.parse_text(name, rows.text(role), lambda row: f"line {rows.lines[row]}")
        _drop(rows, np.isfinite(rows.values[name]), role, self._numbers.reasons[name], ledger)


def _drop(rows: _Rows, fine: Mask, role: int, reason: Reason, ledger: Ledger) -> None:
    if fine.all():
        return
    bad = np.flatnonzero(~fine)
    text = rows.text(role)
    ledger.reject(reason, len(bad), ((f"line {rows.lines[row]}", text.at(row)) for row in bad.tolist()))
    rows.keep(fine)


def _drop_undecodable(rows: _Rows, ledger: Ledger) -> None:
    """Drop rows whose ids are not UTF-8; cheap where all bytes are ASCII."""
    if not len(rows.lines) or rows.buffer[rows.starts.min() : rows.ends.max()].max(initial=0) < 128:
        return
    if _decodes(bytes(rows.buffer[rows.starts.min() : rows.ends.max()])):
        return
    for role in (0, 1):
        text = rows.text(role)
        spans = zip(text.starts.tolist(), text.ends.tolist(), strict=True)
        fine = np.array([_decodes(rows.buffer[start:end].tobytes()) for start, end in spans], dtype=np.bool_)
        _drop(rows, fine, role, NOT_UTF8, ledger)


def _decodes(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _reject_lines(ledger: Ledger, reason: Reason, lines: Int64) -> None:
    ledger.reject(reason, len(lines), ((f"line {line}", "") for line in lines.tolist()))


def _first_line(source: ByteSource) -> tuple[str, int, int]:
    """Return the first line that is not blank, the bytes up to its end, and the number of the line after it."""
    head = source.head(1 << 18)
    place, line = 0, 1
    for raw in head.splitlines(keepends=True):
        place, line = place + len(raw), line + 1
        if raw.strip():
            try:
                return raw.decode("utf-8"), place, line
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{source.path}, line {line - 1}: the first line is not UTF-8 text ({error.reason}); "
                    "save the file as UTF-8, or name the format if it is no text"
                ) from error
    raise DataError(f"{source.path} is empty; give a file with a header and rows of interactions")


def detect_delimiter(line: str, format_name: str) -> str:
    """Return the delimiter that stands most often in the line, outside quotes."""
    if format_name in ("tsv", "recbole"):
        return "\t"
    bare = "".join(part for number, part in enumerate(line.split('"')) if number % 2 == 0)
    counts = {delimiter: bare.count(delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: counts[delimiter])
    if counts[best]:
        return best
    return " " if has_usual_names(bare.split()) else ","


def split_line(line: str, delimiter: str, quote: str | None) -> list[str]:
    """Return the fields of a header."""
    line = line.strip("\r\n")
    if len(delimiter) > 1 or quote is None:
        return [name.strip() for name in line.split(delimiter)]
    return [name.strip() for name in next(csv.reader([line], delimiter=delimiter, quotechar=quote))]
