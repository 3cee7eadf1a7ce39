"""Delimited text: CSV, TSV and RecBole's TSV whose header carries types. Every rejected row is known by its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nestrec.arrays import BoolArray, Float64Array, Int64Array, UInt8Array
from nestrec.data.id_index import TextIds, is_utf8
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch, FileReader
from nestrec.data.readers.blocks import Blocks, find_row_spans
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.columns import normalize_name, refuse_sequences
from nestrec.data.readers.fields import find_missing
from nestrec.data.readers.first_row import read_first_row
from nestrec.data.readers.sequences import expand_sequences, split_sequences
from nestrec.data.readers.source_columns import UNUSED, SourceColumns
from nestrec.data.rejections import (
    NO_ITEM,
    NO_USER,
    NOT_UTF8,
    RAGGED,
    REPEATED_HEADER,
    STRAY_QUOTE,
    TEXT_AFTER_QUOTE,
    TOO_LONG,
    UNCLOSED_QUOTE,
    Reason,
    RejectionLog,
)
from nestrec.kernels.data import delimited_rows as kernel
from nestrec.kernels.data import fields

_REASONS = {
    kernel.UNCLOSED_QUOTE: UNCLOSED_QUOTE,
    kernel.TEXT_AFTER_QUOTE: TEXT_AFTER_QUOTE,
    kernel.STRAY_QUOTE: STRAY_QUOTE,
    kernel.TOO_LONG: TOO_LONG,
}
_SHOWN_BYTES = 200  # of a line that is left out
_SHORTEST_ROW = 4  # bytes of `1,2` and a line end


@dataclass
class _Rows:
    """Fields of the rows of one block; (n_roles, n) each, or (n,)."""

    buffer: UInt8Array
    starts: Int64Array
    ends: Int64Array
    quoted: UInt8Array
    lines: Int64Array
    raw: TextIds | None = None
    values: dict[str, Float64Array] = field(default_factory=dict)  # role -> its numbers, once parsed

    def keep(self, fine: BoolArray) -> None:
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

    def format_place(self, row: int) -> str:
        """Return where a row stands, for messages."""
        return f"line {self.lines[row]}"

    def get_start_of_line(self, row: int) -> str:
        """Return the first bytes of the line in which the first field of a row begins, or the row where it has none."""
        place = int(self.starts[:, row].min())
        before = self.buffer[max(0, place - _SHOWN_BYTES) : place].tobytes()
        after = self.buffer[place : place + _SHOWN_BYTES].tobytes()
        line = re.split(rb"[\r\n]", before)[-1] + re.split(rb"[\r\n]", after, maxsplit=1)[0]
        return line.decode("utf-8", "backslashreplace")


class DelimitedReader(FileReader):
    """Rows of fields between delimiters, the first one a header by default."""

    format = "csv"
    keeps_rows = False  # set before the first batch: batches hold the bytes of each row too

    def __init__(self, source: ByteSource, options: ReadOptions) -> None:
        super().__init__(source)
        self._options = options
        self._blocks = Blocks(source)
        first = read_first_row(self._blocks, options, self.format, self._name)
        self._first, self.notes = first, first.notes
        names = first.names(self._name)
        shown = [normalize_name(name) if first.named else f"column {at}" for at, name in enumerate(names, start=1)]
        columns = SourceColumns(names, options, self._name, named=first.named, is_text=True, shown=shown)
        refuse_sequences(names, columns.places, options, self._name)
        self.columns, self._columns, self._roles = columns.used, columns, list(columns.places)
        places = list(columns.places.values())
        header = [first.fields[place] for place in places] if first.named else []
        self._header_fields = [np.frombuffer(bytearray(name), dtype=np.uint8) for name in header]
        self._targets = np.full(len(names), -1, dtype=np.int64)
        self._targets[places] = np.arange(len(places))
        self._carry = np.zeros(2, dtype=np.int64)
        # with its line end; empty where no line names the columns
        self.header = self._blocks.buffer[: first.rows_at].tobytes() if first.named else b""
        self.names = names if first.named else [f"column{place + 1}" for place in range(len(names))]
        self.delimiter, self.quote = first.dialect.delimiter, first.dialect.quote

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield the usable rows, block by block."""
        blocks, line = self._blocks, self._first.line
        blocks.advance(self._first.rows_at)
        while True:
            rows, status, n_fields, consumed, line = self._split(blocks, line)
            if len(rows.lines):
                yield self._check(rows, status, n_fields, rejections)
            if blocks.is_last and consumed >= blocks.end:
                self.notes += self._columns.notes()
                return
            blocks.advance(consumed)

    def _split(self, blocks: Blocks, line: int) -> tuple[_Rows, UInt8Array, Int64Array, int, int]:
        capacity = blocks.end // _SHORTEST_ROW + 1
        shape = (len(self._roles), capacity)
        starts, ends = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
        quoted, status = np.empty(shape, dtype=np.uint8), np.empty(capacity, dtype=np.uint8)
        n_fields, lines = np.empty(capacity, dtype=np.int64), np.empty(capacity, dtype=np.int64)
        original = blocks.buffer[: blocks.end].copy() if self.keeps_rows else None  # doubled quotes become single ones
        first_line, dialect = line, self._first.dialect
        n_rows, consumed, line = kernel.split_rows(
            blocks.buffer, blocks.end, blocks.is_last, dialect.separator, dialect.quote_byte, len(self._targets),
            blocks.longest_row, self._targets, line, self._carry, starts, ends, quoted, n_fields, lines, status,
        )  # fmt: skip
        rows = _Rows(
            blocks.buffer[: blocks.end], starts[:, :n_rows], ends[:, :n_rows], quoted[:, :n_rows], lines[:n_rows]
        )
        if original is not None:
            rows.raw = find_row_spans(original, int(consumed), rows.lines - first_line)
        return rows, status[:n_rows], n_fields[:n_rows], int(consumed), int(line)

    def _check(self, rows: _Rows, status: UInt8Array, n_fields: Int64Array, rejections: RejectionLog) -> Batch:
        n_read = len(rows.lines)
        self._drop_malformed(rows, status, n_fields, rejections)
        self._drop_headers(rows, rejections)
        for role, reason in ((0, NO_USER), (1, NO_ITEM)):
            missing = find_missing(rows.text(role), rows.quoted[role], self._options.na_values)
            _drop(rows, ~missing, role, reason, rejections)
        if self._options.sequence:
            _, cells = split_sequences(rows.text(1), self._options.sequence_separator)
            _drop(rows, np.bincount(cells, minlength=len(rows.lines)) > 0, 1, NO_ITEM, rejections)
        _drop_undecodable(rows, rejections)
        for name in self._columns.roles:
            self._parse(rows, name, rejections)
        if self._columns.unused is not None:
            self._columns.unused.see_text(rows.text(self._roles.index(UNUSED)))
        ratings, times, weights = (rows.values.get(name) for name in ("rating", "timestamp", "weight"))
        batch = Batch(rows.text(0), rows.text(1), ratings, times, weights, n_read, raw=rows.raw, lines=rows.lines)
        return expand_sequences(batch, self._options.sequence_separator) if self._options.sequence else batch

    def _drop_malformed(self, rows: _Rows, status: UInt8Array, n_fields: Int64Array, rejections: RejectionLog) -> None:
        ragged = n_fields != len(self._targets)
        whole = (status == kernel.FINE) & ~ragged
        if whole.all():
            return
        for code, reason in _REASONS.items():
            rejections.reject_rows(reason, status == code, rows.format_place, rows.get_start_of_line)
        uneven, expected = (status == kernel.FINE) & ragged, len(self._targets)
        rejections.reject_rows(RAGGED, uneven, rows.format_place, lambda row: f"{n_fields[row]} fields, not {expected}")
        rows.keep(whole)

    def _drop_headers(self, rows: _Rows, rejections: RejectionLog) -> None:
        """Drop the rows that repeat the header, as in files that were written one after another into one."""
        if not self._header_fields:
            return
        repeated = np.ones(len(rows.lines), dtype=np.uint8)
        for role, name in enumerate(self._header_fields):
            fields.keep_equal(rows.buffer, rows.starts[role], rows.ends[role], name, repeated)
            if not repeated.any():
                return
        _drop(rows, repeated == 0, 0, REPEATED_HEADER, rejections)

    def _parse(self, rows: _Rows, name: str, rejections: RejectionLog) -> None:
        """Parse a column, rejecting the rows where it is not a finite number."""
        role = self._roles.index(name)
        rows.values[name] = self._columns.parse_text(name, rows.text(role), rows.format_place)
        _drop(rows, np.isfinite(rows.values[name]), role, self._columns.reasons[name], rejections)


class TsvReader(DelimitedReader):
    """Tab-separated text."""

    format = "tsv"


class RecBoleReader(DelimitedReader):
    """RecBole's tab-separated text, whose header names types (`user_id:token`)."""

    format = "recbole"


def _drop(rows: _Rows, fine: BoolArray, role: int, reason: Reason, rejections: RejectionLog) -> None:
    if fine.all():
        return
    rejections.reject_rows(reason, ~fine, rows.format_place, rows.text(role).at)
    rows.keep(fine)


def _drop_undecodable(rows: _Rows, rejections: RejectionLog) -> None:
    """Drop rows whose ids are not UTF-8; cheap where all bytes are ASCII."""
    if not len(rows.lines) or rows.buffer[rows.starts.min() : rows.ends.max()].max(initial=0) < 128:
        return
    if is_utf8(bytes(rows.buffer[rows.starts.min() : rows.ends.max()])):
        return
    users, items = rows.text(0), rows.text(1)
    fine_users, fine_items = users.are_utf8(), items.are_utf8()
    fine = fine_users & fine_items  # of both at once, so that examples are in the order of lines
    if not fine.all():
        rejections.reject_rows(
            NOT_UTF8, ~fine, rows.format_place, lambda row: (items if fine_users[row] else users).at(row)
        )
        rows.keep(fine)
