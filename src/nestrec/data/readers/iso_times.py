"""ISO 8601 times, with the zone names and blanks that databases write, to seconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_SHAPE = re.compile(
    r"\d{4}-\d{2}-\d{2}"
    r"(?:[ Tt]\d{2}(?::?\d{2}(?::?\d{2}(?:[.,]\d+)?)?)?)?"
    r"\s*(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE,
)
_ZONE = re.compile(r"\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)\Z", re.IGNORECASE)
_LEAP_SECOND = re.compile(r"(?<=:\d{2}:)60(?=\D|\Z)")
_OTHER_DATE = re.compile(
    r"(?<!\d)\d{1,4}\s*[-/.]\s*\d{1,2}\s*[-/.]\s*\d{1,4}(?!\d)"  # 31-01-2021, 1/2/21, 2021.01.31
    r"|(?<!\d)\d{4}[-/.]\d{1,2}\Z|(?<!\d)\d{1,2}[-/.]\d{4}\Z"  # 2021/01
    r"|\d+\s*[年]"
    r"|(?i:(?<![a-z])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*(?![a-z]))(?=.*\d)"
    r"|\d.*(?i:(?<![a-z])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*(?![a-z]))"
)


def parse_iso_time(text: str) -> float:
    """Return the time in seconds since 1970, NaN where the text is no ISO 8601 time.

    The zone may be Z, UTC, GMT or an offset, with or without a blank before it, and is UTC where there is none. A leap
    second counts as the second after it, as in POSIX time. Fractions are cut to microseconds.

    >>> parse_iso_time("1970-01-02 00:00:00 UTC"), parse_iso_time("1970-01-01T01:00:00.5 +01:00")
    (86400.0, 0.5)
    """
    text = text.strip()
    if not text[:4].isdecimal() or not text.isascii():
        return float("nan")
    leap = _LEAP_SECOND.search(text)
    if leap:
        text = f"{text[: leap.start()]}59{text[leap.end() :]}"
    try:
        moment = datetime.fromisoformat(_normalize_zone(text))
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() + (1.0 if leap else 0.0)


def has_iso_shape(text: str) -> bool:
    """Return whether the text is written as an ISO 8601 time, even if its numbers are out of range (2021-02-30)."""
    return _SHAPE.fullmatch(text.strip()) is not None


def looks_like_date(text: str) -> bool:
    """Return whether the text looks like a date in some notation.

    >>> [looks_like_date(text) for text in ("31-01-2021", "2014/4/7", "Jan 5, 2021", "yesterday", "n/a", "12.5")]
    [True, True, True, False, False, False]
    """
    return _OTHER_DATE.search(text) is not None


def _normalize_zone(text: str) -> str:
    """Write the zone as `datetime.fromisoformat` takes it; after a date without a time there is no zone."""
    zone = _ZONE.search(text)
    if not zone or zone.start() <= len("2021-01-31"):
        return text
    name = zone[1].upper()
    return text[: zone.start()] + ("+00:00" if name in ("Z", "UTC", "GMT") else zone[1])
