"""Compiled parsing of times gives what Python's datetime gives, or leaves the text to it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.id_index import TextIds
from nestrec.data.readers.iso_times import parse_iso_time
from nestrec.data.readers.time_formats import TimeFormat
from nestrec.kernels.data import times as kernel

MOMENTS = st.datetimes().filter(lambda moment: 1 < moment.year < 9999)
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def compiled_iso(text: str) -> float | None:
    """Return what the kernel says, None where it is not sure."""
    texts = TextIds.from_strings(["padding", text, "9"])
    values, unsure = np.full(3, np.nan), np.ones(3, dtype=np.uint8)
    kernel.parse_iso_times(texts.buffer, texts.starts, texts.ends, values, unsure)
    return None if unsure[1] else float(values[1])


def compiled_format(text: str, time_format: str) -> float | None:
    values, unsure = TimeFormat(time_format).parse_all(TextIds.from_strings(["x", text, "1"]))
    return None if unsure[1] else float(values[1])


def to_seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@given(MOMENTS, st.sampled_from(["T", " ", "t"]), st.sampled_from(["", "Z", " UTC", "UTC", " GMT", "z", " utc"]))
@settings(deadline=None)
def test_iso_times_without_offset_are_those_of_datetime(moment: datetime, between: str, zone: str) -> None:
    text = moment.isoformat(sep=between) + zone
    assert parse_iso_time(text) == to_seconds(moment)
    assert compiled_iso(text) in (to_seconds(moment), None)
    if 1900 < moment.year < 2200:
        assert compiled_iso(text) is not None


@given(MOMENTS, OFFSETS, st.sampled_from(["", " "]), st.booleans())
@settings(deadline=None)
def test_iso_times_with_an_offset_are_those_of_datetime(
    moment: datetime, offset: timezone, blank: str, colon: bool
) -> None:
    zone = moment.replace(tzinfo=offset).strftime("%z")
    text = moment.isoformat() + blank + (zone if not colon else f"{zone[:3]}:{zone[3:]}")
    seconds = to_seconds(moment.replace(tzinfo=offset))
    assert parse_iso_time(text) == seconds
    assert compiled_iso(text) in (seconds, None)


@given(st.dates())
@settings(deadline=None)
def test_dates_alone_are_midnight(day: object) -> None:
    assert compiled_iso(str(day)) == parse_iso_time(str(day)) == to_seconds(datetime.fromisoformat(str(day)))


@given(st.text(alphabet="0123456789-:T .+ZUTC", max_size=30) | st.from_regex(r"\d{4}-\d\d-\d\d[T ]?[\d:.]{0,12}.{0,7}"))
@settings(deadline=None, max_examples=500)
def test_the_kernel_never_contradicts_python(text: str) -> None:
    if "\ud800" <= max(text, default="") <= "\udfff":
        return
    found = compiled_iso(text)
    assert found is None or found == parse_iso_time(text)


@pytest.mark.parametrize(
    "text",
    ["2021-02-29", "2021-13-01", "0000-00-00 00:00:00", "2021-01-01 24:00", "2021-01-01T", "", "2021-01-01 1",
     "2021-01-01 10:15:00 CET", "2021-01-01 10:15 PM", "20210101"],
)  # fmt: skip
def test_what_is_not_a_usual_iso_time_is_left_to_python(text: str) -> None:
    assert compiled_iso(text) is None


def test_nanoseconds_are_cut_and_a_leap_second_is_the_second_after() -> None:
    assert compiled_iso("2021-01-31 10:15:00.123456999") == 1612088100.123456
    assert parse_iso_time("2021-01-31 10:15:00.123456999") == 1612088100.123456
    assert parse_iso_time("2016-12-31T23:59:60Z") == to_seconds(datetime(2017, 1, 1, tzinfo=UTC))
    assert compiled_iso("2016-12-31T23:59:60Z") is None


FORMATS = [
    "%d-%m-%Y %H:%M", "%d/%m/%Y", "%m/%d/%y", "%Y%m%d%H%M%S", "%Y.%m.%d %I:%M:%S %p", "%d %b %Y", "%B %d, %Y",
    "%a, %d %b %Y %H:%M:%S GMT", "%A %d %B %Y", "%Y-%m-%dT%H:%M:%S.%f%z", "%d/%b/%Y:%H:%M:%S %z", "%j %Y",
    "%Y年%m月%d日",
]  # fmt: skip


@given(MOMENTS.filter(lambda moment: moment.year >= 1970), st.sampled_from(FORMATS))
@settings(deadline=None, max_examples=400)
def test_formatted_times_are_those_of_strptime(moment: datetime, time_format: str) -> None:
    text = moment.replace(tzinfo=UTC).strftime(time_format)
    expected = TimeFormat(time_format).parse(text)
    assert not math.isnan(expected)
    assert compiled_format(text, time_format) in (expected, None)
    if "%j" not in time_format and moment.year < 2200:
        assert compiled_format(text, time_format) is not None


@given(st.sampled_from(FORMATS), MOMENTS, st.integers(0, 40), st.sampled_from(list("0 9-/:.aZ+é,")))
@settings(deadline=None, max_examples=400)
def test_mutated_times_are_those_of_strptime_too(time_format: str, moment: datetime, place: int, letter: str) -> None:
    text = moment.replace(tzinfo=UTC).strftime(time_format)
    text = text[:place] + letter + text[place + 1 :]
    found = compiled_format(text, time_format)
    assert found is None or found == TimeFormat(time_format).parse(text)


def test_single_digits_and_names_in_any_case_are_read() -> None:
    assert compiled_format("1/2/2021", "%d/%m/%Y") == to_seconds(datetime(2021, 2, 1, tzinfo=UTC))
    assert compiled_format("1 FEB 2021", "%d %b %Y") == to_seconds(datetime(2021, 2, 1, tzinfo=UTC))
    assert compiled_format("12:05 am 1/2/2021", "%I:%M %p %d/%m/%Y") == to_seconds(
        datetime(2021, 2, 1, 0, 5, tzinfo=UTC)
    )
    assert compiled_format("31/02/2021", "%d/%m/%Y") is None
