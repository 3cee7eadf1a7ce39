"""Blank-separated tokens, missing fields and decimal numbers, in the bytes of text."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float64Array, Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.data.plain_rows import cuts_line_end, skip_line_end

_LF, _CR, _TAB, _SPACE = 10, 13, 9, 32


@compiled
def split_tokens(
    buffer: UInt8Array,
    end: int,
    is_last: bool,
    line: int,
    starts: Int64Array,  # (capacity,)
    ends: Int64Array,  # (capacity,)
    heads: Int64Array,  # (capacity,) place, among the tokens, of the first token of the same line
    lines: Int64Array,  # (capacity,)
) -> tuple[int, int, int, int]:
    """Split blank-separated tokens.

    Returns tokens, bytes consumed, the number of the line that is not finished, and the head of that line or -1.
    """
    n_tokens, place, head, consumed = 0, 0, -1, 0
    while place < end:
        byte = buffer[place]
        if byte in (_LF, _CR):
            if cuts_line_end(buffer, place, end, is_last):
                break
            place = skip_line_end(buffer, place, end)
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
def equals(buffer: UInt8Array, start: int, text: UInt8Array, first: int, size: int) -> bool:
    """Return whether `size` bytes of the buffer are those of the text from `first` on."""
    place = 0
    while place < size and buffer[start + place] == text[first + place]:
        place += 1
    return place == size


@compiled
def find_missing(
    buffer: UInt8Array,
    starts: Int64Array,  # (n,)
    ends: Int64Array,
    quoted: UInt8Array,
    words: UInt8Array,  # the words, one after another
    word_ends: Int64Array,  # (n_words,)
    missing: UInt8Array,  # (n,) out: 1 where a field is empty or, unquoted, one of the words
) -> None:
    """Find missing fields."""
    longest, begin = 0, 0
    for word in range(len(word_ends)):
        longest, begin = max(longest, word_ends[word] - begin), word_ends[word]
    for row in range(len(starts)):
        size = ends[row] - starts[row]
        missing[row] = 1 if size == 0 else 0
        if size == 0 or size > longest or quoted[row]:
            continue
        begin = 0
        for word in range(len(word_ends)):
            if word_ends[word] - begin == size and equals(buffer, starts[row], words, begin, size):
                missing[row] = 1
            begin = word_ends[word]


@compiled
def keep_equal(
    buffer: UInt8Array,
    starts: Int64Array,  # (n,)
    ends: Int64Array,
    text: UInt8Array,
    equal: UInt8Array,  # (n,) 1 stays 1 where the field is the text, else becomes 0
) -> None:
    """Clear `equal` where a field differs from the text."""
    for row in range(len(starts)):
        if equal[row] and (ends[row] - starts[row] != len(text) or not equals(buffer, starts[row], text, 0, len(text))):
            equal[row] = 0


@compiled
def parse_decimals(
    buffer: UInt8Array,
    starts: Int64Array,  # (n,)
    ends: Int64Array,
    values: Float64Array,  # (n,) out
    unsure: UInt8Array,  # (n,) out: 1 where the text is not a plain decimal, or too long to be exact
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
