"""What `time_format` may be: a strptime format, or a unit of epoch numbers."""

from __future__ import annotations

import re
from datetime import datetime

from nestrec.errors import OptionError

EPOCH_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # per second

_YEARS = ("%Y", "%y", "%G", "%c", "%x")


def check_time_format(time_format: str) -> None:
    """Raise OptionError where the format is neither a unit of epoch numbers nor one that names a whole date."""
    if time_format in EPOCH_UNITS:
        return
    way_out = "give strptime directives, such as '%d/%m/%Y %H:%M', or the unit of numbers: s, ms, us or ns"
    if "%Z" in time_format:
        raise OptionError(
            f"time_format {time_format!r}: names of time zones (%Z) are not read; write the name itself, as in "
            "'%Y-%m-%d %H:%M:%S UTC' (times without an offset count as UTC), or use %z for offsets"
        )
    if not any(directive in time_format.replace("%%", "") for directive in _YEARS):
        raise OptionError(f"time_format must name at least the year (%Y), got {time_format!r}; {way_out}")
    try:
        datetime.strptime("", time_format)  # noqa: DTZ007 - raises, always
    except (ValueError, re.error) as error:
        if not str(error).startswith("time data"):
            raise OptionError(f"time_format {time_format!r} is not valid ({error}); {way_out}") from error
