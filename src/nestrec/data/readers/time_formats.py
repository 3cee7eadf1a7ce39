"""Times in a `strptime` format: read by compiled code where it knows all directives, otherwise by Python."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from nestrec.arrays import Float64Array, Int64Array, UInt8Array
from nestrec.data.id_index import TextIds
from nestrec.kernels.data import times as kernel

_ENGLISH = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
            "November", "December")  # fmt: skip
_KINDS = {
    "Y": kernel.YEAR, "y": kernel.YEAR_OF_CENTURY, "m": kernel.MONTH, "d": kernel.DAY, "H": kernel.HOUR,
    "I": kernel.HOUR_OF_12, "M": kernel.MINUTE, "S": kernel.SECOND, "f": kernel.FRACTION, "p": kernel.AM_OR_PM,
    "z": kernel.OFFSET, "b": kernel.MONTH_NAME, "B": kernel.MONTH_NAME, "a": kernel.DAY_NAME, "A": kernel.DAY_NAME,
}  # fmt: skip
_SHAPES = {"Y": r"\d{4}", "y": r"\d{2}", "f": r"\d{1,6}", "j": r"\d{1,3}", "z": r"(?:[zZ]|[-+][\d:.]+)", "%": "%"}
_SHAPES |= dict.fromkeys("mdHIMSUWV", r"\d{1,2}") | dict.fromkeys("bBaAp", r"[^\W\d_]+\.?")


@dataclass(frozen=True)
class TimeFormat:
    """A format of times in text.

    >>> TimeFormat("%d.%m.%Y").parse("02.01.1970")
    86400.0
    """

    directives: str

    def parse(self, text: str) -> float:
        """Return the time in seconds since 1970, UTC where the text has no offset; NaN where it has not the format."""
        try:
            moment = datetime.strptime(text, self.directives)  # noqa: DTZ007 - the next line gives it a zone
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            return float("nan")

    def parse_all(self, texts: TextIds) -> tuple[Float64Array, UInt8Array]:
        """Return the times and, where the text has not the format or only Python can tell, 1; (n,)."""
        values, unsure = np.full(len(texts), np.nan), np.ones(len(texts), dtype=np.uint8)
        if (steps := _compile(self.directives)) is not None:
            kernel.parse_formatted_times(texts.buffer, texts.starts, texts.ends, *steps, values, unsure)
        return values, unsure

    def has_shape(self, text: str) -> bool:
        """Return whether the text is written in this format, even if its numbers are out of range (31-02-2021)."""
        return re.fullmatch(_build_pattern(self.directives), text.strip()) is not None


def _build_pattern(directives: str) -> str:
    parts = re.split(r"(%.|\s+)", directives)
    return "".join(
        _SHAPES.get(part[1], ".+") if part.startswith("%") else r"\s+" if part.isspace() else re.escape(part)
        for part in parts
    )


def _compile(directives: str) -> tuple[Int64Array, UInt8Array, UInt8Array, UInt8Array] | None:
    """Return the steps that the kernel takes, or None where there is a directive that it does not know."""
    kinds, literals, names = [], bytearray(), {"b": "b", "a": "a"}
    for part in re.findall(r"%.|\s+|[^%\s]", directives, re.DOTALL):
        if part.isspace():
            kinds.append(kernel.BLANKS)
            literals.append(0)
        elif part.startswith("%") and part != "%%":
            if part[1] not in _KINDS or _KINDS[part[1]] in kinds:
                return None
            names[part[1].lower()] = part[1]
            kinds.append(_KINDS[part[1]])
            literals.append(0)
        else:
            encoded = part[-1].encode("utf-8")
            kinds.extend([kernel.LITERAL] * len(encoded))
            literals.extend(encoded)
    if tuple(calendar.month_name)[1:] != _ENGLISH:  # under another locale, Python reads its names
        return None
    months = calendar.month_name if names["b"] == "B" else calendar.month_abbr
    days = calendar.day_name if names["a"] == "A" else calendar.day_abbr
    steps = np.array(kinds, dtype=np.int64), np.frombuffer(literals, dtype=np.uint8)
    return *steps, _build_name_table(list(months)[1:]), _build_name_table(list(days))


def _build_name_table(names: list[str]) -> UInt8Array:
    """Return the names in lower case, zero-padded; (n, longest)."""
    longest = max(map(len, names))
    padded = b"".join(name.lower().encode("ascii").ljust(longest, b"\0") for name in names)
    return np.frombuffer(bytearray(padded), dtype=np.uint8).reshape(len(names), longest)
