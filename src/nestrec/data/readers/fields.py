"""Fields of text: missing values, and numbers, plain decimals by compiled code and everything else by Python."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nestrec.arrays import BoolArray, Float64Array, UInt8Array
from nestrec.data.id_index import TextIds
from nestrec.kernels.data import fields as kernel

NA_WORDS = ("NULL", "null", "None", "NaN", "nan", "NA", "\\N")


def find_missing(texts: TextIds, quoted: UInt8Array, na_values: tuple[str, ...] | None) -> BoolArray:
    """Return which fields are empty or, unquoted, one of the words; None means `NA_WORDS`.

    >>> find_missing(TextIds.from_strings(["", "NA", "x"]), np.zeros(3, dtype=np.uint8), ()).tolist()
    [True, False, False]
    """
    words = [word.encode("utf-8") for word in (NA_WORDS if na_values is None else na_values)]
    ends = np.cumsum([len(word) for word in words], dtype=np.int64)
    joined = np.frombuffer(bytearray(b"".join(words)) or bytearray(1), dtype=np.uint8)
    missing = np.zeros(len(texts), dtype=np.uint8)
    kernel.find_missing(texts.buffer, texts.starts, texts.ends, quoted, joined, ends, missing)
    return missing.astype(np.bool_)


def parse_decimals(texts: TextIds) -> tuple[Float64Array, UInt8Array]:
    """Return the plain decimals among the texts, and 1 for each text that is none or too long to be exact; (n,)."""
    values = np.empty(len(texts), dtype=np.float64)
    unsure = np.empty(len(texts), dtype=np.uint8)
    kernel.parse_decimals(texts.buffer, texts.starts, texts.ends, values, unsure)
    return values, unsure


def parse_number(text: str) -> float:
    """Return the number a text is, or NaN.

    >>> parse_number("1e3"), parse_number("1_000")
    (1000.0, nan)
    """
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def to_float(value: object) -> float:
    """Return a number of any Python type as a float, or NaN where the value is not a number or too large."""
    try:
        return float(value)  # type: ignore[arg-type]  # any object may have __float__
    except (TypeError, ValueError, OverflowError):
        return math.nan


def to_floats(values: Sequence[object]) -> Float64Array:
    """Return numbers as floats, NaN where there is none; (n,)."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.array([to_float(value) for value in values], dtype=np.float64)
