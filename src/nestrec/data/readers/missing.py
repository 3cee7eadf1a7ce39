"""Fields that stand for nothing: empty ones, and the words that programs write for a missing value."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import BoolArray, UInt8Array
from nestrec.data.id_index import TextIds
from nestrec.kernels.data import fields as kernel

NA_WORDS = ("NULL", "null", "None", "NaN", "nan", "NA", "\\N")


def find_missing(texts: TextIds, quoted: UInt8Array, na_values: tuple[str, ...] | None) -> BoolArray:
    """Return which fields are empty or, unquoted, one of the words; None stands for `NA_WORDS`.

    >>> find_missing(TextIds.from_strings(["", "NA", "x"]), np.zeros(3, dtype=np.uint8), ()).tolist()
    [True, False, False]
    """
    words = [word.encode("utf-8") for word in (NA_WORDS if na_values is None else na_values)]
    ends = np.cumsum([len(word) for word in words], dtype=np.int64)
    joined = np.frombuffer(bytearray(b"".join(words)) or bytearray(1), dtype=np.uint8)
    missing = np.zeros(len(texts), dtype=np.uint8)
    kernel.find_missing(texts.buffer, texts.starts, texts.ends, quoted, joined, ends, missing)
    return missing.astype(np.bool_)
