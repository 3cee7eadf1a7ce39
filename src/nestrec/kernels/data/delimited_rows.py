"""Splitting delimited text into rows and fields after RFC 4180, in linear time whatever the quotes are.

Python's `csv` module is the oracle of the tests. What differs, on purpose: every row carries the number of the line it
starts on, and a stray quote costs the line it stands on instead of all lines up to the next quote or the end of the
file. A quoted field that holds line ends is taken for a stray quote where the lines in it are rows of their own.
"""

from __future__ import annotations

from nestrec.arrays import Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.data.plain_rows import (
    are_all_wanted,
    clear_row,
    clear_unread,
    cuts_line_end,
    find_last_line,
    find_line_end,
    holds_byte,
    mark_field_ends,
    past_blanks,
    past_byte_order_mark,
    past_line_end,
    read_plain_row,
    without_empty_tail,
)

FINE, UNCLOSED_QUOTE, TEXT_AFTER_QUOTE, STRAY_QUOTE, TOO_LONG = 0, 1, 2, 3, 4
SKIPPING, GUARD = 0, 1  # places in `carry`

_LF, _CR, _TAB, _SPACE = 10, 13, 9, 32
_ANY, _PLAIN, _BY_BLANKS = 0, 1, 2  # forms of rows


@compiled
def _unescape(buffer: UInt8Array, start: int, end: int, quote: int) -> int:
    """Turn doubled quotes into single ones, in place; return the new end."""
    write = start
    read = start
    while read < end:
        buffer[write] = buffer[read]
        read += 2 if buffer[read] == quote else 1
        write += 1
    return write


@compiled
def _past_spacing(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the place after blanks and tabs."""
    while place < end and buffer[place] in (_SPACE, _TAB):
        place += 1
    return place


@compiled
def _plain_end(buffer: UInt8Array, place: int, end: int, separator: UInt8Array) -> int:
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
def _token_end(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the place of the next blank, tab or line end, or `end`."""
    while place < end and buffer[place] not in (_SPACE, _TAB, _LF, _CR):
        place += 1
    return place


@compiled
def _quoted_end(
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
def _read_row(
    buffer: UInt8Array,
    place: int,
    end: int,
    at_end: bool,  # no more bytes follow `end`
    separator: UInt8Array,
    quote: int,
    may_span: bool,
    expected: int,
    wanted: Int64Array,
    row: int,
    starts: Int64Array,
    ends: Int64Array,
    quoted: UInt8Array,
) -> tuple[int, int, int, int, bool]:
    """Enter the wanted fields of the row at `place`.

    Return the place after it, the line ends inside quotes, its fields, its status, and whether it is complete.
    """
    column, n_filled, state, inner = 0, 0, FINE, 0
    while True:  # one field a turn
        place = past_blanks(buffer, place, end, separator)
        in_quotes = quote >= 0 and place < end and buffer[place] == quote
        form = 1 if in_quotes else 0
        field_start = place + form
        if in_quotes:
            field_end, closed, escaped, inner = _quoted_end(buffer, field_start, end, at_end, quote, may_span, inner)
            if not closed:
                return field_end, inner, column, UNCLOSED_QUOTE, False
            form = 2 if escaped else 1
            after = past_blanks(buffer, field_end + 1, end, separator)
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
        n_filled = column if field_end > field_start else n_filled
        if place >= end:
            return end, inner, without_empty_tail(column, n_filled, expected), state, at_end
        if buffer[place] in (_LF, _CR):
            complete = not cuts_line_end(buffer, place, end, at_end)
            count = without_empty_tail(column, n_filled, expected)
            return past_line_end(buffer, place, end), inner, count, state, complete
        place += len(separator)


@compiled
def _read_row_by_blanks(
    buffer: UInt8Array,
    place: int,
    end: int,
    at_end: bool,
    quote: int,
    may_span: bool,
    wanted: Int64Array,
    row: int,
    starts: Int64Array,
    ends: Int64Array,
    quoted: UInt8Array,
) -> tuple[int, int, int, int, bool]:
    """Do as `_read_row` where any run of blanks and tabs separates two fields."""
    column, state, inner = 0, FINE, 0
    place = _past_spacing(buffer, place, end)
    while place < end and buffer[place] not in (_LF, _CR):
        form, field_start = 0, place
        if buffer[place] == quote:
            field_end, closed, escaped, inner = _quoted_end(buffer, place + 1, end, at_end, quote, may_span, inner)
            if not closed:
                return field_end, inner, column, UNCLOSED_QUOTE, False
            form, field_start = 2 if escaped else 1, place + 1
            place = _token_end(buffer, field_end + 1, end)
            state = TEXT_AFTER_QUOTE if place > field_end + 1 else state
        else:
            field_end = place = _token_end(buffer, place, end)
        if column < len(wanted) and wanted[column] >= 0:
            target = wanted[column]
            starts[target, row], ends[target, row], quoted[target, row] = field_start, field_end, form
        column += 1
        place = _past_spacing(buffer, place, end)
    if place >= end:
        return end, inner, column, state, at_end
    complete = not cuts_line_end(buffer, place, end, at_end)
    return past_line_end(buffer, place, end), inner, column, state, complete


@compiled
def count_plain_fields(buffer: UInt8Array, place: int, end: int, separator: UInt8Array) -> tuple[int, int]:
    """Return the fields of one line, quotes being ordinary characters, and the place of its end."""
    n_fields = 0
    if len(separator) == 1 and separator[0] == _SPACE:
        place = _past_spacing(buffer, place, end)
        while place < end and buffer[place] not in (_LF, _CR):
            place = _past_spacing(buffer, _token_end(buffer, place, end), end)
            n_fields += 1
        return n_fields, place
    while True:
        place = _plain_end(buffer, place, end, separator)
        n_fields += 1
        if place >= end or buffer[place] in (_LF, _CR):
            return n_fields, place
        place += len(separator)


@compiled
def _judge_span(
    buffer: UInt8Array, place: int, after: int, separator: UInt8Array, expected: int, n_fields: int, state: int
) -> tuple[bool, int]:
    """Tell whether a row of several lines is a line with a stray quote and rows after it; return its last line too.

    A well-formed field whose first and last line have the expected number of fields, and half of those between, is
    taken for a stray quote. So is what is no well-formed row anyway, unless its first line could not stand alone.
    """
    first_fits, last_fits, n_lines, n_fitting, last_line = False, False, 0, 0, place
    while place < after:
        if buffer[place] in (_LF, _CR):
            place = past_line_end(buffer, place, after)
            continue
        last_line = place
        count, place = count_plain_fields(buffer, place, after, separator)
        last_fits = count == expected
        if n_lines == 0:
            first_fits = last_fits
        elif last_fits:
            n_fitting += 1
        n_lines += 1
    n_further = n_lines - 1
    if state != FINE:
        return True, last_line
    if n_fields != expected:
        return expected > 0 and (first_fits or 2 * n_fitting > n_further), last_line
    whole = first_fits and last_fits and 2 * n_fitting >= n_further
    return whole or (n_further >= 4 and 10 * n_fitting >= 9 * n_further), last_line


@compiled
def _judge_rest(buffer: UInt8Array, place: int, after: int, limit: int, at_end: bool, state: int) -> int:
    """Return the status of a row that is not complete, and will not be."""
    if state != UNCLOSED_QUOTE:
        return TOO_LONG
    if after < limit:
        return STRAY_QUOTE  # its quote reaches the line's end, and may not span lines
    return UNCLOSED_QUOTE if at_end or find_line_end(buffer, place, limit) < limit else TOO_LONG


@compiled
def _unescape_row(
    buffer: UInt8Array, row: int, starts: Int64Array, ends: Int64Array, quoted: UInt8Array, quote: int, state: int
) -> None:
    for target in range(len(starts)):
        if state == FINE and quoted[target, row] == 2:
            ends[target, row] = _unescape(buffer, starts[target, row], ends[target, row], quote)


@compiled
def _form_of_rows(buffer: UInt8Array, end: int, separator: UInt8Array, quote: int) -> int:
    """Return how to read the rows of a block; the plain way gives the same where no byte is a quote."""
    if len(separator) == 1 and separator[0] == _SPACE:
        return _BY_BLANKS
    is_plain = len(separator) == 1 and (quote < 0 or not holds_byte(buffer, end, quote))
    return _PLAIN if is_plain else _ANY


@compiled
def split_rows(  # noqa: C901 - one more call a row takes half as long as the row
    buffer: UInt8Array,
    end: int,  # bytes in use
    is_last: bool,  # no more bytes will follow
    separator: UInt8Array,  # (1,) or (2,); one blank stands for any run of blanks and tabs
    quote: int,  # -1: no quoting
    expected: int,  # fields of a row, or 0 where that is not known: then no well-formed row has a stray quote
    longest_row: int,  # bytes
    wanted: Int64Array,  # for each column of the file the row of `starts` it goes to, or -1
    line: int,  # number of the first line
    carry: Int64Array,  # (2,) handed from one block to the next; zeros at first
    starts: Int64Array,  # (n_wanted, capacity)
    ends: Int64Array,  # (n_wanted, capacity)
    quoted: UInt8Array,  # (n_wanted, capacity) 1 where the field stood in quotes, 2 where it held doubled ones
    n_fields: Int64Array,  # (capacity,)
    lines: Int64Array,  # (capacity,) line each row starts on
    status: UInt8Array,  # (capacity,) one of the five above
) -> tuple[int, int, int]:
    """Return rows found, bytes consumed and the number of the next line; an incomplete last row is left.

    Blank lines are no rows. Blanks around an unquoted field are not part of it. Doubled quotes become single ones in
    the buffer itself. `carry` holds whether the rest of a line that is too long is being skipped, and up to where
    lines may not be spanned by quotes: those that a stray quote spanned are then read one by one, so that no byte is
    read more than a few times.
    """
    row, place, guard = 0, 0, carry[GUARD]
    form = _form_of_rows(buffer, end, separator, quote)
    ends_field, all_wanted = mark_field_ends(separator), are_all_wanted(wanted, len(starts))
    if carry[SKIPPING]:
        place = find_line_end(buffer, 0, end)
        carry[SKIPPING] = 1 if place == end and not is_last else 0
    while place < end and row < len(lines):
        if buffer[place] in (_LF, _CR):
            if cuts_line_end(buffer, place, end, is_last):
                break
            place, line = past_line_end(buffer, place, end), line + 1
            continue
        limit = min(end, place + longest_row)
        at_end, may_span = is_last and limit == end, place >= guard
        first = past_byte_order_mark(buffer, place, limit)
        if form == _PLAIN:
            inner, state = 0, FINE
            after, count, complete = read_plain_row(
                buffer, first, limit, at_end, ends_field, expected, wanted, row, starts, ends, quoted
            )
        elif form == _BY_BLANKS:
            after, inner, count, state, complete = _read_row_by_blanks(
                buffer, first, limit, at_end, quote, may_span, wanted, row, starts, ends, quoted
            )
        else:
            after, inner, count, state, complete = _read_row(
                buffer, first, limit, at_end, separator, quote, may_span, expected, wanted, row, starts, ends, quoted
            )
        clear_unread(count, all_wanted, wanted, row, place, starts, ends, quoted)
        if complete and inner:
            stray, last_line = _judge_span(buffer, first, after, separator, expected, count, state)
            if stray:
                state, guard = STRAY_QUOTE, last_line
        elif not complete:
            if after == limit == end and not is_last:
                break
            state = _judge_rest(buffer, place, after, limit, at_end, state)
            if state == UNCLOSED_QUOTE:
                guard = find_last_line(buffer, place, limit)
        given_up = not complete or state == STRAY_QUOTE
        n_fields[row], lines[row], status[row] = count, line, state
        if given_up:  # this line only; its end is passed in the next turn
            clear_row(row, place, starts, ends, quoted)
            place = find_line_end(buffer, place, end)
            carry[SKIPPING] = 1 if place == end and not is_last else 0
        else:
            if form != _PLAIN:
                _unescape_row(buffer, row, starts, ends, quoted, quote, state)
            place, line = after, line + inner + 1
        row += 1
    carry[GUARD] = max(guard - place, 0)
    return row, place, line
