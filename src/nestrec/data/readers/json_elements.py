"""The elements of a JSON array, or objects one after another, of any number of lines each, as their text comes in."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nestrec.data.readers.blocks import LONGEST_ROW
from nestrec.errors import DataError

HOW_TO_CONVERT = "write one object a line, for example with `jq -c '.[]' FILE > FILE.jsonl`"

_LONGEST_INTEGER = 4000  # digits; Python refuses to parse numbers of some hundred more
_BETWEEN = re.compile(r"[\s,]*")
_LINE_END = re.compile(r"[ \t]*[\r\n]+[ \t]*")  # never inside a string, where JSON escapes it
_WAITING = LONGEST_ROW + (1 << 20)  # characters in which an element must end


@dataclass(frozen=True)
class Unreadable:
    """A record that is not a JSON object."""

    text: str
    is_long: bool = False


Record = dict[str, Any] | Unreadable
Records = tuple[list[Record], Sequence[int]]  # records, and the line each begins in


def _parse_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


DECODER = json.JSONDecoder(parse_int=_parse_integer)


class Elements:
    """Takes text in pieces of any size and gives the elements that are complete."""

    def __init__(self, name: str, *, is_array: bool, keeps_texts: bool = False) -> None:
        self._name, self._is_array, self._keeps_texts = name, is_array, keeps_texts
        self._text, self._line = "", 1
        self.texts: list[bytes] = []  # of the last elements returned, each on one line
        self._opened, self._closed = not is_array, False

    def feed(self, part: str, *, at_end: bool) -> Records:
        """Return the elements that end in the text so far.

        Raises DataError where the text can be no beginning of an element, or ends in one.
        """
        self._text += part
        if not self._opened and "[" in self._text:
            self._skip_to(self._text.index("[") + 1)
            self._opened = True
        records: list[Record] = []
        lines: list[int] = []
        self.texts = []
        while self._opened and not self._closed:
            self._skip_to(end_of_blanks(self._text, self._place))
            if self._is_array and self._text.startswith("]", self._place):
                self._skip_to(self._place + 1)
                self._closed = True
                break
            found = next_value(self._text, self._place)
            if found is None or (found[1] == len(self._text) and not at_end):
                break
            text = self._text[self._place : found[1]]
            records.append(as_record(found[0], text))
            if self._keeps_texts:
                self.texts.append(_LINE_END.sub(" ", text).encode("utf-8"))
            lines.append(self._line)
            self._skip_to(found[1])
        self._text, self._place = self._text[self._place :], 0
        self._check_rest(at_end=at_end)
        return records, lines

    _place = 0  # in the text

    def _skip_to(self, place: int) -> None:
        self._line += self._text.count("\n", self._place, place)
        self._place = place

    def _check_rest(self, *, at_end: bool) -> None:
        where, left = f"{self._name}, line {self._line}", self._text.strip()
        if self._closed and left:
            raise DataError(f"{where}: text follows the end of the JSON array; {HOW_TO_CONVERT}")
        if at_end and (left or (self._is_array and not self._closed)):
            raise DataError(f"{where}: the JSON is damaged or cut off; write or fetch it again, or {HOW_TO_CONVERT}")
        if len(left) > _WAITING:
            raise DataError(f"{where}: an element is damaged or longer than 1 MiB; {HOW_TO_CONVERT}")


def next_value(text: str, place: int) -> tuple[object, int] | None:
    """Return the JSON value at a place and where it ends, or None where there is none."""
    try:
        return DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        return None


def end_of_blanks(text: str, place: int) -> int:
    """Return the place after blanks, line ends and commas."""
    found = _BETWEEN.match(text, place)
    return place if found is None else found.end()


def as_record(value: object, text: str) -> Record:
    """Return an object, or `Unreadable` for anything else and for what is longer than a row may be."""
    if len(text) > LONGEST_ROW:
        return Unreadable(text[:80], is_long=True)
    return value if isinstance(value, dict) else Unreadable(text[:400])
