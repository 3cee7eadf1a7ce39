"""Rows of Python values of any type: of a SQLite table, of a list of tuples or dictionaries, of an iterator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np

from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.ids import LARGEST_EXACT_FLOAT
from nestrec.data.ledger import BAD_ID, BAD_RATING, BAD_TIME, NO_ITEM, NO_USER, NOT_UTF8, Ledger, Reason
from nestrec.data.readers.batch import Batch
from nestrec.data.readers.numbers import number, seconds

_AT_ONCE = 1 << 16
_MISSING = {"NoneType", "NAType", "NaTType"}  # the last two of pandas, which is not imported
_NUMBERS = {"rating": (number, BAD_RATING), "timestamp": (seconds, BAD_TIME)}

Values = Sequence[Any]  # of one row, in the order of the roles


class RowsReader:
    """Rows with one value for each role."""

    def __init__(
        self,
        rows: Iterator[Values],
        columns: dict[str, str],
        *,
        format_name: str,
        total: int | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.format, self.columns = format_name, columns
        self.notes: list[str] = []
        self._rows, self._total, self._close = rows, total, close
        self._done = 0

    def close(self) -> None:
        """Free the source of the rows."""
        self._close()

    def progress(self) -> tuple[int, int | None]:
        """Return rows read, and how many there are where that is known."""
        return self._done, self._total

    def batches(self, ledger: Ledger) -> Iterator[Batch]:
        """Yield the usable rows, some thousand at a time."""
        while rows := list(islice(self._rows, _AT_ONCE)):
            kept = [
                row for place, values in enumerate(rows, self._done + 1) if (row := self._row(values, place, ledger))
            ]
            self._done += len(rows)
            roles = list(self.columns)
            columns = {role: [row[place] for row in kept] for place, role in enumerate(roles)}
            numbers = {role: np.array(columns[role], dtype=np.float64) for role in _NUMBERS if role in columns}
            yield Batch(
                id_column(columns["user"]), id_column(columns["item"]), numbers.get("rating"), numbers.get("timestamp"),
                len(rows),
            )  # fmt: skip

    def _row(self, values: Values, place: int, ledger: Ledger) -> list[Any] | None:
        """Return the row's ids and numbers, or enter why it cannot be used."""
        row: list[Any] = []
        for role, value in zip(self.columns, values, strict=True):
            if role in _NUMBERS:
                parse, why_not = _NUMBERS[role]
                found: Any = as_number(value, parse)
                reason = None if math.isfinite(found) else why_not
            else:
                found = id_of(value)
                reason = _of_role(found, role) if isinstance(found, Reason) else None
            if reason is not None:
                ledger.reject(reason, 1, [(f"row {place}", str(value))])
                return None
            row.append(found)
        return row


def _of_role(reason: Reason, role: str) -> Reason:
    if reason is not MISSING:
        return reason
    return NO_USER if role == "user" else NO_ITEM


MISSING = Reason("the id is missing", "fill it in or remove the row")


def id_of(value: object) -> int | str | Reason:
    """Return the id that a Python value is, or why it is none (`MISSING`, BAD_ID, NOT_UTF8).

    >>> id_of(12.0), id_of("B001"), id_of(b"x"), id_of(None) is MISSING, id_of(1.5) is BAD_ID
    (12, 'B001', 'x', True, True)
    """
    if type(value).__name__ in _MISSING or (isinstance(value, str) and value == ""):
        return MISSING
    if isinstance(value, str):
        return NOT_UTF8 if any(0xD800 <= ord(letter) < 0xE000 for letter in value) else str(value)
    if isinstance(value, (bool, np.bool_)):
        return BAD_ID
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return MISSING if math.isnan(value) else _id_of_float(float(value))
    if isinstance(value, Decimal):
        return _id_of_decimal(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _id_of_bytes(bytes(value))
    return str(value) if isinstance(value, UUID) else BAD_ID


def id_column(ids: Sequence[int | str]) -> IdColumn:
    """Return the ids as numbers where all are numbers of 64 bits, else as text."""
    if all(isinstance(value, int) for value in ids):
        try:
            return np.array(ids, dtype=np.int64)
        except OverflowError:
            pass
    return TextIds.from_strings([str(value) for value in ids])


def as_number(value: object, parse: Callable[[str], float]) -> float:
    """Return the number that a rating or a time is, NaN where it is none."""
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__float__"):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _id_of_float(value: float) -> int | Reason:
    return int(value) if value.is_integer() and abs(value) < LARGEST_EXACT_FLOAT else BAD_ID


def _id_of_decimal(value: Decimal) -> int | str | Reason:
    if value.is_nan():
        return MISSING
    if not value.is_finite():
        return BAD_ID
    return int(value) if value == value.to_integral_value() and value.adjusted() < 40 else format(value, "f")


def _id_of_bytes(value: bytes) -> str | Reason:
    if not value:
        return MISSING
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return NOT_UTF8
