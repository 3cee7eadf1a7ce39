"""The notation of a column of times: one per column, or reading stops with an example of each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nestrec.arrays import BoolArray, Float64Array
from nestrec.errors import DataError

Place = Callable[[int], str]  # row of the batch -> "line 17"

_UNITS = ((1e17, "ns", "nanoseconds"), (1e14, "us", "microseconds"), (1e11, "ms", "milliseconds"))  # sizes from which
_SECONDS, _BETWEEN, _MILLISECONDS = (3e8, 1e10), (1e10, 1e12), (1e12, 1e13)  # sizes of times from 1979 to 2286
_GIVE = "say how times are written with time_format (--time-format '%d/%m/%Y', or s for numbers of seconds)"


class TimeNotations:
    """Examples of the notations in one column."""

    def __init__(self, where: str) -> None:
        self._where = where  # "x.csv, column 'time'"
        self._examples: dict[str, str] = {}
        self._largest, self._all_days = 0.0, True

    def see_dates(self, mask: BoolArray, text: Callable[[int], str], place: Place) -> None:
        """Remember that the rows of the mask are dates in text."""
        self._see("date", mask, lambda row: f"{text(row)!r} ({place(row)})")
        self._refuse_pair("number", "date", "numbers and dates")

    def see_numbers(self, values: Float64Array, place: Place) -> None:
        """Remember the finite ones among the values as numbers."""
        finite = np.isfinite(values)
        all_finite = bool(finite.all())
        self._see("number", finite, lambda row: f"{format_number(values[row])} ({place(row)})")
        self._refuse_pair("number", "date", "numbers and dates")
        if not finite.any():
            return
        sizes = np.abs(values) if all_finite else np.abs(values, where=finite, out=np.zeros(len(values)))
        self._largest = max(self._largest, float(sizes.max()))
        if self._all_days:
            numbers = values if all_finite else values[finite]
            self._all_days = _are_days(numbers[:1]) and _are_days(numbers)
        for name, (least, below) in (("s", _SECONDS), ("between", _BETWEEN), ("ms", _MILLISECONDS)):
            if name not in self._examples and self._largest >= least:
                mask = (sizes >= least) & (sizes < below)
                self._see(name, mask, lambda row: f"{format_number(values[row])} ({place(row)})")
        if "between" not in self._examples:
            self._refuse_pair("s", "ms", "seconds and milliseconds")

    def refuse(self, text: str, place: str, time_format: str | None) -> DataError:
        """Return the error for a text that looks like a time and is not written like the others."""
        if time_format is not None:
            said = f"holds {text!r} ({place}), which is not written as time_format {time_format!r} says"
            others = self._examples.get("date") or self._examples.get("number")
            return DataError(
                f"{self._where} {said}" + (f", unlike {others}" if others else "") + "; make all times of one form, or "
                "correct time_format"
            )
        others = self._examples.get("date") or self._examples.get("number")
        if others:
            return DataError(
                f"{self._where} mixes times written as {others} and as {text!r} ({place}); write all alike"
            )
        return DataError(
            f"{self._where} holds {text!r} ({place}), which looks like a date and is not ISO 8601 (2021-01-31 or "
            f"2021-01-31T10:15:00Z), so which day was meant is unknown; {_GIVE}"
        )

    def notes(self) -> list[str]:
        """Return what a careful reader would want to know about numbers that were taken as they are."""
        example = self._examples.get("number")
        if example is None:
            return []
        for least, unit, name in _UNITS:
            if self._largest >= least:
                return [_describe_kept_numbers(example, name, f"time_format={unit} makes them seconds")]
        if self._all_days:
            return [_describe_kept_numbers(example, "dates", "time_format='%Y%m%d' reads them as dates")]
        return []

    def _see(self, name: str, mask: BoolArray, describe: Callable[[int], str]) -> None:
        if name not in self._examples and mask.any():
            self._examples[name] = describe(int(np.argmax(mask)))

    def _refuse_pair(self, one: str, other: str, names: str) -> None:
        if one in self._examples and other in self._examples:
            raise DataError(
                f"{self._where} mixes {names}, such as {self._examples[one]} and {self._examples[other]}; write all "
                f"times alike, or {_GIVE}"
            )


def _describe_kept_numbers(example: str, kind: str, remedy: str) -> str:
    return f"times such as {example} look like {kind} and are kept as numbers, in the same order; {remedy}"


def format_number(value: float) -> str:
    """Return a number as people write it: without `.0` where it is whole."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _are_days(values: Float64Array) -> bool:
    """Return whether each number is a date of these centuries written as YYYYMMDD."""
    month, day = values // 100 % 100, values % 100
    in_range = (values >= 19000101) & (values <= 21001231) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool(np.all(in_range & (values == np.floor(values))))
