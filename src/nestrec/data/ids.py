"""External ids in their canonical form: 64-bit whole numbers where every id is one, text otherwise.

Text counts as a whole number only as Python would print it (`42`, not `042`, `+42` or ` 42`), so leading zeros stay and
an id means the same wherever it comes from. Numbers outside 64 bits become text, digit for digit.

Programs that hold a column of whole numbers as floats write `12.0` (pandas, where a value is missing) or `1e+05` (R).
`parse_decimal` recognises these two forms; readers apply it where all ids of a column are numbers.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.dtypes import StringDType

from nestrec.errors import DataError

IdArray = npt.NDArray[Any]  # int64, or numpy's variable-width StringDType

TEXT = StringDType()
LARGEST_EXACT_FLOAT = 2**53  # from here on, neighbouring whole numbers share one float64
_WHOLE_NUMBER = re.compile(r"(?:0|-?[1-9][0-9]{0,18})\Z")
_ANY_WHOLE_NUMBER = re.compile(r"(?:0|-?[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"((?:0|-?[1-9][0-9]*))\.0\Z")
_EXPONENT = re.compile(r"(-?)([1-9])(?:\.([0-9]+))?e\+([0-9]{2})\Z")
_INT64 = np.iinfo(np.int64)


def canonicalize_ids(ids: npt.ArrayLike) -> IdArray:
    """Return ids of any type as int64 or StringDType, in the shape given.

    Raises DataError for floats that are not whole or too large to be exact, for missing values and for other types.
    """
    array = _as_array(ids)
    kind = array.dtype.kind
    if kind == "i":
        return array.astype(np.int64, copy=False)
    if kind == "u":
        fits = array.size == 0 or array.max() <= _INT64.max
        return array.astype(np.int64) if fits else array.astype(object).astype(TEXT)
    if kind == "f":
        return _convert_floats(array)
    if kind in "TUS":
        return numbers_if_whole(_decode(array))
    if kind == "O":
        return _convert_objects(array)
    raise DataError(f"ids of type {array.dtype} cannot name a user or an item; give whole numbers or text")


def numbers_if_whole(text: IdArray) -> IdArray:
    """Return int64 where every text is a canonical whole number of 64 bits, else the text as it is."""
    try:
        numbers = text.astype(np.int64)
    except (ValueError, OverflowError):
        return text
    return numbers if bool(np.all(numbers.astype(TEXT) == text)) else text


def as_text(ids: IdArray) -> IdArray:
    """Return the text of each id, StringDType."""
    return ids if ids.dtype.kind == "T" else ids.astype(TEXT)


def parse_whole_number(text: str) -> int | None:
    """Return the 64-bit number that this text is the canonical form of, or None."""
    if not _WHOLE_NUMBER.match(text):
        return None
    number = int(text)
    return number if _INT64.min <= number <= _INT64.max else None


def parse_decimal(text: str) -> str | None:
    """Return the digits of a whole number written as a float, or None where the text is anything else.

    >>> parse_decimal("12.0"), parse_decimal("1e+05"), parse_decimal("12"), parse_decimal("1.10")
    ('12', '100000', None, None)
    """
    if match := _DECIMAL.match(text):
        return match[1]
    match = _EXPONENT.match(text)
    if not match:
        return None
    sign, first, decimals, exponent = match[1], match[2], match[3] or "", int(match[4])
    # Exponents below 16: larger numbers are not exact as floats.
    return f"{sign}{first}{decimals.ljust(exponent, '0')}" if len(decimals) <= exponent < 16 else None


def is_whole(text: str) -> bool:
    """Return whether the text is a canonical whole number of any size."""
    return bool(_ANY_WHOLE_NUMBER.match(text))


def _as_array(ids: npt.ArrayLike) -> IdArray:
    if isinstance(ids, np.ndarray):
        return ids
    # Through object: numpy alone would turn [1, "a"] into fixed-width text and [2**63, 1] into floats.
    return np.asarray(ids) if hasattr(ids, "__array__") else np.array(ids, dtype=object)


def _decode(array: IdArray) -> IdArray:
    try:
        return array.astype(TEXT, copy=False)
    except UnicodeDecodeError as error:
        raise DataError("ids given as bytes must be UTF-8 text; decode them first") from error


def _convert_floats(array: IdArray) -> IdArray:
    bad = ~(np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < LARGEST_EXACT_FLOAT))
    if bad.any():
        value = array[bad].flat[0]
        raise DataError(
            f"ids must be whole numbers or text, got the float {value}, which has decimals or is not below 2^53; "
            "convert ids to whole numbers or text"
        )
    return array.astype(np.int64)


def _convert_objects(array: IdArray) -> IdArray:
    kinds = {type(value) for value in array.flat}
    for kind in kinds:
        if not issubclass(kind, (int, str, np.integer, np.str_)) or issubclass(kind, bool):
            return _convert_uniform_objects(array, kinds)
    if all(issubclass(kind, (int, np.integer)) for kind in kinds):
        try:
            return array.astype(np.int64)
        except OverflowError:
            pass
    return numbers_if_whole(_convert_to_text(array))


def _convert_to_text(array: IdArray) -> IdArray:
    try:
        return array.astype(TEXT)
    except UnicodeEncodeError as error:  # half of a surrogate pair, or bytes of a command line that are no UTF-8
        raise DataError(f"ids must be text that UTF-8 can encode, got {error.object!a}; give ids as UTF-8") from error


def _convert_uniform_objects(array: IdArray, kinds: set[type]) -> IdArray:
    if all(issubclass(kind, (float, np.floating, int, np.integer)) and kind is not bool for kind in kinds):
        try:
            return _convert_floats(array.astype(np.float64))
        except OverflowError as error:
            raise DataError("ids hold floats and numbers too large to be floats; give ids as text") from error
    if kinds == {bytes}:
        return numbers_if_whole(_decode(array))
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise DataError(f"ids hold values of type {names}; an id is a whole number or text and never missing")
