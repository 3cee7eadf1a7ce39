"""Times mean the same in every format: in CSV, JSON lines, Parquet, tables and dictionaries."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nestrec.data.id_index import TextIds
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.times import TimeColumn
from nestrec.data.reading import read_interactions
from nestrec.errors import DataError, OptionError
from tests.data.reports import read_with_report
from tests.data.test_repeats import KINDS, write_and_read

NO_TIME = "the timestamp is neither a finite number nor an ISO 8601 date"


def read_times(folder: Path, kind: str, values: list[Any], **options: Any) -> tuple[list[float], Any]:
    """Return the times of rows of one user, in the order of the rows that are kept, and the report."""
    rows = {"user": [1] * len(values), "item": list(range(len(values))), "time": values}
    interactions, report = write_and_read(folder, kind, rows, keep_timestamps=True, **options)
    assert interactions.timestamps is not None
    assert report.n_rows == report.n_kept + sum(report.rejected.values())
    return interactions.timestamps.tolist(), report


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2019-10-01 00:00:00 UTC", 1569888000.0),
        ("2019-10-01 00:00:00 GMT", 1569888000.0),
        ("2019-10-01T00:00:00Z", 1569888000.0),
        ("2019-10-01 02:00:00 +0200", 1569888000.0),
        ("2019-10-01 02:00:00 +02:00", 1569888000.0),
        ("2019-10-01 02:00:00+02", 1569888000.0),
        ("2019-10-01 00:00:00.250 UTC", 1569888000.25),
        ("2019-10-01 00:00", 1569888000.0),
        ("2019-10-01", 1569888000.0),
        ("1969-12-31 23:59:59.5", -0.5),
        ("9999-12-31 23:59:59", 253402300799.0),
        ("2016-12-31 23:59:60", 1483228800.0),
        ("1569888000", 1569888000.0),
        ("-1.5", -1.5),
        ("1.569888e9", 1569888000.0),
    ],
)
def test_every_form_of_a_time_is_read_in_every_format(tmp_path: Path, kind: str, text: str, seconds: float) -> None:
    """`2019-10-01 00:00:00 UTC` was a time in Parquet and none in CSV and JSON lines."""
    times, report = read_times(tmp_path, kind, [text, text])
    assert times == [seconds, seconds]
    assert report.rejected == {}


@pytest.mark.parametrize("kind", KINDS)
def test_missing_times_and_words_are_counted(tmp_path: Path, kind: str) -> None:
    times, report = read_times(tmp_path, kind, ["2021-01-01", None, "soon", "2021-02-30", "2021-01-02"])
    assert times == [1609459200.0, 1609545600.0]
    assert report.rejected == {NO_TIME: 3}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    ["01/02/2021", "31-01-2021", "2014/04/07", "31.1.21 10:15", "Jan 5, 2021", "Fri, 1 Jan 2021 10:00:00 GMT",
     "2021-01-01 10:15 PM", "2021-01-01 10:15:00 CET", "2021年1月5日"],
)  # fmt: skip
def test_a_date_in_another_writing_is_refused_and_never_guessed(tmp_path: Path, kind: str, text: str) -> None:
    """Such rows were left out, and the rest of the file was split by time without them."""
    with pytest.raises(DataError, match=r"column 'time' holds .*--time-format"):
        read_times(tmp_path, kind, [text, text])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("one", "other"),
    [("2021-01-01", "31-01-2021"), ("2021-01-01", "1609459200"), ("1609459200", "2021-01-01T00:00:00Z"),
     ("1609459200", "01/31/2021"), ("1609459200", "1609459200000"), ("01/02/2021", "2021-01-31")],
)  # fmt: skip
def test_two_writings_in_one_column_are_refused_with_an_example_of_each(
    tmp_path: Path, kind: str, one: str, other: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_times(tmp_path, kind, [one, one, other])
    said = str(caught.value)
    assert one in said
    assert other in said or "--time-format" in said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("time_format", "text", "seconds"),
    [
        ("%d/%m/%Y", "01/02/2021", 1612137600.0),
        ("%m/%d/%Y", "01/02/2021", 1609545600.0),
        ("%d-%m-%Y %H:%M", "29-01-2021 07:01", 1611903660.0),
        ("%Y/%m/%d", "2014/04/07", 1396828800.0),
        ("%b %d, %Y", "Jan 5, 2021", 1609804800.0),
        ("%a, %d %b %Y %H:%M:%S GMT", "Fri, 01 Jan 2021 10:00:00 GMT", 1609495200.0),
        ("%d/%b/%Y:%H:%M:%S %z", "10/Oct/2000:13:55:36 -0700", 971211336.0),
        ("%Y%m%d", "20210105", 1609804800.0),
        ("%j/%Y", "005/2021", 1609804800.0),
        ("s", "1609804800", 1609804800.0),
        ("ms", "1609804800500", 1609804800.5),
        ("us", "1609804800500000", 1609804800.5),
        ("ns", "1609804800500000000", 1609804800.5),
    ],
)
def test_the_format_of_times_may_be_given(
    tmp_path: Path, kind: str, time_format: str, text: str, seconds: float
) -> None:
    times, report = read_times(tmp_path, kind, [text, text, "soon"], time_format=time_format)
    assert times == [seconds, seconds]
    assert report.rejected == {"the timestamp is not written as time_format says": 1}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("time_format", "seconds"), [("%Y%m%d", 1609804800.0), ("ms", 20210.105), (None, 20210105.0)])
def test_whole_numbers_may_be_dates(tmp_path: Path, kind: str, time_format: str | None, seconds: float) -> None:
    times, report = read_times(tmp_path, kind, [20210105, 20210105], time_format=time_format)
    assert times == [seconds, seconds]
    assert [("%Y%m%d" in note) for note in report.notes if "kept as numbers" in note] == [True] * (time_format is None)


@pytest.mark.parametrize("kind", KINDS)
def test_another_writing_than_the_format_is_refused_and_a_wrong_day_counted(tmp_path: Path, kind: str) -> None:
    for other in ("2021-01-31", "1609459200"):
        with pytest.raises(
            DataError, match=rf"holds '{other}' \(.*[34]\), which is not written as time_format '%d/%m/%Y'"
        ):
            read_times(tmp_path, kind, ["01/02/2021", "01/02/2021", other], time_format="%d/%m/%Y")
    times, report = read_times(tmp_path, kind, ["01/02/2021", "31/02/2021"], time_format="%d/%m/%Y")
    assert times == [1612137600.0]
    assert sum(report.rejected.values()) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("value", "unit"), [(1609804800500, "ms"), (1609804800500000, "us"), (1609804800500000000, "ns")]
)
def test_numbers_that_are_not_seconds_are_noted(tmp_path: Path, kind: str, value: int, unit: str) -> None:
    times, report = read_times(tmp_path, kind, [value, value])
    assert times == [float(value)] * 2
    assert [note for note in report.notes if f"time_format={unit} makes them seconds" in note]


@pytest.mark.parametrize(
    "time_format", ["", "YYYY-MM-DD", "%d/%m", "%H:%M", "%Y-%Q", "%Y %Y", "%Y-%m-%d %Z", "%Y%", "m"]
)
def test_a_format_that_names_no_date_is_refused(time_format: str) -> None:
    with pytest.raises(OptionError, match="time_format"):
        ReadOptions(time_format=time_format)


def test_a_format_means_nothing_for_columns_of_times() -> None:
    days = [date(2021, 1, 1), date(2021, 1, 2)]
    rows: dict[str, Any] = {"user": [1, 1], "item": [1, 2], "time": days}
    options = ReadOptions(keep_timestamps=True, time_format="%d/%m/%Y")
    for source in (pl.DataFrame(rows), rows, rows | {"time": np.array(days, dtype="M8[D]")}):
        with pytest.raises(OptionError, match=r"time_format does not apply to .*got '%d/%m/%Y'"):
            read_interactions(source, options=options)


MOMENTS = ["2021-01-31T10:15:00.123456", "NaT", "1969-12-31T23:59:59.5"]
SECONDS = [1612088100.123456, -0.5]


def times_of(values: Any, make: Callable[[dict[str, Any]], Any] = dict) -> list[float]:
    rows = {"user": [1, 1, 1], "item": [1, 2, 3], "time": values}
    interactions, report = read_with_report(make(rows), options=ReadOptions(keep_timestamps=True))
    assert interactions.timestamps is not None
    assert report.rejected == {NO_TIME: 1}
    return list(map(float, interactions.timestamps))


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_a_dictionary_of_datetimes_is_in_seconds_and_misses_nat(unit: str) -> None:
    """Nanoseconds came out, and a missing time was kept as the earliest."""
    moments = np.array(MOMENTS, dtype=f"M8[{unit}]")
    assert times_of(moments) == times_of(moments, pd.DataFrame) == SECONDS
    assert times_of(pd.Series(moments)) == times_of(pd.DatetimeIndex(moments)) == SECONDS
    assert times_of(pd.Series(moments).dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata")) == SECONDS
    assert times_of(pl.Series(moments)) == times_of(pa.array(moments)) == SECONDS
    assert times_of(pa.array(moments, pa.timestamp(unit, "Europe/Berlin"))) == SECONDS


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms"])
def test_coarse_datetimes_are_in_seconds(unit: str) -> None:
    moments = np.array(["2021-01-01", "NaT", "1969-01-01"], dtype="M8[D]").astype(f"M8[{unit}]")
    expected = [None if np.isnat(m) else float(m.astype("M8[s]").astype(np.int64)) for m in moments]
    assert times_of(moments) == [seconds for seconds in expected if seconds is not None]


def test_python_dates_and_datetimes_are_in_seconds() -> None:
    berlin = timezone(timedelta(hours=1))
    naive = datetime.fromisoformat("1969-12-31T23:59:59.5")
    assert times_of([datetime(2021, 1, 31, 11, 15, 0, 123456, tzinfo=berlin), None, naive]) == SECONDS
    assert times_of([pd.Timestamp(moment) for moment in MOMENTS]) == SECONDS
    assert times_of([np.datetime64(moment) for moment in MOMENTS]) == SECONDS
    assert times_of([date(1970, 1, 2), None, date(1970, 1, 3)]) == [86400.0, 172800.0]
    assert times_of([*MOMENTS[:1], "", *MOMENTS[2:]]) == SECONDS


def test_a_parquet_column_of_milliseconds_is_in_seconds(tmp_path: Path) -> None:
    table = pa.table({"user": [1, 1], "item": [1, 2], "time": pa.array([1500, None], pa.timestamp("ms"))})
    pl.from_arrow(table).write_parquet(tmp_path / "x.parquet")  # type: ignore[union-attr]
    interactions, report = read_with_report(tmp_path / "x.parquet", options=ReadOptions(keep_timestamps=True))
    assert interactions.timestamps is not None
    assert interactions.timestamps.tolist() == [1.5]
    assert report.rejected == {NO_TIME: 1}


def test_a_column_that_can_hold_no_times_is_named() -> None:
    frame = pl.DataFrame({"user": [1], "item": [1], "time": [[1]]})
    with pytest.raises(DataError, match=r"column 'time' has type BIGINT\[\]; times must be timestamps"):
        read_interactions(frame, options=ReadOptions(keep_timestamps=True))


def test_millions_of_times_are_parsed_in_batches_of_text() -> None:
    """The fast path and Python agree on a batch that needs both."""
    texts = ["2021-01-31 10:15:00", "1e9x", "", "2021-01-31T10:15:00,5 UTC", "2021-W05-1", "20210131T101500Z"]
    values = TimeColumn(None, "x", "time").parse_text(TextIds.from_strings(texts * 1000), lambda row: str(row))
    expected = [1612088100.0, math.nan, math.nan, 1612088100.5, 1612137600.0, 1612088100.0]
    np.testing.assert_array_equal(values, np.tile(expected, 1000))
    assert datetime.fromtimestamp(1612088100, tz=UTC).isoformat() == "2021-01-31T10:15:00+00:00"
