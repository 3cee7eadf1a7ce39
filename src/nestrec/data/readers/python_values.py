"""Ids and values that are Python objects of any type, checked and converted column by column."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np

from nestrec.arrays import Float64Array, Int64Array
from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.ids import LARGEST_EXACT_FLOAT
from nestrec.data.readers.batch import Batch
from nestrec.data.readers.source_columns import UNUSED, SourceColumns
from nestrec.data.readers.time_notations import Place
from nestrec.data.rejections import BAD_ID, NO_ITEM, NO_USER, NOT_UTF8, Reason, RejectionLog

MISSING = Reason("the id is missing", "fill it in or remove the row")
_MISSING_TYPES = {"NoneType", "NAType", "NaTType"}  # the last two of pandas, which is not imported

Id = int | str


def build_batch(
    columns: Mapping[str, Sequence[Any]],  # role -> values, (n,)
    source: SourceColumns,
    rejections: RejectionLog,
    place: Place,
    show: Callable[[Any], str],
    parse: Callable[[Any], Id | Reason],
) -> tuple[Batch, Int64Array]:
    """Return the usable rows and their places among the n; reject the others, shown by `show`.

    `parse` returns an id, or why there is none, as `parse_id` does.
    """
    users, items = convert_plain_ids(columns["user"]), convert_plain_ids(columns["item"])
    rows = np.arange(len(columns["user"]))
    if users is None or items is None:
        pairs = [(parse(user), parse(item)) for user, item in zip(columns["user"], columns["item"], strict=True)]
        reasons = list(map(_find_reason, pairs))
        for row, found in enumerate(reasons):
            if found is not None:
                rejections.reject(found[0], 1, [(place(row), show(columns[found[1]][row]))])
        rows = np.flatnonzero([found is None for found in reasons])
        users, items = (build_id_column([pairs[row][side] for row in rows.tolist()]) for side in (0, 1))
    if source.unused is not None and UNUSED in columns:
        source.unused.see_objects(_take(columns[UNUSED], rows))
    fine, numbers = np.ones(len(rows), dtype=np.bool_), dict[str, Float64Array]()

    def place_of(row: int) -> str:
        return place(int(rows[row]))

    def parse_numbers(role: str) -> None:
        values = _take(columns[role], rows)
        numbers[role] = source.parse_objects(role, values, place_of)
        bad = fine & ~np.isfinite(numbers[role])
        rejections.reject_rows(source.reasons[role], bad, place_of, lambda row: show(values[row]))
        np.logical_and(fine, ~bad, out=fine)

    for role in source.roles:
        parse_numbers(role)
    batch = Batch(
        users, items, numbers.get("rating"), numbers.get("timestamp"), numbers.get("weight"), len(columns["user"])
    )
    return (batch, rows) if fine.all() else (batch.select(fine), rows[fine])


def _find_reason(pair: Sequence[Id | Reason]) -> tuple[Reason, str] | None:
    """Return why a pair of a user and an item cannot be used, and which of the two is at fault."""
    for key, role, missing in zip(pair, ("user", "item"), (NO_USER, NO_ITEM), strict=True):
        if key is MISSING:
            return missing, role
    for key, role in zip(pair, ("user", "item"), strict=True):
        if isinstance(key, Reason):
            return key, role
    return None


def _take(values: Sequence[Any], rows: Int64Array) -> Sequence[Any]:
    return values if len(rows) == len(values) else [values[row] for row in rows.tolist()]


def parse_id(value: object) -> Id | Reason:
    """Return the id that a Python value is, or why it is none (`MISSING`, BAD_ID, NOT_UTF8).

    >>> parse_id(12.0), parse_id("B001"), parse_id(b"x"), parse_id(None) is MISSING, parse_id(1.5) is BAD_ID
    (12, 'B001', 'x', True, True)
    """
    if isinstance(value, Reason):  # why the row has no value here
        return value
    if type(value).__name__ in _MISSING_TYPES or (isinstance(value, str) and value == ""):
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


def convert_plain_ids(column: Sequence[Any]) -> IdColumn | None:
    """Return the ids of a column of whole numbers and text; None where a value needs a closer look."""
    if not set(map(type, column)) <= {int, str} or "" in column:
        return None
    try:
        return build_id_column(column)
    except UnicodeEncodeError:  # half of a surrogate pair
        return None


def build_id_column(ids: Sequence[Any]) -> IdColumn:
    """Return the ids as numbers where all are numbers of 64 bits, else as text."""
    kinds = set(map(type, ids))
    if kinds <= {int}:
        try:
            return np.array(ids, dtype=np.int64)
        except OverflowError:
            pass
    return TextIds.from_strings(list(ids) if kinds == {str} else list(map(str, ids)))


def _parse_float_id(value: float) -> int | Reason:
    return int(value) if value.is_integer() and abs(value) < LARGEST_EXACT_FLOAT else BAD_ID


def _parse_decimal_id(value: Decimal) -> Id | Reason:
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
