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

_LINES_AT_ONCE = 50_000
_NUMBERS = {"rating": (number, BAD_RATING), "timestamp": (seconds, BAD_TIME)}

Key = int | str
Values = tuple[Key, Key, float, float]


class JsonLinesReader:
    """Objects with the same keys, of which the first line that holds one tells the names."""

    format = "jsonl"

    def __init__(self, source: ByteSource, options: ReadOptions) -> None:
        self._source = source
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
        """Yield the usable lines, some ten thousand at a time."""
        rows: list[Values] = []
        n_read = 0
        stream = io.BufferedReader(as_stream(self._source), 1 << 20)
        for line, raw in enumerate(stream, start=1):
            if not raw.strip():
                continue
            n_read += 1
            values = self._values(raw, line, ledger)
            if values is not None:
                rows.append(values)
            if n_read == _LINES_AT_ONCE:
                yield self._batch(rows, n_read)
                rows, n_read = [], 0
        if n_read:
            yield self._batch(rows, n_read)

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
