"""The records of a JSON file in bounded memory: one object a line, or the elements of one array, however it is broken.

A record may have `LONGEST_ROW` bytes. A longer line is handed on as its first bytes, for the reader to count.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from nestrec.data.readers.blocks import LONGEST_ROW
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.json_elements import (
    DECODER,
    HOW_TO_CONVERT,
    Elements,
    Record,
    Records,
    Unreadable,
    as_record,
    end_of_blanks,
    next_value,
)
from nestrec.errors import DataError

_AT_ONCE = 1 << 20
_LINES_AT_ONCE = 4 << 20
_SAMPLE = 1 << 16  # bytes in which keys are looked for
_LINE_END = re.compile(r"[ \t\r]*,?[ \t\r]*\n")
_MARK = b",null,"  # between lines that are parsed at once


class JsonFile:
    """Finds out how the records stand in the file, and yields them."""

    keeps_texts = False  # set before the first records: `texts` then holds the bytes of each of them

    def __init__(self, source: ByteSource) -> None:
        self._source, self._pending = source, b""
        self.texts: list[bytes] = []  # (n,) of the last records yielded, without line ends between them
        self._buffer = memoryview(bytearray(_AT_ONCE))
        head = self._peek(LONGEST_ROW + _SAMPLE)
        text = head.decode("utf-8", "replace")
        if not text.strip():
            raise DataError(f"{source.path} is empty; give a file with one JSON object a line")
        self._is_array = text.lstrip().startswith("[")
        self._by_line = _has_record_lines(text)
        sample = _sample_lines(head) if self._by_line else _sample_elements(text, is_array=self._is_array)
        self.first_records = [record for record in sample if isinstance(record, dict)]
        self.is_first_too_long = self._by_line and len(head.split(b"\n", 1)[0]) > LONGEST_ROW
        self.is_sampled_whole = len(head) <= _SAMPLE  # there are no other records

    def records(self) -> Iterator[Records]:
        """Yield all records, some thousand at a time."""
        if not self._by_line:
            yield from self._iterate_elements()
            return
        line, last = 1, b""
        for lines in self._iterate_lines():
            last = next((raw for raw in reversed(lines) if raw.strip()), last)
            raws = [_strip_array(raw) for raw in lines] if self._is_array else lines
            self.texts = [raw for raw in raws if raw.strip()] if self.keeps_texts else []
            yield _parse_lines(raws, line)
            line += len(lines)
        if self._is_array and not last.rstrip().endswith(b"]"):
            raise DataError(
                f"{self._source.path}, line {line - 1}: the JSON array is cut off; write or fetch it again, or "
                f"{HOW_TO_CONVERT}"
            )

    def _iterate_elements(self) -> Iterator[Records]:
        elements = Elements(str(self._source.path), is_array=self._is_array, keeps_texts=self.keeps_texts)
        decoder = codecs.getincrementaldecoder("utf-8")()
        at_end = False
        while not at_end:
            part = self._read()
            at_end = not part
            try:
                text = decoder.decode(part, at_end)
            except UnicodeDecodeError as error:
                raise DataError(f"{self._source.path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
            records = elements.feed(text, at_end=at_end)
            self.texts = elements.texts
            yield records

    def _iterate_lines(self) -> Iterator[list[bytes]]:
        """Yield complete lines; of a longer one than may be, one byte more than that."""
        rest = b""
        while part := self._read():
            parts, size = [part], len(part)
            while size < _LINES_AT_ONCE and (part := self._read()):
                parts.append(part)
                size += len(part)
            block = b"".join(parts)
            cut = block.rfind(b"\n")
            if cut < 0:
                rest = (rest + block)[: LONGEST_ROW + 1]
                continue
            yield (rest + block[:cut]).split(b"\n")
            rest = block[cut + 1 :][: LONGEST_ROW + 1]
        if rest:
            yield [rest]

    def _peek(self, n_bytes: int) -> bytes:
        """Return the first bytes that are left, without consuming them."""
        parts, size = [self._pending], len(self._pending)
        while size < n_bytes and (part := self._read_some()):
            parts.append(part)
            size += len(part)
        self._pending = b"".join(parts)
        return self._pending[:n_bytes]

    def _read(self) -> bytes:
        """Return the next bytes, none at the end."""
        if self._pending:
            part, self._pending = self._pending, b""
            return part
        return self._read_some()

    def _read_some(self) -> bytes:
        n_read = self._source.readinto(self._buffer)
        return bytes(self._buffer[:n_read])


def _has_record_lines(text: str) -> bool:
    """Return whether records stand one a line: not where the first one shares its line or has several."""
    start = end_of_blanks(text, 0)
    is_array = text.startswith("[", start)
    found = next_value(text, end_of_blanks(text, start + 1) if is_array else start)
    if found is None or not isinstance(found[0], dict):
        return not is_array
    begin = end_of_blanks(text, start + 1) if is_array else start
    return "\n" not in text[begin : found[1]] and (not is_array or _LINE_END.match(text, found[1]) is not None)


def _sample_lines(head: bytes) -> Iterator[Record]:
    """Yield the records of the lines that begin in the first 64 KB, or, where there is none, the first one."""
    place, found = 0, False
    while place < (min(len(head), _SAMPLE) if found else len(head)):
        end = head.find(b"\n", place)
        record = _parse_line(_strip_array(head[place : end if end >= 0 else len(head)]))
        found = found or isinstance(record, dict)
        yield record
        place = end + 1 if end >= 0 else len(head)


def _sample_elements(text: str, *, is_array: bool) -> Iterator[Record]:
    """Yield the elements that begin in the first 64 KB."""
    place = end_of_blanks(text, text.find("[") + 1 if is_array else 0)
    while place < min(len(text), _SAMPLE) and (found := next_value(text, place)):
        yield as_record(*found[:1], text[place : found[1]])
        place = end_of_blanks(text, found[1])


def _strip_array(raw: bytes) -> bytes:
    """Return the object of a line of an array, without what belongs to the array."""
    bare = raw.strip()
    bare = bare[:-1].rstrip() if bare.endswith(b",") else bare
    bare = bare[1:].lstrip() if bare.startswith((b",", b"[")) else bare
    return b"" if bare == b"]" else bare[:-1] if bare.endswith(b"}]") else bare


def _parse_lines(lines: list[bytes], first: int) -> Records:
    """Parse many lines at once where all are objects, else one by one; blank lines are no records."""
    try:
        values = json.loads((b"[" + _MARK.join(lines) + b"]").decode("utf-8"))
    except (ValueError, RecursionError):
        values = []
    whole = len(values) == 2 * len(lines) - 1 and values[1::2].count(None) == len(lines) - 1
    if whole and set(map(type, values[::2])) == {dict} and max(map(len, lines)) <= LONGEST_ROW:
        return values[::2], range(first, first + len(lines))
    numbered = [(line, raw) for line, raw in enumerate(lines, start=first) if raw.strip()]
    return [_parse_line(raw) for _, raw in numbered], [line for line, _ in numbered]


def _parse_line(raw: bytes) -> Record:
    if len(raw) > LONGEST_ROW:
        return Unreadable(raw[:80].decode("utf-8", "backslashreplace"), is_long=True)
    value: Any = None
    with suppress(ValueError, RecursionError):
        value = DECODER.decode(raw.decode("utf-8"))
    return as_record(value, raw[:400].strip().decode("utf-8", "backslashreplace"))
