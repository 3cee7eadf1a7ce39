"""Split delimited text into rows and fields after RFC 4180, in linear time for any use of quotes.

Python's `csv` module is the oracle of the tests. What differs, on purpose: every row carries the number of the line it
starts on, and a stray quote costs the line it stands on instead of all lines up to the next quote or the end of the
file. A quoted field that holds line ends counts as a stray quote where the lines in it are rows of their own.
"""

from __future__ import annotations

from nestrec.arrays import Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.data.plain_rows import (
    clear_unread,
    count_plain_fields,
    cover_all_targets,
    cuts_line_end,
    find_last_line,
    find_line_end,
    holds_byte,
    mark_field_ends,
    read_plain_row,
    skip_byte_order_mark,
    skip_line_end,
)
from nestrec.kernels.data.quoted_rows import (
    FINE,
    STRAY_QUOTE,
    TEXT_AFTER_QUOTE,
    TOO_LONG,
    UNCLOSED_QUOTE,
    read_row,
    unescape_row,
)

__all__ = [
    "FINE", "STRAY_QUOTE", "TEXT_AFTER_QUOTE", "TOO_LONG", "UNCLOSED_QUOTE", "count_plain_fields", "split_rows",
]  # fmt: skip

SKIPPING, GUARD = 0, 1  # places in `carry`

_LF, _CR, _SPACE = 10, 13, 32


@compiled
def _is_stray_quote(
    buffer: UInt8Array, place: int, after: int, separator: UInt8Array, expected: int, n_fields: int, state: int
) -> tuple[bool, int]:
    """Return whether a row of several lines is a line with a stray quote and rows after it; return its last line too.

    A well-formed field whose first and last line have the expected number of fields, and half of those between, is
    taken for a stray quote. So is a malformed row, unless its first line could not stand alone.
    """
    first_fits, last_fits, n_lines, n_fitting, last_line = False, False, 0, 0, place
    while place < after:
        if buffer[place] in (_LF, _CR):
            place = skip_line_end(buffer, place, after)
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
def _find_status(buffer: UInt8Array, place: int, after: int, limit: int, at_end: bool, state: int) -> int:
    """Return the status of a row that is not complete, and will not be."""
    if state != UNCLOSED_QUOTE:
        return TOO_LONG
    if after < limit:
        return STRAY_QUOTE  # its quote reaches the line's end, and may not span lines
    return UNCLOSED_QUOTE if at_end or find_line_end(buffer, place, limit) < limit else TOO_LONG


@compiled
def split_rows(  # noqa: C901 - one more call a row takes half as long as the row
    buffer: UInt8Array,
    end: int,  # bytes in use
    is_last: bool,  # no more bytes will follow
    separator: UInt8Array,  # (1,) or (2,); one blank stands for any run of blanks and tabs
    quote: int,  # -1: no quoting
    expected: int,  # fields of a row, or 0 where that is not known: then no well-formed row has a stray quote
    longest_row: int,  # bytes
    targets: Int64Array,  # for each column of the file the row of `starts` it goes to, or -1
    line: int,  # number of the first line
    carry: Int64Array,  # (2,) handed from one block to the next; zeros at first
    starts: Int64Array,  # (n_targets, capacity)
    ends: Int64Array,  # (n_targets, capacity)
    quoted: UInt8Array,  # (n_targets, capacity) 1 where the field stood in quotes, 2 where it held doubled ones
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
    # The plain way gives the same where no byte is a quote.
    is_plain = len(separator) == 1 and separator[0] != _SPACE and (quote < 0 or not holds_byte(buffer, end, quote))
    ends_field, all_covered = mark_field_ends(separator), cover_all_targets(targets, len(starts))
    if carry[SKIPPING]:
        place = find_line_end(buffer, 0, end)
        carry[SKIPPING] = 1 if place == end and not is_last else 0
    while place < end and row < len(lines):
        if buffer[place] in (_LF, _CR):
            if cuts_line_end(buffer, place, end, is_last):
                break
            place, line = skip_line_end(buffer, place, end), line + 1
            continue
        limit = min(end, place + longest_row)
        at_end, may_span = is_last and limit == end, place >= guard
        first = skip_byte_order_mark(buffer, place, limit)
        if is_plain:
            inner, state = 0, FINE
            after, count, complete = read_plain_row(
                buffer, first, limit, at_end, ends_field, expected, targets, row, starts, ends, quoted
            )
        else:
            after, inner, count, state, complete = read_row(
                buffer, first, limit, at_end, separator, quote, may_span, expected, targets, row, starts, ends, quoted
            )
        clear_unread(count, all_covered, targets, row, place, starts, ends, quoted)
        if complete and inner:
            stray, last_line = _is_stray_quote(buffer, first, after, separator, expected, count, state)
            if stray:
                state, guard = STRAY_QUOTE, last_line
        elif not complete:
            if after == limit == end and not is_last:
                break
            state = _find_status(buffer, place, after, limit, at_end, state)
            if state == UNCLOSED_QUOTE:
                guard = find_last_line(buffer, place, limit)
        given_up = not complete or state == STRAY_QUOTE
        n_fields[row], lines[row], status[row] = count, line, state
        if given_up:  # this line only; its end is passed in the next turn
            clear_unread(0, all_covered, targets, row, place, starts, ends, quoted)
            place = find_line_end(buffer, place, end)
            carry[SKIPPING] = 1 if place == end and not is_last else 0
        else:
            if not is_plain:
                unescape_row(buffer, row, starts, ends, quoted, quote, state)
            place, line = after, line + inner + 1
        row += 1
    carry[GUARD] = max(guard - place, 0)
    return row, place, line
