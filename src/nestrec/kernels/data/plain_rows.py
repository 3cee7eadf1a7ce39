"""Rows of delimited text without quotes, and what all readers of rows share: line ends, blanks, empty fields."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled

_LF, _CR, _TAB, _SPACE = 10, 13, 9, 32
_AT_ONCE = 4096  # bytes searched without a branch


@compiled
def skip_line_end(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the place after LF, CR LF or CR."""
    return place + (2 if buffer[place] == _CR and place + 1 < end and buffer[place + 1] == _LF else 1)


@compiled
def cuts_line_end(buffer: UInt8Array, place: int, end: int, is_last: bool) -> bool:
    """Return whether a CR is the last byte so far, so that the next byte decides where the line ends."""
    return buffer[place] == _CR and place + 1 == end and not is_last


@compiled
def find_line_end(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the place of the next LF or CR, or `end`."""
    while place < end and buffer[place] not in (_LF, _CR):
        place += 1
    return place


@compiled
def find_last_line(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the start of the last line in these bytes."""
    last = end
    while last > place and buffer[last - 1] not in (_LF, _CR):
        last -= 1
    return last


@compiled
def skip_byte_order_mark(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the place after a byte order mark, which concatenated files have at the start of any line."""
    if buffer[place] == 0xEF and place + 2 < end and buffer[place + 1] == 0xBB and buffer[place + 2] == 0xBF:
        return place + 3
    return place


@compiled
def skip_blanks(buffer: UInt8Array, place: int, end: int, separator: UInt8Array) -> int:
    """Return the place after the blanks, which begin no separator."""
    while place < end and buffer[place] == _SPACE and separator[0] != _SPACE:
        place += 1
    return place


@compiled
def skip_spacing(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the place after blanks and tabs."""
    while place < end and buffer[place] in (_SPACE, _TAB):
        place += 1
    return place


@compiled
def find_field_end(buffer: UInt8Array, place: int, end: int, separator: UInt8Array) -> int:
    """Return the place of the next separator or line end, or `end`."""
    first, second, wide = separator[0], separator[len(separator) - 1], len(separator) == 2
    while place < end:
        byte = buffer[place]
        if byte in (_LF, _CR):
            break
        if byte == first and (not wide or (place + 1 < end and buffer[place + 1] == second)):
            break
        place += 1
    return place


@compiled
def find_token_end(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the place of the next blank, tab or line end, or `end`."""
    while place < end and buffer[place] not in (_SPACE, _TAB, _LF, _CR):
        place += 1
    return place


@compiled
def drop_empty_tail(n_fields: int, n_filled: int, expected: int) -> int:
    """Return the fields of a row: delimiters at the end of the line are none beyond those expected."""
    return expected if n_fields > expected >= n_filled and expected > 0 else n_fields


@compiled
def holds_byte(buffer: UInt8Array, end: int, byte: int) -> bool:
    """Return whether the byte is among those before `end`."""
    for start in range(0, end, _AT_ONCE):
        found = False
        for place in range(start, min(start + _AT_ONCE, end)):
            found |= buffer[place] == byte
        if found:
            return True
    return False


@compiled
def mark_field_ends(separator: UInt8Array) -> UInt8Array:
    """Return, for each byte, 1 where it ends a field without quotes; (256,)."""
    marks = np.zeros(256, dtype=np.uint8)
    marks[separator[0]], marks[_LF], marks[_CR] = 1, 1, 1
    return marks


@compiled
def read_plain_row(
    buffer: UInt8Array,
    place: int,
    end: int,
    at_end: bool,  # no more bytes follow `end`
    ends_field: UInt8Array,  # of `mark_field_ends`
    expected: int,
    targets: Int64Array,
    row: int,
    starts: Int64Array,
    ends: Int64Array,
    quoted: UInt8Array,
) -> tuple[int, int, bool]:
    """Write the selected fields of a row in which no byte is a quote and the separator is one byte, and no blank.

    Return the place after it, its fields, and whether it is complete.
    """
    column, n_filled = 0, 0
    while True:  # one field a turn
        while place < end and buffer[place] == _SPACE:
            place += 1
        field_start = place
        while place < end and not ends_field[buffer[place]]:
            place += 1
        field_end = place
        while field_end > field_start and buffer[field_end - 1] == _SPACE:
            field_end -= 1
        if column < len(targets) and targets[column] >= 0:
            target = targets[column]
            starts[target, row], ends[target, row], quoted[target, row] = field_start, field_end, 0
        column += 1
        n_filled = column if field_end > field_start else n_filled
        if place >= end:
            return end, drop_empty_tail(column, n_filled, expected), at_end
        if buffer[place] == _LF or buffer[place] == _CR:
            complete = not cuts_line_end(buffer, place, end, at_end)
            return skip_line_end(buffer, place, end), drop_empty_tail(column, n_filled, expected), complete
        place += 1


@compiled
def count_plain_fields(buffer: UInt8Array, place: int, end: int, separator: UInt8Array) -> tuple[int, int]:
    """Return the fields of one line, quotes being ordinary characters, and the place of its end."""
    n_fields = 0
    if len(separator) == 1 and separator[0] == _SPACE:
        place = skip_spacing(buffer, place, end)
        while place < end and buffer[place] not in (_LF, _CR):
            place = skip_spacing(buffer, find_token_end(buffer, place, end), end)
            n_fields += 1
        return n_fields, place
    while True:
        place = find_field_end(buffer, place, end, separator)
        n_fields += 1
        if place >= end or buffer[place] in (_LF, _CR):
            return n_fields, place
        place += len(separator)


@compiled
def clear_unread(
    count: int,
    all_covered: bool,  # of `cover_all_targets`
    targets: Int64Array,
    row: int,
    place: int,
    starts: Int64Array,
    ends: Int64Array,
    quoted: UInt8Array,
) -> None:
    """Make the selected fields empty that are not among the first `count` of the row, which were written."""
    if all_covered and count >= len(targets):
        return
    for target in range(len(starts)):
        entered = False
        for column in range(min(count, len(targets))):
            entered |= targets[column] == target
        if not entered:
            starts[target, row], ends[target, row], quoted[target, row] = place, place, 0


@compiled
def cover_all_targets(targets: Int64Array, n_targets: int) -> bool:
    """Return whether each row of `starts` has a column, so that a row with all columns writes all of its fields."""
    for target in range(n_targets):
        found = False
        for column in range(len(targets)):
            found |= targets[column] == target
        if not found:
            return False
    return True
