"""Splitting bytes into rows and fields: delimited text after RFC 4180, blank-separated tokens, decimal numbers.

Python's `csv` module is the oracle of the tests. What differs, on purpose: every row carries the number of the line it
starts on, and a quote that is never closed spoils one line instead of swallowing the rest of the file.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.kernels.compiled import compiled

Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

FINE, UNCLOSED_QUOTE, TEXT_AFTER_QUOTE = 0, 1, 2

_LF, _CR, _TAB, _SPACE = 10, 13, 9, 32


@compiled
def _unescaped(buffer: Bytes, start: int, end: int, quote: int) -> int:
    """Turn doubled quotes into single ones, in place; return the new end."""
    write = start
    read = start
    while read < end:
        buffer[write] = buffer[read]
        read += 2 if buffer[read] == quote else 1
        write += 1
    return write


@compiled
def _past_line_end(buffer: Bytes, place: int, end: int) -> int:
    """Return the place after LF, CR LF or CR."""
    return place + (2 if buffer[place] == _CR and place + 1 < end and buffer[place + 1] == _LF else 1)


@compiled
def _cut_line_end(buffer: Bytes, place: int, end: int, is_last: bool) -> bool:
    """Tell whether a CR ends the bytes in hand, so that the next byte decides where the line ends."""
    return buffer[place] == _CR and place + 1 == end and not is_last


@compiled
def _past_blanks(buffer: Bytes, place: int, end: int, separator: Bytes) -> int:
    while place < end and buffer[place] == _SPACE and separator[0] != _SPACE:
        place += 1
    return place


@compiled
def _plain_end(buffer: Bytes, place: int, end: int, separator: Bytes) -> int:
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
def _quoted_end(
    buffer: Bytes, place: int, end: int, is_last: bool, quote: int, line: int
) -> tuple[int, bool, bool, int]:
    """Return the place of the closing quote, whether there is one, whether doubled quotes came before, and the line."""
    escaped = False
    while place < end:
        byte = buffer[place]
        if byte == quote:
            if place + 1 == end and not is_last:
                return place, False, escaped, line  # the next byte decides
            if place + 1 == end or buffer[place + 1] != quote:
                return place, True, escaped, line
            escaped = True
            place += 1
        elif byte == _LF or (byte == _CR and not (place + 1 < end and buffer[place + 1] == _LF)):
            line += 1
        place += 1
    return place, False, escaped, line


@compiled
def _read_row(
    buffer: Bytes,
    place: int,
    end: int,
    is_last: bool,
    separator: Bytes,
    quote: int,
    wanted: Int64,
    line: int,
    row: int,
    starts: Int64,
    ends: Int64,
    quoted: Bytes,
) -> tuple[int, int, int, int, bool]:
    """Enter the wanted fields of the row at `place`; return its end, the next line, fields, status, completeness."""
    column, state = 0, FINE
    while True:  # one field a turn
        place = _past_blanks(buffer, place, end, separator)
        in_quotes = quote >= 0 and place < end and buffer[place] == quote
        form = 1 if in_quotes else 0
        field_start = place + form
        if in_quotes:
            field_end, closed, escaped, line = _quoted_end(buffer, field_start, end, is_last, quote, line)
            if not closed:
                return place, line, column, UNCLOSED_QUOTE, False
            form = 2 if escaped else 1
            after = _past_blanks(buffer, field_end + 1, end, separator)
            place = _plain_end(buffer, after, end, separator)
            state = TEXT_AFTER_QUOTE if place > after else state
        else:
            place = _plain_end(buffer, place, end, separator)
            field_end = place
            while field_end > field_start and buffer[field_end - 1] == _SPACE:
                field_end -= 1
        if column < len(wanted) and wanted[column] >= 0:
            target = wanted[column]
            starts[target, row], ends[target, row], quoted[target, row] = field_start, field_end, form
        column += 1
        if place >= end:
            return place, line, column, state, is_last
        if buffer[place] in (_LF, _CR):
            complete = not _cut_line_end(buffer, place, end, is_last)
            return _past_line_end(buffer, place, end), line + 1, column, state, complete
        place += len(separator)


@compiled
def split_rows(
    buffer: Bytes,
    end: int,  # bytes in use
    is_last: bool,  # no more bytes will follow
    separator: Bytes,  # (1,) or (2,)
    quote: int,  # -1: no quoting
    longest_row: int,  # a row in quotes that is longer counts as unclosed
    wanted: Int64,  # for each column of the file the row of `starts` it goes to, or -1
    line: int,  # number of the first line
    starts: Int64,  # (n_wanted, capacity)
    ends: Int64,  # (n_wanted, capacity)
    quoted: Bytes,  # (n_wanted, capacity) 1 where the field stood in quotes, 2 where it held doubled ones
    n_fields: Int64,  # (capacity,)
    lines: Int64,  # (capacity,) line each row starts on
    status: Bytes,  # (capacity,) FINE, UNCLOSED_QUOTE or TEXT_AFTER_QUOTE
) -> tuple[int, int, int]:
    """Return rows found, bytes consumed and the number of the next line; an incomplete last row is left.

    Blank lines are no rows. Blanks around an unquoted field are not part of it. Doubled quotes become single ones in
    the buffer itself.
    """
    row, place = 0, 0
    while place < end and row < len(lines):
        if buffer[place] in (_LF, _CR):
            if _cut_line_end(buffer, place, end, is_last):
                break
            place, line = _past_line_end(buffer, place, end), line + 1
            continue
        # A short row has no such columns: without this, what the buffers held before would be followed.
        for target in range(len(starts)):
            starts[target, row], ends[target, row], quoted[target, row] = place, place, 0
        after, next_line, columns, state, complete = _read_row(
            buffer, place, end, is_last, separator, quote, wanted, line, row, starts, ends, quoted
        )
        if state == UNCLOSED_QUOTE and (is_last or end - place > longest_row):
            # Give up this line only, and go on after its end.
            after, next_line = place, line
            while after < end and buffer[after] not in (_LF, _CR):
                after += 1
            if after < end:
                after, next_line = _past_line_end(buffer, after, end), line + 1
        elif not complete:
            break
        for target in range(len(starts)):
            if state == FINE and quoted[target, row] == 2:
                ends[target, row] = _unescaped(buffer, starts[target, row], ends[target, row], quote)
        n_fields[row], lines[row], status[row] = columns, line, state
        row, place, line = row + 1, after, next_line
    return row, place, line


@compiled
def split_tokens(
    buffer: Bytes,
    end: int,
    is_last: bool,
    line: int,
    starts: Int64,  # (capacity,)
    ends: Int64,  # (capacity,)
    heads: Int64,  # (capacity,) place, among the tokens, of the first token of the same line
    lines: Int64,  # (capacity,)
) -> tuple[int, int, int, int]:
    """Split blank-separated tokens.

    Returns tokens, bytes consumed, the number of the line that is not finished, and the head of that line or -1.
    """
    n_tokens, place, head, consumed = 0, 0, -1, 0
    while place < end:
        byte = buffer[place]
        if byte in (_LF, _CR):
            if _cut_line_end(buffer, place, end, is_last):
                break
            place = _past_line_end(buffer, place, end)
            line, head, consumed = line + 1, -1, place
            continue
        if byte in (_SPACE, _TAB):
            place += 1
            consumed = place
            continue
        start = place
        while place < end and buffer[place] > _SPACE:
            place += 1
        while place < end and buffer[place] <= _SPACE and buffer[place] not in (_LF, _CR, _SPACE, _TAB):
            place += 1  # other control bytes belong to the token
            while place < end and buffer[place] > _SPACE:
                place += 1
        if place == end and not is_last:
            break
        if head < 0:
            head = n_tokens
        starts[n_tokens], ends[n_tokens], heads[n_tokens], lines[n_tokens] = start, place, head, line
        n_tokens += 1
        consumed = place
    return n_tokens, consumed, line, head


@compiled
def find_missing(buffer: Bytes, starts: Int64, ends: Int64, quoted: Bytes, missing: Bytes) -> None:
    r"""Set `missing` to 1 where a field is empty or, unquoted, one of NULL, null, None, NaN, nan, NA and `\N`."""
    for row in range(len(starts)):
        size = ends[row] - starts[row]
        missing[row] = size == 0
        if size == 0 or size > 4 or quoted[row]:
            continue
        word = np.int64(0)
        for place in range(starts[row], ends[row]):
            word = word * 256 + buffer[place]
        if word in (0x4E554C4C, 0x6E756C6C, 0x4E6F6E65, 0x4E614E, 0x6E616E, 0x4E41, 0x5C4E):
            missing[row] = 1


@compiled
def parse_decimals(
    buffer: Bytes,
    starts: Int64,  # (n,)
    ends: Int64,
    values: npt.NDArray[np.float64],  # (n,) out
    unsure: Bytes,  # (n,) out: 1 where the text is no plain decimal, or too long to be exact
) -> None:
    """Parse `-12.5` and the like, to the nearest float64; leave the rest, exponents included, to the caller."""
    for row in range(len(starts)):
        place, end = starts[row], ends[row]
        negative = place < end and buffer[place] == 45
        place += 1 if negative else 0
        mantissa, n_digits, n_decimals, after_point = np.int64(0), 0, 0, False
        plain = place < end
        while place < end:
            byte = buffer[place]
            if byte == 46 and not after_point:
                after_point = True
            elif 48 <= byte <= 57:
                mantissa = mantissa * 10 + (byte - 48)
                n_digits += 1
                n_decimals += 1 if after_point else 0
            else:
                plain = False
                break
            place += 1
        # Below 2^53 and 10^22 both numbers are exact, so one division rounds correctly (Clinger 1990).
        if not plain or n_digits == 0 or n_digits > 15:
            unsure[row], values[row] = 1, np.nan
            continue
        value = mantissa / 10.0**n_decimals
        unsure[row], values[row] = 0, -value if negative else value
