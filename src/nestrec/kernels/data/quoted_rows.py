"""Rows of delimited text with quoted fields, after RFC 4180, or with runs of blanks between fields."""

from __future__ import annotations

from nestrec.arrays import Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.data.plain_rows import (
    cuts_line_end,
    drop_empty_tail,
    find_field_end,
    find_token_end,
    skip_blanks,
    skip_line_end,
    skip_spacing,
)

FINE, UNCLOSED_QUOTE, TEXT_AFTER_QUOTE, STRAY_QUOTE, TOO_LONG = 0, 1, 2, 3, 4  # status of a row

_LF, _CR, _SPACE = 10, 13, 32


@compiled
def _find_quote(
    buffer: UInt8Array, place: int, end: int, at_end: bool, quote: int, may_span: bool, n_line_ends: int
) -> tuple[int, bool, bool, int]:
    """Return the place of the closing quote, whether there is one, whether doubled quotes came before, and line ends.

    Where the field may not span lines, stop at the first line end.
    """
    escaped = False
    while place < end:
        byte = buffer[place]
        if byte == quote:
            if place + 1 == end and not at_end:
                return end, False, escaped, n_line_ends  # the next byte decides
            if place + 1 == end or buffer[place + 1] != quote:
                return place, True, escaped, n_line_ends
            escaped = True
            place += 1
        elif byte == _LF or (byte == _CR and not (place + 1 < end and buffer[place + 1] == _LF)):
            if not may_span:
                return place, False, escaped, n_line_ends
            n_line_ends += 1
        place += 1
    return end, False, escaped, n_line_ends


@compiled
def read_row(
    buffer: UInt8Array,
    place: int,
    end: int,
    at_end: bool,  # no more bytes follow `end`
    separator: UInt8Array,
    quote: int,
    may_span: bool,
    expected: int,
    targets: Int64Array,
    row: int,
    starts: Int64Array,
    ends: Int64Array,
    quoted: UInt8Array,
) -> tuple[int, int, int, int, bool]:
    """Write the selected fields of the row at `place`; a blank as separator is any run of blanks and tabs.

    Return the place after it, the line ends inside quotes, its fields, its status, and whether it is complete.
    """
    column, n_filled, state, inner = 0, 0, FINE, 0
    by_blanks = len(separator) == 1 and separator[0] == _SPACE
    while True:  # one field a turn
        place = skip_spacing(buffer, place, end) if by_blanks else skip_blanks(buffer, place, end, separator)
        if not by_blanks or (place < end and buffer[place] not in (_LF, _CR)):
            in_quotes = quote >= 0 and place < end and buffer[place] == quote
            form = 1 if in_quotes else 0
            field_start = place + form
            if in_quotes:
                field_end, closed, escaped, inner = _find_quote(
                    buffer, field_start, end, at_end, quote, may_span, inner
                )
                if not closed:
                    return field_end, inner, column, UNCLOSED_QUOTE, False
                form = 2 if escaped else 1
                place = skip_blanks(buffer, field_end + 1, end, separator)
            after = place
            place = find_token_end(buffer, after, end) if by_blanks else find_field_end(buffer, after, end, separator)
            if in_quotes:
                state = TEXT_AFTER_QUOTE if place > after else state
            else:
                field_end = place
                while field_end > field_start and buffer[field_end - 1] == _SPACE:
                    field_end -= 1
            if column < len(targets) and targets[column] >= 0:
                target = targets[column]
                starts[target, row], ends[target, row], quoted[target, row] = field_start, field_end, form
            column += 1
            n_filled = column if field_end > field_start else n_filled
            if by_blanks:
                continue
        count = column if by_blanks else drop_empty_tail(column, n_filled, expected)
        if place >= end:
            return end, inner, count, state, at_end
        if buffer[place] in (_LF, _CR):
            complete = not cuts_line_end(buffer, place, end, at_end)
            return skip_line_end(buffer, place, end), inner, count, state, complete
        place += len(separator)


@compiled
def _unescape(buffer: UInt8Array, start: int, end: int, quote: int) -> int:
    """Replace doubled quotes by single ones, in place; return the new end."""
    write = start
    read = start
    while read < end:
        buffer[write] = buffer[read]
        read += 2 if buffer[read] == quote else 1
        write += 1
    return write


@compiled
def unescape_row(
    buffer: UInt8Array, row: int, starts: Int64Array, ends: Int64Array, quoted: UInt8Array, quote: int, state: int
) -> None:
    """Replace doubled quotes by single ones in the fields of a well-formed row."""
    for target in range(len(starts)):
        if state == FINE and quoted[target, row] == 2:
            ends[target, row] = _unescape(buffer, starts[target, row], ends[target, row], quote)
