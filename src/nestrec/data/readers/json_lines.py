"""JSON lines and arrays of objects, by Python's own parser, so that whole numbers of any size stay exact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nestrec.arrays import BoolArray, Float64Array, Int64Array
from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.ids import LARGEST_EXACT_FLOAT
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch, FileReader
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.columns import find_columns
from nestrec.data.readers.json_elements import HOW_TO_CONVERT, Record, Unreadable
from nestrec.data.readers.json_records import JsonFile
from nestrec.data.readers.sequences import split_sequences
from nestrec.data.readers.value_columns import ValueColumns
from nestrec.data.rejections import BAD_ID, BAD_JSON, NO_ITEM, NO_USER, NOT_AN_ID, TOO_LONG, Reason, RejectionLog
from nestrec.errors import DataError

Key = int | str
Object = dict[str, Any]

_ROLES = (("user", NO_USER), ("item", NO_ITEM))


class JsonLinesReader(FileReader):
    """Objects whose keys are looked for in the first 64 KB; a key that was named may come later."""

    format = "jsonl"
    keeps_rows = False  # set before the first batch: batches hold the bytes of each object too

    def __init__(self, source: ByteSource, options: ReadOptions) -> None:
        super().__init__(source)
        self._file = JsonFile(source)
        self._separator = options.sequence_separator if options.sequence else None
        names, self._expected = self._find_keys(options)
        places = find_columns(names, options, self._name)
        self.columns = {role: names[place] for role, place in places.roles().items()}
        self._numbers = ValueColumns(places, names, options, self._name)
        self._unused = "" if places.unused is None else names[places.unused]

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield the usable records, some thousand at a time."""
        self._file.keeps_texts = self.keeps_rows
        for records, lines in self._file.records():
            if records:
                yield self._build_batch(records, lines, rejections)
        if self._expected:
            raise DataError(
                f"{self._name}: no object has a key {self._expected[0]!r}; the first ones have "
                f"{', '.join(repr(key) for key in list(self._file.first_records[0])[:12])}"
            )
        self.notes += self._numbers.notes()

    def _find_keys(self, options: ReadOptions) -> tuple[list[str], list[str]]:
        """Return the keys of the first objects in order, then the named ones that must come later, and these alone."""
        if not self._file.first_records:
            first = f" (line 1: {TOO_LONG.text})" if self._file.is_first_too_long else ""
            raise DataError(
                f"{self._name} holds no JSON object in its first lines{first}; {HOW_TO_CONVERT}, or give format",
                mentions=("format",),
            )
        keys = list(dict.fromkeys(key for entry in self._file.first_records for key in entry))
        if self._file.is_sampled_whole:
            return keys, []
        named = (options.user_column, options.item_column, options.rating_column, options.timestamp_column)
        later = [key for key in named if isinstance(key, str) and key and not key.isdigit() and key not in keys]
        return keys + later, later

    def _build_batch(self, records: list[Record], lines: Sequence[int], rejections: RejectionLog) -> Batch:
        """Return the usable records of a batch; enter the others."""
        n_read = len(records)
        entries, places = self._select_objects(records, lines, rejections)
        self._expected = [key for key in self._expected if not any(key in entry for entry in entries)]
        if self._separator is not None:
            entries, places, n_more = self._expand(entries, places, self._separator)
            n_read += n_more
        keys = {role: _get_values(entries, self.columns[role]) for role, _ in _ROLES}
        ids = {role: _convert_plain_ids(column) for role, column in keys.items()}
        if any(column is None for column in ids.values()):
            rows = [row for row in range(len(entries)) if self._check_ids(keys, row, lines[places[row]], rejections)]
            entries, places = [entries[row] for row in rows], [places[row] for row in rows]
            fine_keys = {role: [_parse_key(column[row]) for row in rows] for role, column in keys.items()}
            ids = {role: _convert_ids(column, set(map(type, column))) for role, column in fine_keys.items()}
        if self._numbers.unused is not None:
            self._numbers.unused.see_objects(_get_values(entries, self._unused))
        values, fine = self._parse_values(entries, lambda row: lines[places[row]], rejections)
        users, items = ids["user"], ids["item"]
        if users is None or items is None:
            raise TypeError("ids that were checked are ids")
        if not fine.all():
            users, items = users[fine], items[fine]
            values = {role: column[fine] for role, column in values.items()}
        raw = _select_texts(self._file.texts, np.array(places, dtype=np.int64)[fine]) if self.keeps_rows else None
        return Batch(users, items, values.get("rating"), values.get("timestamp"), n_read, raw=raw)

    def _select_objects(
        self, records: list[Record], lines: Sequence[int], rejections: RejectionLog
    ) -> tuple[list[Object], Sequence[int]]:
        """Return the records that are objects, with their places among the records."""
        if Unreadable not in set(map(type, records)):
            return records, range(len(records))  # type: ignore[return-value]  # all of them are objects
        entries, places = [], []
        for place, (record, line) in enumerate(zip(records, lines, strict=True)):
            if isinstance(record, Unreadable):
                _reject(rejections, TOO_LONG if record.is_long else BAD_JSON, line, record.text)
            else:
                entries.append(record)
                places.append(place)
        return entries, places

    def _expand(
        self, entries: list[Object], places: Sequence[int], separator: str
    ) -> tuple[list[Object], Sequence[int], int]:
        """Return one entry for each element of a cell of items, and how many entries that is more."""
        key, expanded, repeated = self.columns["item"], [], []
        for entry, place in zip(entries, places, strict=True):
            elements = _split_elements(entry.get(key), separator)
            expanded += [{**entry, key: element} for element in elements]
            repeated += [place] * len(elements)
        return expanded, repeated, len(expanded) - len(entries)

    def _check_ids(self, keys: dict[str, list[Any]], row: int, line: int, rejections: RejectionLog) -> bool:
        """Return whether both ids can be used; enter why not."""
        for role, missing in _ROLES:
            value = keys[role][row]
            if value is None or value == "" or value != value:  # NaN
                _reject(rejections, missing, line, value)
                return False
        for role, _ in _ROLES:
            value = keys[role][row]
            if _parse_key(value) is None:
                _reject(rejections, NOT_AN_ID if isinstance(value, (list, dict)) else BAD_ID, line, value)
                return False
        return True

    def _parse_values(
        self, entries: list[Object], line_of: Callable[[int], int], rejections: RejectionLog
    ) -> tuple[dict[str, Float64Array], BoolArray]:
        """Return ratings and times, and which rows have all of them; enter the others."""
        values, fine = {}, np.ones(len(entries), dtype=np.bool_)
        for role in self._numbers.roles:
            column = _get_values(entries, self.columns[role])
            values[role] = self._numbers.parse_objects(role, column, lambda row: f"line {line_of(row)}")
            bad = np.flatnonzero(fine & ~np.isfinite(values[role])).tolist()
            for row in bad:
                _reject(rejections, self._numbers.reasons[role], line_of(row), column[row])
            fine[bad] = False
        return values, fine


def _get_values(entries: list[Object], key: str) -> list[Any]:
    """Return the value that each object has for a key, None where it has none."""
    try:
        return [entry[key] for entry in entries]
    except KeyError:
        return [entry.get(key) for entry in entries]


def _select_texts(texts: list[bytes], places: Int64Array) -> TextIds:
    """Return the bytes of the records at these places."""
    return TextIds.from_bytes([texts[place] for place in places.tolist()])


def _split_elements(cell: Any, separator: str) -> list[Any]:
    """Return the elements of a list, or of text with separators; one missing element where there is none."""
    if isinstance(cell, str):
        try:
            texts, _ = split_sequences(TextIds.from_strings([cell]), separator)
        except UnicodeEncodeError:  # half of a surrogate pair
            return [cell]
        cell = [texts.at(row) for row in range(len(texts))]
    return (cell or [None]) if isinstance(cell, list) else [cell]


def _convert_plain_ids(column: list[Any]) -> IdColumn | None:
    """Return the ids of a column of whole numbers and text; None where a value needs a closer look."""
    kinds = set(map(type, column))
    if not kinds <= {int, str} or "" in column:
        return None
    try:
        return _convert_ids(column, kinds)
    except UnicodeEncodeError:  # half of a surrogate pair
        return None


def _convert_ids(keys: list[Any], kinds: set[type]) -> IdColumn:
    """Return whole numbers and text as ids; `kinds` are their types."""
    if kinds == {int}:
        try:
            return np.array(keys, dtype=np.int64)
        except OverflowError:
            pass
    return TextIds.from_strings(keys if kinds == {str} else [str(key) for key in keys])


def _parse_key(value: Any) -> Key | None:
    """Return the id as a whole number or text, or None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, (int, str, float)):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < LARGEST_EXACT_FLOAT else None
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        return None
    return value


def _reject(rejections: RejectionLog, reason: Reason, line: int, value: object) -> None:
    rejections.reject(reason, 1, [(f"line {line}", value if isinstance(value, str) else json.dumps(value))])
