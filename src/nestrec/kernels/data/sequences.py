"""Splitting the elements of a sequence that is written in one cell, such as `12 7 33` or `['a', 'b']`."""

from __future__ import annotations

from nestrec.arrays import Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled

_TAB, _SPACE, _COMMA = 9, 32, 44
_OPEN, _BACKSLASH, _CLOSE = 91, 92, 93
_DOUBLE_QUOTE, _SINGLE_QUOTE = 34, 39


@compiled
def _trim(buffer: UInt8Array, start: int, end: int) -> tuple[int, int]:
    """Return the bounds without the blanks around."""
    while start < end and buffer[start] in (_SPACE, _TAB):
        start += 1
    while end > start and buffer[end - 1] in (_SPACE, _TAB):
        end -= 1
    return start, end


@compiled
def _find_closing_quote(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the place of the quote that closes the one at `place`, or `end`; a backslash escapes the next byte."""
    quote = buffer[place]
    place += 1
    while place < end and buffer[place] != quote:
        place += 2 if buffer[place] == _BACKSLASH else 1
    return min(place, end)


@compiled
def _find_element(buffer: UInt8Array, place: int, end: int, separator: int, in_list: bool) -> tuple[int, int, int]:
    """Return the bounds of the element at `place`, and the place after its separator."""
    place, _ = _trim(buffer, place, end)
    if in_list and place < end and buffer[place] in (_DOUBLE_QUOTE, _SINGLE_QUOTE):
        closing = _find_closing_quote(buffer, place, end)
        if closing < end:
            after, _ = _trim(buffer, closing + 1, end)
            return place + 1, closing, after + 1 if after < end and buffer[after] == separator else after
    stop = place
    while stop < end and buffer[stop] != separator and not (separator == _SPACE and buffer[stop] == _TAB):
        stop += 1
    first, last = _trim(buffer, place, stop)
    return first, last, stop + 1


@compiled
def split_sequences(
    buffer: UInt8Array,
    starts: Int64Array,  # (n,) bytes start:end of the buffer are one cell
    ends: Int64Array,
    separator: int,
    element_starts: Int64Array,  # (capacity,) out; an empty array only counts
    element_ends: Int64Array,
    cells: Int64Array,  # (capacity,) out: the cell of each element
) -> int:
    """Return the number of elements; enter as many as there is room for.

    Blanks around an element are no part of it and empty elements are none. A cell in brackets is a list: its elements
    stand between commas, or between blanks where it has no comma, and may be quoted.
    """
    n_elements = 0
    for cell in range(len(starts)):
        place, end = _trim(buffer, starts[cell], ends[cell])
        between = separator
        in_brackets = end - place >= 2 and buffer[place] == _OPEN and buffer[end - 1] == _CLOSE
        if in_brackets:
            place, end, between = place + 1, end - 1, _SPACE
            for byte in range(place, end):
                if buffer[byte] == _COMMA:
                    between = _COMMA
        while place < end:
            first, last, place = _find_element(buffer, place, end, between, in_brackets)
            if last > first:
                if n_elements < len(cells):
                    element_starts[n_elements], element_ends[n_elements], cells[n_elements] = first, last, cell
                n_elements += 1
    return n_elements
