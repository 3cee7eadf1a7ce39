"""Times in text to seconds since 1970: ISO 8601 at fixed places, and any format that names its fields in order.

Python's `datetime` is the oracle of the tests. What these loops are not sure of is left to it, so they decide speed and
never a value.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float64Array, Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled, compiled_in_order

YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, FRACTION, YEAR_OF_CENTURY, HOUR_OF_12 = range(9)  # numbers of a format
MONTH_NAME, DAY_NAME, AM_OR_PM, OFFSET, BLANKS, LITERAL = range(9, 15)
_N_FIELDS = 16

_SPACE, _TAB, _PLUS, _COMMA, _MINUS, _POINT, _COLON = 32, 9, 43, 44, 45, 46, 58
_UPPER_T, _LOWER_T = 84, 116
_LARGEST_EXACT = 1 << 53


@compiled
def _parse_digits(buffer: UInt8Array, place: int, end: int, most: int) -> tuple[int, int]:
    """Return the number of up to `most` digits at `place`, and the place after it."""
    value, start = 0, place
    while place < end and place - start < most and 48 <= buffer[place] <= 57:
        value = value * 10 + (int(buffer[place]) - 48)
        place += 1
    return value, place


@compiled
def _parse_two_digits(buffer: UInt8Array, place: int, end: int) -> int:
    """Return the number of exactly two digits at `place`, or -1."""
    value, after = _parse_digits(buffer, place, end, 2)
    return value if after == place + 2 else -1


@compiled
def _parse_fraction(buffer: UInt8Array, place: int, end: int) -> tuple[int, int]:
    """Return the fraction whose digits begin at `place`, cut to microseconds, and the place after its last digit."""
    value, after = _parse_digits(buffer, place, end, 6)
    for _ in range(6 - (after - place)):
        value *= 10
    while after < end and 48 <= buffer[after] <= 57:
        after += 1
    return value, after


@compiled
def _days_since_1970(year: int, month: int, day: int) -> int:
    """Count days in the proleptic Gregorian calendar (Howard Hinnant's `days_from_civil`), for years from 1 on."""
    year -= 1 if month <= 2 else 0
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@compiled
def _is_date(year: int, month: int, day: int) -> bool:
    if year < 1 or month < 1 or month > 12 or day < 1 or day > 31:
        return False
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return day <= (29 if leap else 28)
    return day <= 30 or month not in (4, 6, 9, 11)


@compiled
def _is_word(buffer: UInt8Array, place: int, end: int, word: int) -> bool:
    """Return whether three letters at `place`, in any case, are those of `word` (big-endian, capitals)."""
    if place + 3 != end:
        return False
    found = 0
    for letter in range(place, end):
        found = found * 256 + (int(buffer[letter]) & 0xDF)
    return found == word


@compiled
def _parse_offset(buffer: UInt8Array, place: int, end: int, with_minutes: bool) -> tuple[int, int]:
    """Return the seconds of `+HHMM`, `+HH:MM` or, unless minutes must be there, `+HH`, and the place after, or -1."""
    if place >= end or buffer[place] not in (_PLUS, _MINUS):
        return 0, -1
    hours, after = _parse_two_digits(buffer, place + 1, end), place + 3
    if hours < 0 or hours > 23:
        return 0, -1
    minutes = 0
    if after < end and (buffer[after] == _COLON or 48 <= buffer[after] <= 57):
        after += 1 if buffer[after] == _COLON else 0
        minutes, after = _parse_two_digits(buffer, after, end), after + 2
        if minutes < 0 or minutes > 59:
            return 0, -1
    elif with_minutes:
        return 0, -1
    seconds = hours * 3600 + minutes * 60
    return (-seconds if buffer[place] == _MINUS else seconds), after


@compiled
def _parse_zone(buffer: UInt8Array, place: int, end: int) -> tuple[int, bool]:
    """Return the offset in seconds of the zone (Z, UTC, GMT, `+HH:MM`) in `place:end`, and whether it is one."""
    while place < end and buffer[place] == _SPACE:
        place += 1
    if place == end:
        return 0, True
    if place + 1 == end and buffer[place] & 0xDF == 90:  # Z
        return 0, True
    if _is_word(buffer, place, end, 0x555443) or _is_word(buffer, place, end, 0x474D54):  # UTC, GMT
        return 0, True
    seconds, after = _parse_offset(buffer, place, end, False)
    return seconds, after == end


@compiled
def _parse_iso_clock(buffer: UInt8Array, place: int, end: int) -> tuple[int, int]:
    """Return microseconds of the day of `HH:MM[:SS[.fraction]]` at `place`, and the place after it, or -1 for it."""
    hour, minute = _parse_two_digits(buffer, place, end), _parse_two_digits(buffer, place + 3, end)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or buffer[place + 2] != _COLON:
        return 0, -1
    second, fraction, place = 0, 0, place + 5
    if place < end and buffer[place] == _COLON:
        second, place = _parse_two_digits(buffer, place + 1, end), place + 3
        if second < 0 or second > 59:
            return 0, -1
        if place + 1 < end and buffer[place] in (_POINT, _COMMA) and 48 <= buffer[place + 1] <= 57:
            fraction, place = _parse_fraction(buffer, place + 1, end)
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction, place


@compiled
def _parse_iso_time(buffer: UInt8Array, start: int, end: int) -> tuple[int, bool]:
    """Return microseconds since 1970, and whether the text is a date, or a date and a time, in ISO 8601."""
    if end - start < 10 or buffer[start + 4] != _MINUS or buffer[start + 7] != _MINUS:
        return 0, False
    year, after_year = _parse_digits(buffer, start, end, 4)
    month, day = _parse_two_digits(buffer, start + 5, end), _parse_two_digits(buffer, start + 8, end)
    if after_year != start + 4 or not _is_date(year, month, day):
        return 0, False
    clock, place, offset, fine = 0, start + 10, 0, True
    if place < end:
        if end - place < 6 or buffer[place] not in (_SPACE, _UPPER_T, _LOWER_T):
            return 0, False
        clock, place = _parse_iso_clock(buffer, place + 1, end)
        if place < 0:
            return 0, False
        offset, fine = _parse_zone(buffer, place, end)
    return (_days_since_1970(year, month, day) * 86400 - offset) * 1_000_000 + clock, fine


@compiled_in_order
def _convert_to_seconds(microseconds: int) -> tuple[float, bool]:
    """Return seconds to the nearest float64, and whether it is certain to be that."""
    if microseconds % 1_000_000 == 0:
        return float(microseconds // 1_000_000), True
    return microseconds / 1e6, -_LARGEST_EXACT <= microseconds <= _LARGEST_EXACT


@compiled
def parse_iso_times(
    buffer: UInt8Array, starts: Int64Array, ends: Int64Array, values: Float64Array, unsure: UInt8Array
) -> None:
    """Parse the rows in which `unsure` is 1; set `values` and clear `unsure` where the text is an ISO 8601 time."""
    for row in range(len(starts)):
        if unsure[row]:
            microseconds, fine = _parse_iso_time(buffer, starts[row], ends[row])
            seconds, exact = _convert_to_seconds(microseconds)
            if fine and exact:
                values[row], unsure[row] = seconds, 0


@compiled
def _match_name(buffer: UInt8Array, place: int, end: int, names: UInt8Array) -> tuple[int, int]:
    """Return which of the names, (n, longest) lower case and zero-padded, stands at `place`, and the place after it.

    The name must not be followed by another letter; -1 where none does.
    """
    after = place
    while after < end and (97 <= (buffer[after] | 32) <= 122 or buffer[after] >= 128):
        after += 1
    size = after - place
    if size == 0 or size > names.shape[1]:
        return -1, place
    for name in range(len(names)):
        same = size == names.shape[1] or names[name, size] == 0
        for letter in range(size):
            same = same and (buffer[place + letter] | 32) == names[name, letter]
        if same:
            return name, after
    return -1, place


@compiled
def _read_number(buffer: UInt8Array, place: int, end: int, kind: int, fields: Int64Array) -> int:
    """Enter a number of the format; return the place after it, or -1."""
    most = 4 if kind == YEAR else 6 if kind == FRACTION else 2
    value, after = _parse_digits(buffer, place, end, most)
    if after == place or (kind in (YEAR, YEAR_OF_CENTURY) and after - place != most):
        return -1
    if kind == FRACTION:
        value, _ = _parse_fraction(buffer, place, after)
    fields[kind] = value
    return after


@compiled
def _read_word(buffer: UInt8Array, place: int, end: int, kind: int, names: UInt8Array, fields: Int64Array) -> int:
    """Enter a name or an offset of the format; return the place after it, or -1."""
    if kind == OFFSET:
        if place < end and buffer[place] == 90:  # Z
            return place + 1
        fields[OFFSET], after = _parse_offset(buffer, place, end, True)
        return after
    fields[kind], after = _match_name(buffer, place, end, names)
    return after if after > place else -1


@compiled
def _read_fields(
    buffer: UInt8Array,
    place: int,
    end: int,
    kinds: Int64Array,
    bytes_of: UInt8Array,
    months: UInt8Array,
    days: UInt8Array,
    fields: Int64Array,
) -> bool:
    """Enter the fields of one text; tell whether it has the format."""
    half_days = np.array([[97, 109], [112, 109]], dtype=np.uint8)  # am, pm
    for step in range(len(kinds)):
        kind = kinds[step]
        if kind == LITERAL:
            fine = place < end and buffer[place] == bytes_of[step]
            place = place + 1 if fine else -1
        elif kind == BLANKS:
            first = place
            while place < end and buffer[place] in (_SPACE, _TAB):
                place += 1
            place = place if place > first else -1
        elif kind == MONTH_NAME:
            place = _read_word(buffer, place, end, kind, months, fields)
        elif kind == DAY_NAME:
            place = _read_word(buffer, place, end, kind, days, fields)
        elif kind in (AM_OR_PM, OFFSET):
            place = _read_word(buffer, place, end, kind, half_days, fields)
        else:
            place = _read_number(buffer, place, end, kind, fields)
        if place < 0:
            return False
    return place == end


@compiled
def _combine_fields(fields: Int64Array) -> tuple[int, bool]:
    """Return microseconds since 1970 of the fields, -1 where not given, and whether they are a time."""
    year = fields[YEAR]
    if fields[YEAR_OF_CENTURY] >= 0:
        year = fields[YEAR_OF_CENTURY] + (1900 if fields[YEAR_OF_CENTURY] >= 69 else 2000)  # as POSIX has it
    month = fields[MONTH_NAME] + 1 if fields[MONTH_NAME] >= 0 else fields[MONTH] if fields[MONTH] >= 0 else 1
    day = fields[DAY] if fields[DAY] >= 0 else 1
    hour = max(fields[HOUR], 0)
    if fields[HOUR_OF_12] >= 0:
        if fields[HOUR_OF_12] < 1 or fields[HOUR_OF_12] > 12 or fields[AM_OR_PM] < 0:
            return 0, False
        hour = fields[HOUR_OF_12] % 12 + 12 * fields[AM_OR_PM]
    minute, second = max(fields[MINUTE], 0), max(fields[SECOND], 0)
    if not _is_date(year, month, day) or hour > 23 or minute > 59 or second > 59:
        return 0, False
    seconds = _days_since_1970(year, month, day) * 86400 + (hour * 60 + minute) * 60 + second
    return (seconds - fields[OFFSET]) * 1_000_000 + max(fields[FRACTION], 0), True


@compiled
def parse_formatted_times(
    buffer: UInt8Array,
    starts: Int64Array,  # (n,)
    ends: Int64Array,  # (n,)
    kinds: Int64Array,  # (n_steps,) what the format has next: one of the kinds above
    bytes_of: UInt8Array,  # (n_steps,) the byte of a LITERAL, else 0
    months: UInt8Array,  # (12, longest) names in lower case, zero-padded
    days: UInt8Array,  # (7, longest)
    values: Float64Array,  # (n,) out
    unsure: UInt8Array,  # (n,) out: 1 where the text has not the format, or may have it in a way not known here
) -> None:
    """Parse times of one format."""
    fields = np.empty(_N_FIELDS, dtype=np.int64)
    for row in range(len(starts)):
        fields[:] = -1
        fields[OFFSET] = 0
        fine = _read_fields(buffer, starts[row], ends[row], kinds, bytes_of, months, days, fields)
        microseconds, is_time = _combine_fields(fields)
        seconds, exact = _convert_to_seconds(microseconds)
        if fine and is_time and exact:
            values[row], unsure[row] = seconds, 0
        else:
            values[row], unsure[row] = np.nan, 1
