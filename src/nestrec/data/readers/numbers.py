"""Ratings and times from text: plain decimals fast, everything else by Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from nestrec.data.id_index import TextIds
from nestrec.kernels import fields as kernel

Float64 = npt.NDArray[np.float64]


def parse_ratings(texts: TextIds) -> Float64:
    """Return each number, NaN where the text is none; (n,)."""
    return _parsed(texts, number)


def parse_times(texts: TextIds) -> Float64:
    """Return each number as it is, and ISO 8601 dates as seconds since 1970 (UTC where no zone is given); (n,)."""
    return _parsed(texts, seconds)


def number(text: str) -> float:
    """Return the number a text is, or NaN."""
    try:
        return float("nan") if "_" in text else float(text)
    except ValueError:
        return float("nan")


def seconds(text: str) -> float:
    """Return the time a text is, or NaN."""
    value = number(text)
    if not math.isnan(value) or not text[:4].isdigit():
        return value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _parsed(texts: TextIds, slowly: Callable[[str], float]) -> Float64:
    values = np.empty(len(texts), dtype=np.float64)
    unsure = np.empty(len(texts), dtype=np.uint8)
    kernel.parse_decimals(texts.buffer, texts.starts, texts.ends, values, unsure)
    for row in np.flatnonzero(unsure).tolist():
        values[row] = slowly(texts.at(row))
    return values
