"""JSON lines and arrays of objects, by Python's own parser, so that whole numbers of any size stay exact."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from nestrec.data.id_index import TextIds
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch, FileReader
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.json_elements import HOW_TO_CONVERT, Record, Unreadable
from nestrec.data.readers.json_records import JsonFile
from nestrec.data.readers.python_values import Id, build_batch, parse_id
from nestrec.data.readers.sequences import split_sequences
from nestrec.data.readers.source_columns import SourceColumns
from nestrec.data.rejections import BAD_ID, BAD_JSON, NOT_AN_ID, NOT_UTF8, TOO_LONG, Reason, RejectionLog
from nestrec.errors import DataError

Object = dict[str, Any]


class JsonLinesReader(FileReader):
    """Objects whose keys are looked for in the first 64 KB; a key that was named may come later."""

    format = "jsonl"
    keeps_rows = False  # set before the first batch: batches hold the bytes of each object too

    def __init__(self, source: ByteSource, options: ReadOptions) -> None:
        super().__init__(source)
        self._file = JsonFile(source)
        self._separator = options.sequence_separator if options.sequence else None
        names, self._expected = self._find_keys(options)
        self._columns = SourceColumns(names, options, self._name)
        self.columns = self._columns.used
        self._keys = {role: names[place] for role, place in self._columns.places.items()}

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
        self.notes += self._columns.notes()

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
        named = (
            options.user_column, options.item_column, options.rating_column, options.timestamp_column,
            options.weight_column,
        )  # fmt: skip
        later = [key for key in named if isinstance(key, str) and key and not key.isdigit() and key not in keys]
        return keys + later, later

    def _build_batch(self, records: list[Record], lines: Sequence[int], rejections: RejectionLog) -> Batch:
        """Return the usable records of a batch; enter the others."""
        entries, places = self._select_objects(records, lines, rejections)
        self._expected = [key for key in self._expected if not any(key in entry for entry in entries)]
        columns = {role: _get_values(entries, key) for role, key in self._keys.items()}
        n_more = 0
        if self._separator is not None:
            cells = [_split_elements(cell, self._separator) for cell in columns["item"]]
            owners = [row for row, elements in enumerate(cells) for _ in elements]
            columns = {role: [column[row] for row in owners] for role, column in columns.items()}
            columns["item"], places = list(chain(*cells)), [places[row] for row in owners]
            n_more = len(owners) - len(entries)
        batch, rows = build_batch(
            columns, self._columns, rejections, lambda row: f"line {lines[places[row]]}", _format_value, _parse_id
        )
        raw = TextIds.from_bytes([self._file.texts[places[row]] for row in rows.tolist()]) if self.keeps_rows else None
        return replace(batch, n_read=len(records) + n_more, raw=raw)

    def _select_objects(
        self, records: list[Record], lines: Sequence[int], rejections: RejectionLog
    ) -> tuple[list[Object], Sequence[int]]:
        """Return the records that are objects, with their places among the records."""
        if Unreadable not in set(map(type, records)):
            return records, range(len(records))  # type: ignore[return-value]  # all of them are objects
        entries, places = [], []
        for place, (record, line) in enumerate(zip(records, lines, strict=True)):
            if isinstance(record, Unreadable):
                rejections.reject(TOO_LONG if record.is_long else BAD_JSON, 1, [(f"line {line}", record.text)])
            else:
                entries.append(record)
                places.append(place)
        return entries, places


def _get_values(entries: list[Object], key: str) -> list[Any]:
    """Return the value that each object has for a key, None where it has none."""
    try:
        return [entry[key] for entry in entries]
    except KeyError:
        return [entry.get(key) for entry in entries]


def _split_elements(cell: Any, separator: str) -> list[Any]:
    """Return the elements of a list, or of text with separators; one missing element where there is none."""
    if isinstance(cell, str):
        try:
            texts, _ = split_sequences(TextIds.from_strings([cell]), separator)
        except UnicodeEncodeError:  # half of a surrogate pair
            return [cell]
        cell = [texts.at(row) for row in range(len(texts))]
    return (cell or [None]) if isinstance(cell, list) else [cell]


def _parse_id(value: Any) -> Id | Reason:
    """Return the id as `parse_id` does, with the reasons that apply to JSON."""
    if isinstance(value, (list, dict)):
        return NOT_AN_ID
    return BAD_ID if (found := parse_id(value)) is NOT_UTF8 else found  # half of a surrogate pair


def _format_value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
