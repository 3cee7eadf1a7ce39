"""Rows of Python values of any type: of a SQLite table, of a list of tuples or dictionaries, of an iterator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np

from nestrec.arrays import Float64Array
from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.ids import LARGEST_EXACT_FLOAT
from nestrec.data.readers.batch import Batch
from nestrec.data.readers.value_columns import ValueColumns
from nestrec.data.rejections import BAD_ID, NO_ITEM, NO_USER, NOT_UTF8, Reason, RejectionLog

_AT_ONCE = 1 << 16
_MISSING = {"NoneType", "NAType", "NaTType"}  # the last two of pandas, which is not imported

Values = Sequence[Any]  # of one row, in the order of the roles


class RowsReader:
    """Rows with one value for each role."""

    def __init__(
        self,
        rows: Iterator[Values],
        columns: dict[str, str],
        numbers: ValueColumns,
        *,
        format_name: str,
        total: int | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Take rows whose values are those of `columns` and then, if there is one, of the unused ratings."""
        self.format, self.columns = format_name, columns
        self.notes: list[str] = []
        self._numbers = numbers
        self._rows, self._total, self._close = rows, total, close
        self._done = 0

    def close(self) -> None:
        """Free the source of the rows."""
        self._close()

    def progress(self) -> tuple[int, int | None]:
        """Return rows read, and how many there are where that is known."""
        return self._done, self._total

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield the usable rows, some thousand at a time."""
        while rows := list(islice(self._rows, _AT_ONCE)):
            yield self._build_batch(rows, rejections)
            self._done += len(rows)
        self.notes += self._numbers.notes()

    def _build_batch(self, rows: list[Values], rejections: RejectionLog) -> Batch:
        roles = list(self.columns)
        if self._numbers.unused is not None:
            self._numbers.unused.see_objects([row[len(roles)] for row in rows])
        kept = [(row, pair) for row, values in enumerate(rows) if (pair := self._parse_ids(values, row, rejections))]
        numbers: dict[str, Float64Array] = {}
        fine = np.ones(len(kept), dtype=np.bool_)
        for role in self._numbers.roles:
            column = [rows[row][roles.index(role)] for row, _ in kept]
            numbers[role] = self._numbers.parse_objects(role, column, lambda place: self._format_place(kept[place][0]))
            bad = np.flatnonzero(fine & ~np.isfinite(numbers[role])).tolist()
            first = ((self._format_place(kept[place][0]), str(column[place])) for place in bad)
            rejections.reject(self._numbers.reasons[role], len(bad), first)
            fine[bad] = False
        ids = [pair for (_, pair), keep in zip(kept, fine.tolist(), strict=True) if keep]
        users, items = build_id_column([user for user, _ in ids]), build_id_column([item for _, item in ids])
        values = {role: column[fine] for role, column in numbers.items()}
        return Batch(users, items, values.get("rating"), values.get("timestamp"), len(rows))

    def _format_place(self, row: int) -> str:
        return f"row {self._done + row + 1}"

    def _parse_ids(self, values: Values, row: int, rejections: RejectionLog) -> tuple[int | str, int | str] | None:
        """Return the row's ids, or enter why it cannot be used."""
        found = []
        for role, value in zip(("user", "item"), values, strict=False):
            key = parse_id(value)
            if isinstance(key, Reason):
                shown = "" if isinstance(value, Reason) else str(value)
                rejections.reject(_specialize(key, role), 1, [(self._format_place(row), shown)])
                return None
            found.append(key)
        return found[0], found[1]


def _specialize(reason: Reason, role: str) -> Reason:
    if reason is not MISSING:
        return reason
    return NO_USER if role == "user" else NO_ITEM


MISSING = Reason("the id is missing", "fill it in or remove the row")


def parse_id(value: object) -> int | str | Reason:
    """Return the id that a Python value is, or why it is none (`MISSING`, BAD_ID, NOT_UTF8).

    >>> parse_id(12.0), parse_id("B001"), parse_id(b"x"), parse_id(None) is MISSING, parse_id(1.5) is BAD_ID
    (12, 'B001', 'x', True, True)
    """
    if isinstance(value, Reason):  # why the row has no value here
        return value
    if type(value).__name__ in _MISSING or (isinstance(value, str) and value == ""):
        return MISSING
    if isinstance(value, str):
        return NOT_UTF8 if any(0xD800 <= ord(letter) < 0xE000 for letter in value) else str(value)
    if isinstance(value, (bool, np.bool_)):
        return BAD_ID
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return MISSING if math.isnan(value) else _parse_float_id(float(value))
    if isinstance(value, Decimal):
        return _parse_decimal_id(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _parse_bytes_id(bytes(value))
    return str(value) if isinstance(value, UUID) else BAD_ID


def build_id_column(ids: Sequence[int | str]) -> IdColumn:
    """Return the ids as numbers where all are numbers of 64 bits, else as text."""
    if all(isinstance(value, int) for value in ids):
        try:
            return np.array(ids, dtype=np.int64)
        except OverflowError:
            pass
    return TextIds.from_strings([str(value) for value in ids])


def _parse_float_id(value: float) -> int | Reason:
    return int(value) if value.is_integer() and abs(value) < LARGEST_EXACT_FLOAT else BAD_ID


def _parse_decimal_id(value: Decimal) -> int | str | Reason:
    if value.is_nan():
        return MISSING
    if not value.is_finite():
        return BAD_ID
    return int(value) if value == value.to_integral_value() and value.adjusted() < 40 else format(value, "f")


def _parse_bytes_id(value: bytes) -> str | Reason:
    if not value:
        return MISSING
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return NOT_UTF8
