"""The records of a JSON file in bounded memory: one object a line, or the elements of one array, however it is broken.

A record may have `LONGEST_ROW` bytes. A longer line is handed on as its first bytes, for the reader to count.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nestrec.data.readers.blocks import LONGEST_ROW
from nestrec.data.readers.byte_source import ByteSource
from nestrec.errors import DataError

_AT_ONCE = 1 << 20
_LINES_AT_ONCE = 4 << 20
_SAMPLE = 1 << 16  # bytes in which keys are looked for
_LONGEST_INTEGER = 4000  # digits; Python refuses to parse numbers of some hundred more
_BLANKS = re.compile(r"\s*")
_BETWEEN = re.compile(r"[\s,]*")
_MARK = '"nestrec: end of a line"'
_MARK_VALUE = json.loads(_MARK)
_CONVERT = "write one object a line, for example with `jq -c '.[]' FILE > FILE.jsonl`"


@dataclass(frozen=True)
class Unreadable:
    """What stands for a record that is no JSON object."""

    text: str
    is_long: bool = False


Record = dict[str, Any] | Unreadable
Records = tuple[list[Record], list[int]]  # records, and the line each begins in


def _parse_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


_DECODER = json.JSONDecoder(parse_int=_parse_integer)


class JsonFile:
    """Finds out how the records stand in the file, and yields them."""

    def __init__(self, source: ByteSource) -> None:
        self._source, self._pending = source, b""
        head = self._fill(LONGEST_ROW + _SAMPLE)
        self._is_whole = len(head) < LONGEST_ROW + _SAMPLE
        text = head.decode("utf-8", "replace")
        if not text.strip():
            raise DataError(f"{source.path} is empty; give a file with one JSON object a line")
        self._is_array = text.lstrip().startswith("[")
        self._by_line = _has_record_lines(text)
        self.first_records = list(self._sample(head))

    @property
    def is_sampled_whole(self) -> bool:
        """Whether `first_records` are all there are."""
        return self._is_whole and len(self._pending) <= _SAMPLE

    def records(self) -> Iterator[Records]:
        """Yield all records, some thousand at a time."""
        if not self._by_line:
            yield from self._elements()
            return
        line = 1
        for lines in self._lines():
            bare = [_without_array(raw) for raw in lines] if self._is_array else lines
            yield _parse_lines(bare, line)
            line += len(lines)

    def _sample(self, head: bytes) -> Iterator[dict[str, Any]]:
        """Yield the objects that begin in the first 64 KB."""
        if not self._by_line:
            text = head.decode("utf-8", "replace")
            place = _BETWEEN.match(text, text.find("[") + 1 if self._is_array else 0).end()  # type: ignore[union-attr]
            while place < min(len(text), _SAMPLE) and (found := _next_value(text, place)):
                if isinstance(found[0], dict):
                    yield found[0]
                place = _BETWEEN.match(text, found[1]).end()  # type: ignore[union-attr]
            return
        size = 0
        for raw in head.split(b"\n"):
            if size > _SAMPLE:
                return
            size += len(raw)
            record = _parse_line(_without_array(raw) if self._is_array else raw)
            if isinstance(record, dict):
                yield record

    def _fill(self, n_bytes: int) -> bytes:
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
        buffer = bytearray(_AT_ONCE)
        n_read = self._source.readinto(memoryview(buffer))
        return bytes(buffer[:n_read])

    def _lines(self) -> Iterator[list[bytes]]:
        """Yield complete lines; of a longer one than may be, one byte more than that."""
        rest = b""
        while part := self._read():
            parts = [part]
            while sum(map(len, parts)) < _LINES_AT_ONCE and (more := self._read()):
                parts.append(more)
            block = b"".join(parts)
            cut = block.rfind(b"\n")
            if cut < 0:
                rest = (rest + block)[: LONGEST_ROW + 1]
                continue
            yield (rest + block[:cut]).split(b"\n")
            rest = block[cut + 1 :][: LONGEST_ROW + 1]
        if rest:
            yield [rest]

    def _elements(self) -> Iterator[Records]:
        """Yield the elements of an array, or objects one after another, of any number of lines each."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        text, line, at_end, closed = "", 1, False, not self._is_array
        opened = not self._is_array
        while not at_end:
            part = self._read()
            at_end = not part
            try:
                text += decoder.decode(part, at_end)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._source.path} is not UTF-8 text ({error.reason}); save the file as UTF-8"
                ) from error
            if not opened:
                text, opened = text[text.index("[") + 1 :], True
            records, lines, place = [], [], 0
            while not closed or not self._is_array:
                start = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
                line += text.count("\n", place, start)
                place = start
                if self._is_array and text[place : place + 1] == "]":
                    closed, place = True, place + 1
                    break
                found = _next_value(text, place)
                if found is None or (found[1] == len(text) and not at_end):
                    break
                records.append(_as_record(found[0], text[place : found[1]]))
                lines.append(line)
                line += text.count("\n", place, found[1])
                place = found[1]
            text = text[place:]
            self._check_rest(text, line, closed=closed, at_end=at_end)
            if records:
                yield records, lines

    def _check_rest(self, text: str, line: int, *, closed: bool, at_end: bool) -> None:
        """Raise DataError where what is left can be no beginning of an element."""
        name, left = self._source.path, text.strip()
        if closed and self._is_array and left:
            raise DataError(f"{name}, line {line}: text follows the end of the JSON array; {_CONVERT}")
        if at_end and (left or not closed):
            raise DataError(
                f"{name}, line {line}: the JSON is damaged or cut off; write or fetch it again, or {_CONVERT}"
            )
        if len(text) > LONGEST_ROW + _AT_ONCE:
            raise DataError(f"{name}, line {line}: an element is damaged or longer than 1 MiB; {_CONVERT}")


def _has_record_lines(text: str) -> bool:
    """Tell whether records stand one a line: true unless the first one shares its line or has several."""
    start = _BLANKS.match(text).end()  # type: ignore[union-attr]
    if text[start] not in "[{":
        return True
    is_array = text[start] == "["
    start = _BLANKS.match(text, start + 1 if is_array else start).end()  # type: ignore[union-attr]
    found = _next_value(text, start)
    if found is None:
        return not is_array
    _, end = found
    if "\n" in text[start:end]:
        return False
    return not is_array or re.compile(r"[ \t\r]*,?[ \t\r]*\n").match(text, end) is not None


def _next_value(text: str, place: int) -> tuple[object, int] | None:
    """Return the JSON value at a place and where it ends, or None where there is none."""
    try:
        return _DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        return None


def _without_array(raw: bytes) -> bytes:
    """Return the object of a line of an array, without what belongs to the array."""
    bare = raw.strip()
    bare = bare[:-1].rstrip() if bare.endswith(b",") else bare
    if bare in (b"[", b"]"):
        return b""
    bare = bare[1:] if bare.startswith(b"[") else bare
    return bare[:-1] if bare.endswith(b"}]") else bare


def _parse_lines(lines: list[bytes], first: int) -> Records:
    """Parse many lines at once where all are objects, else one by one; blank lines are no records."""
    try:
        text = f",{_MARK},".encode().join(lines).decode("utf-8")
        values = json.loads(f"[{text}]")
    except (ValueError, RecursionError):
        values = []
    whole = len(values) == 2 * len(lines) - 1 and values[1::2].count(_MARK_VALUE) == len(lines) - 1
    if whole and set(map(type, values[::2])) == {dict} and max(map(len, lines)) <= LONGEST_ROW:
        return values[::2], list(range(first, first + len(lines)))
    numbered = [(line, raw) for line, raw in enumerate(lines, start=first) if raw.strip()]
    return [_parse_line(raw) for _, raw in numbered], [line for line, _ in numbered]


def _parse_line(raw: bytes) -> Record:
    if len(raw) > LONGEST_ROW:
        return Unreadable(raw[:80].decode("utf-8", "backslashreplace"), is_long=True)
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        value = None
    return _as_record(value, raw[:400].strip().decode("utf-8", "backslashreplace"))


def _as_record(value: object, text: str) -> Record:
    if len(text) > LONGEST_ROW:
        return Unreadable(text[:80], is_long=True)
    return value if isinstance(value, dict) else Unreadable(text[:400])
