"""JSON lines: one object a line, by Python's own parser, so that whole numbers of any size stay exact."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.ids import LARGEST_EXACT_FLOAT
from nestrec.data.ledger import BAD_ID, BAD_JSON, BAD_RATING, BAD_TIME, NO_ITEM, NO_USER, Ledger, Reason
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch
from nestrec.data.readers.byte_source import ByteSource, as_stream
from nestrec.data.readers.columns import find_columns
from nestrec.data.readers.numbers import number, seconds
from nestrec.errors import DataError

_BYTES_AT_ONCE = 4 << 20
_NUMBERS = {"rating": (number, BAD_RATING), "timestamp": (seconds, BAD_TIME)}

Key = int | str
Values = tuple[Key, Key, float, float]


class JsonLinesReader:
    """Objects with the same keys, of which the first line that holds one tells the names."""

    format = "jsonl"

    def __init__(self, source: ByteSource, options: ReadOptions) -> None:
        self._source = source
        self.notes: list[str] = []
        names = list(_first_object(source))
        roles = find_columns(names, options, str(source.path)).roles()
        self.columns = {role: names[place] for role, place in roles.items()}

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def progress(self) -> tuple[int, int | None]:
        """Return bytes of the file read, and its size."""
        return self._source.position, self._source.size

    def batches(self, ledger: Ledger) -> Iterator[Batch]:
        """Yield the usable lines, some thousand at a time."""
        stream = io.BufferedReader(as_stream(self._source), 1 << 20)
        line = 1
        while lines := stream.readlines(_BYTES_AT_ONCE):
            yield self._plain_batch(lines) or self._checked_batch(lines, line, ledger)
            line += len(lines)

    def _plain_batch(self, lines: list[bytes]) -> Batch | None:
        """Parse many lines at once; None where any of them needs a closer look."""
        try:
            entries = json.loads(b"[" + b",".join(lines) + b"]")
            columns = {role: [entry[name] for entry in entries] for role, name in self.columns.items()}
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if len(entries) != len(lines) or not all(_is_plain(role, column) for role, column in columns.items()):
            return None
        numbers = {role: np.array(column, dtype=np.float64) for role, column in columns.items() if role in _NUMBERS}
        if not all(np.isfinite(column).all() for column in numbers.values()):
            return None
        users, items = _ids(columns["user"]), _ids(columns["item"])
        return Batch(users, items, numbers.get("rating"), numbers.get("timestamp"), len(lines))

    def _checked_batch(self, lines: list[bytes], first: int, ledger: Ledger) -> Batch:
        """Parse line by line, entering what cannot be used."""
        numbered = [(line, raw) for line, raw in enumerate(lines, start=first) if raw.strip()]
        values = (self._values(raw, line, ledger) for line, raw in numbered)
        return self._batch([row for row in values if row is not None], len(numbered))

    def _values(self, raw: bytes, line: int, ledger: Ledger) -> Values | None:
        """Return what a line says, or enter why it cannot be used."""
        try:
            entry = json.loads(raw)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            return _rejected(ledger, BAD_JSON, line, raw.strip().decode("utf-8", "backslashreplace"))
        user, item = entry.get(self.columns["user"]), entry.get(self.columns["item"])
        if user is None or user == "":
            return _rejected(ledger, NO_USER, line, user)
        if item is None or item == "":
            return _rejected(ledger, NO_ITEM, line, item)
        user_key, item_key = _key(user), _key(item)
        if user_key is None or item_key is None:
            return _rejected(ledger, BAD_ID, line, user if user_key is None else item)
        found = {"rating": 0.0, "timestamp": 0.0}
        for role, (parse, reason) in _NUMBERS.items():
            if role in self.columns:
                value = entry.get(self.columns[role])
                found[role] = _number(value, parse)
                if not math.isfinite(found[role]):
                    return _rejected(ledger, reason, line, value)
        return user_key, item_key, found["rating"], found["timestamp"]

    def _batch(self, rows: list[Values], n_read: int) -> Batch:
        ratings = np.array([row[2] for row in rows], dtype=np.float64) if "rating" in self.columns else None
        times = np.array([row[3] for row in rows], dtype=np.float64) if "timestamp" in self.columns else None
        return Batch(_ids([row[0] for row in rows]), _ids([row[1] for row in rows]), ratings, times, n_read)


def _first_object(source: ByteSource) -> dict[str, Any]:
    head = source.head(1 << 18)
    if not head.strip():
        raise DataError(f"{source.path} is empty; give a file with one JSON object a line")
    for raw in head.splitlines():
        try:
            entry = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            return entry
    if head.lstrip().startswith(b"["):
        raise DataError(f"{source.path} is one JSON list; write its objects one a line (JSON lines)")
    raise DataError(
        f"{source.path} holds no JSON object in its first lines; write one object a line, or name the format"
    )


def _is_plain(role: str, column: list[Any]) -> bool:
    """Tell whether every value is of the one kind that needs no further check."""
    kinds = set(map(type, column))
    if role in _NUMBERS:
        return kinds <= {int, float}
    return kinds == {int} or (kinds == {str} and "" not in column and all(map(str.isascii, column)))


def _key(value: Any) -> Key | None:
    """Return the id as a whole number or text, or None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, (int, str, float)):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < LARGEST_EXACT_FLOAT else None
    if isinstance(value, str):
        return value if value.isascii() or not any(0xD800 <= ord(letter) < 0xE000 for letter in value) else None
    return value


def _number(value: Any, parse: Callable[[str], float]) -> float:
    if isinstance(value, bool) or value is None:
        return math.nan
    try:
        return parse(value) if isinstance(value, str) else float(value)
    except (TypeError, OverflowError):
        return math.nan


def _rejected(ledger: Ledger, reason: Reason, line: int, value: object) -> Values | None:
    """Enter the line, and return what stands for a line that cannot be used."""
    ledger.reject(reason, 1, [(f"line {line}", value if isinstance(value, str) else json.dumps(value))])
    return None


def _ids(keys: list[Key]) -> IdColumn:
    if all(isinstance(key, int) for key in keys):
        try:
            return np.array(keys, dtype=np.int64)
        except OverflowError:
            pass
    return TextIds.from_strings([str(key) for key in keys])
