"""Convert a column of times of any kind to seconds since 1970.

Numbers are kept as they are; text is ISO 8601 (`iso_times.py`) or what `time_format` says (`time_formats.py`). A date
in any other notation is refused: 01/02/2021 may be either of two days, and a file read without such rows would be split
by the times of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float64Array, UInt8Array
from nestrec.data.id_index import TextIds
from nestrec.data.read_options import EPOCH_UNITS
from nestrec.data.readers.fields import parse_decimals, parse_number, to_float, to_floats
from nestrec.data.readers.iso_times import has_iso_shape, looks_like_date, parse_iso_time
from nestrec.data.readers.time_formats import TimeFormat
from nestrec.data.readers.time_notations import Place, TimeNotations, format_number
from nestrec.errors import OptionError
from nestrec.kernels.data import times as kernel

_LARGEST_SECONDS = 2.0**63 / 1e6  # of a time that 64 bits hold in microseconds


class TimeColumn:
    """Parses the batches of one column, NaN where there is no time. Raises DataError where notations are mixed."""

    def __init__(self, time_format: str | None, source: str, column: str) -> None:
        self._time_format = time_format
        self._per_second = EPOCH_UNITS.get(time_format or "s", 0.0)
        self._format = TimeFormat(time_format) if time_format and not self._per_second else None
        self._where = f"{source}, column {column!r}"
        self._notations = TimeNotations(self._where)

    def parse_text(self, texts: TextIds, place: Place) -> Float64Array:
        """Return the seconds of each text; (n,)."""
        if self._format is not None:
            values, unsure = self._format.parse_all(texts)
            self._notations.see_dates(unsure == 0, texts.at, place)
        else:
            values, unsure = self._parse_plain(texts, place)
        values[unsure != 0] = np.nan
        # An empty text is a missing time.
        rest = np.flatnonzero((unsure != 0) & (texts.ends > texts.starts))
        if len(rest):
            values[rest] = self._parse_strings([texts.at(row) for row in rest.tolist()], lambda row: place(rest[row]))
        return values

    def parse_numbers(self, values: Float64Array, place: Place) -> Float64Array:
        """Return the seconds of a column of numbers; (n,)."""
        if self._format is None:
            self._see_numbers(values, place)
            return values if self._per_second == 1 else values / self._per_second
        distinct, first, inverse = np.unique(values, return_index=True, return_inverse=True)
        parsed = np.full(len(distinct), np.nan)
        for row in np.flatnonzero(np.isfinite(distinct)).tolist():
            parsed[row] = self._parse_one(format_number(distinct[row]), place(int(first[row])))
        return parsed[inverse]

    def parse_moments(self, values: npt.NDArray[np.datetime64]) -> Float64Array:
        """Return the seconds of datetime64 of any unit, cut to microseconds; (n,)."""
        self.refuse_format("datetime64")
        seconds = values.astype("M8[s]").view(np.int64)
        rest = (values - values.astype("M8[s]")).astype("m8[us]").view(np.int64)
        small = np.abs(seconds) < _LARGEST_SECONDS  # else the microseconds do not fit, nor do they matter
        exact = np.where(small, seconds, 0) * 1_000_000 + np.where(small, rest, 0)
        return np.where(np.isnat(values), np.nan, np.where(small, exact / 1e6, seconds))

    def parse_objects(self, values: Sequence[object], place: Place) -> Float64Array:
        """Return the seconds of numbers, texts, dates and datetimes; (n,)."""
        kinds = set(map(type, values))
        if kinds == {str}:
            return self.parse_text(TextIds.from_strings([_replace_surrogates(str(value)) for value in values]), place)
        if kinds <= {int, float}:
            return self.parse_numbers(to_floats(values), place)
        return np.array([self._parse_object(value, place(row)) for row, value in enumerate(values)], dtype=np.float64)

    def refuse_format(self, kind: str) -> None:
        """Raise OptionError where `time_format` is given and the column has a type of times."""
        if self._time_format is not None:
            raise OptionError(
                f"time_format does not apply to {self._where}, which holds times ({kind}) and not text or numbers, got "
                f"{self._time_format!r}; leave it out",
                option="time_format",
            )

    def notes(self) -> list[str]:
        """Return what a careful reader would want to know, once all batches were parsed."""
        return self._notations.notes() if self._time_format is None else []

    def _parse_plain(self, texts: TextIds, place: Place) -> tuple[Float64Array, UInt8Array]:
        """Parse plain decimals and the usual forms of ISO 8601 by compiled code."""
        values, unsure = parse_decimals(texts)
        self._see_numbers(values, place)
        values /= self._per_second
        if self._time_format is None and unsure.any():
            not_numbers = unsure != 0
            kernel.parse_iso_times(texts.buffer, texts.starts, texts.ends, values, unsure)
            self._notations.see_dates(not_numbers & (unsure == 0), texts.at, place)
        return values, unsure

    def _parse_strings(self, strings: list[str], place: Place) -> Float64Array:
        """Parse what compiled code was not sure of; (n,)."""
        values = np.full(len(strings), np.nan)
        if self._format is None:
            numbers = np.array([parse_number(text) for text in strings], dtype=np.float64)
            values = np.where(np.isfinite(numbers), numbers / self._per_second, np.nan)
            self._see_numbers(numbers, place)
        for row in np.flatnonzero(np.isnan(values)).tolist():
            values[row] = self._parse_one(strings[row], place(row))
        return values

    def _parse_one(self, text: str, place: str) -> float:
        """Return the time of text that is not a number; refuse a time in another notation."""
        if self._format is not None:
            value, alike = self._format.parse(text), self._format.has_shape(text)
        elif self._time_format is None:
            value, alike = parse_iso_time(text), has_iso_shape(text)
        else:
            value, alike = math.nan, False
        if not math.isnan(value):
            self._notations.see_dates(np.ones(1, dtype=np.bool_), lambda _: text, lambda _: place)
        elif not alike and (looks_like_date(text) or math.isfinite(parse_number(text))):
            raise self._notations.refuse(text, place, self._time_format)
        return value

    def _parse_object(self, value: object, place: str) -> float:
        if isinstance(value, str):
            return float(self.parse_text(TextIds.from_strings([_replace_surrogates(value)]), lambda _: place)[0])
        if isinstance(value, np.datetime64):
            return float(self.parse_moments(np.array([value]))[0])
        if isinstance(value, date):  # and datetime
            return self._parse_date(value, place)
        if value is None or isinstance(value, (bool, np.bool_)):
            return math.nan
        return float(self.parse_numbers(np.array([to_float(value)]), lambda _: place)[0])

    def _parse_date(self, value: date, place: str) -> float:
        self.refuse_format(type(value).__name__)
        if value != value:  # pandas' NaT, which is a datetime
            return math.nan
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
        self._notations.see_dates(np.ones(1, dtype=np.bool_), lambda _: str(value), lambda _: place)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def _see_numbers(self, values: Float64Array, place: Place) -> None:
        if self._time_format is None:
            self._notations.see_numbers(values, place)


def _replace_surrogates(text: str) -> str:
    """Return the text with a question mark for what UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()
