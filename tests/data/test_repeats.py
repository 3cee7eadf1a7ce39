"""Ratings of repeated pairs, and ratings that are missing or decide nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from nestrec.data.read_options import ReadOptions
from nestrec.data.reading import read_interactions
from nestrec.errors import DataError, OptionError, UnknownOptionError
from tests.data.reports import read_with_report
from tests.data.test_reading import pairs_of

# 1 likes 10 and later does not; 2 changes his mind the other way; 3 plays 10 twice a little.
ROWS = {
    "user": [1, 2, 1, 2, 3, 3],
    "item": [10, 10, 10, 10, 10, 10],
    "rating": [1, 5, 5, 1, 2, 2],
    "timestamp": [200, 200, 100, 100, 7, 6],
}
REPEATED, BELOW = "the same user and item stood in another row", "the rating is below the minimum"


def write_and_read(folder: Path, kind: str, rows: Mapping[str, Any], **options: Any) -> Any:
    """Read the rows from a source of that kind."""
    frame = pd.DataFrame(rows)
    if kind == "csv":
        frame.to_csv(folder / "x.csv", index=False)
        return read_with_report(folder / "x.csv", options=ReadOptions(**options))
    if kind == "jsonl":
        frame.to_json(folder / "x.jsonl", orient="records", lines=True)
        return read_with_report(folder / "x.jsonl", options=ReadOptions(**options))
    if kind == "parquet":
        frame.to_parquet(folder / "x.parquet")
        return read_with_report(folder / "x.parquet", options=ReadOptions(**options))
    source = {"table": pl.from_pandas(frame), "arrays": rows}[kind]
    return read_with_report(source, options=ReadOptions(**options))


KINDS = ["csv", "jsonl", "parquet", "table", "arrays"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("repeats", "times"),
    [
        (None, {"1": 100.0, "2": 200.0}),
        ("max", {"1": 100.0, "2": 200.0}),
        ("first", {"1": 100.0}),
        ("last", {"2": 200.0}),
        ("sum", {"1": 200.0, "2": 200.0, "3": 7.0}),
    ],
)
def test_the_rating_of_a_repeated_pair_is_that_of_the_rule(
    tmp_path: Path, kind: str, repeats: str | None, times: dict[str, float]
) -> None:
    """A pair rated 5 and later 1 was kept with the old time, and no option said otherwise."""
    interactions, report = write_and_read(tmp_path, kind, ROWS, min_rating=4, repeats=repeats, keep_timestamps=True)
    assert pairs_of(interactions) == {(user, "10") for user in times}
    assert dict(zip(map(str, interactions.users.ids.tolist()), interactions.timestamps.tolist(), strict=True)) == times
    assert report.n_rows == report.n_kept + sum(report.rejected.values()) == 6
    if repeats in ("first", "last", "sum"):
        assert report.rejected == {REPEATED: 3} | ({BELOW: 3 - len(times)} if len(times) < 3 else {})


@pytest.mark.parametrize("kind", KINDS)
def test_first_and_last_go_by_time_where_times_are_not_kept(tmp_path: Path, kind: str) -> None:
    interactions, report = write_and_read(tmp_path, kind, ROWS, min_rating=4, repeats="last")
    assert pairs_of(interactions) == {("2", "10")}
    assert interactions.timestamps is None
    assert report.columns["timestamp"] == "timestamp"


@pytest.mark.parametrize("kind", KINDS)
def test_without_times_first_and_last_go_by_the_order_of_rows(tmp_path: Path, kind: str) -> None:
    no_times = {name: column for name, column in ROWS.items() if name != "timestamp"}
    for rows, ignored in ((no_times, None), (ROWS, "")):
        options: dict[str, Any] = {"min_rating": 4, "timestamp_column": ignored}
        assert pairs_of(write_and_read(tmp_path, kind, rows, repeats="first", **options)[0]) == {("2", "10")}
        assert pairs_of(write_and_read(tmp_path, kind, rows, repeats="last", **options)[0]) == {("1", "10")}


def test_of_equal_times_the_later_row_is_the_last() -> None:
    rows = {"user": [1, 1], "item": [1, 1], "rating": [5, 1], "time": [3, 3]}
    assert read_interactions(rows, options=ReadOptions(min_rating=4, repeats="first")).n_interactions == 1
    with pytest.raises(DataError, match=r"of 2 rows none can be used: .* below the minimum"):
        read_interactions(rows, options=ReadOptions(min_rating=4, repeats="last"))


def test_the_first_time_may_be_kept_without_a_minimum() -> None:
    for repeats, times in (("first", [100, 100, 6]), ("last", [200, 200, 7])):
        interactions = read_interactions(ROWS, options=ReadOptions(keep_timestamps=True, repeats=repeats))
        assert interactions.timestamps is not None
        assert interactions.timestamps.tolist() == times


def test_items_of_which_no_pair_is_left_leave_the_vocabulary() -> None:
    rows = {"user": [1, 2, 2], "item": [1, 2, 3], "rating": [5, 1, 5]}
    interactions = read_interactions(rows, options=ReadOptions(min_rating=4, repeats="sum"))
    assert (interactions.items.ids.tolist(), interactions.users.ids.tolist()) == ([1, 3], [1, 2])


def test_entries_of_a_sparse_matrix_may_repeat() -> None:
    matrix = sparse.coo_array((np.array([2.0, 2.0, 3.0]), (np.array([0, 0, 1]), np.array([5, 5, 5]))))
    assert read_interactions(matrix, options=ReadOptions(min_rating=4, repeats="sum")).n_interactions == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"repeats": "mean", "min_rating": 3}, "repeats must be one of first, last, max, sum, got 'mean'"),
        ({"repeats": "sum"}, "repeats 'sum' chooses which rating is compared with min_rating, and there is none"),
        ({"repeats": "last"}, "give min_rating, or leave repeats out"),
        ({"repeats": "max", "keep_timestamps": True}, "give min_rating, or leave repeats out"),
    ],
)
def test_rules_that_mean_nothing_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        ReadOptions(**options)


# Ratings without a minimum


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_rating_keeps_its_row_where_no_minimum_is_given(tmp_path: Path, kind: str) -> None:
    """Three of five rows of a list were left out, though no rating was asked for."""
    rows = {"user": [1, 1, 2, 2], "item": [1, 2, 1, 3], "rating": [5.0, None, float("nan"), 3.0]}
    interactions, report = write_and_read(tmp_path, kind, rows)
    assert (interactions.n_interactions, report.rejected) == (4, {})
    assert "rating" not in report.columns
    assert sum("not used" in note for note in report.notes) == 1
    interactions, report = write_and_read(tmp_path, kind, rows, min_rating=1)
    assert pairs_of(interactions) == {("1", "1"), ("2", "3")}
    assert report.rejected == {"the rating is not a finite number": 2}
    assert not [note for note in report.notes if "not used" in note]


@pytest.mark.parametrize("kind", KINDS)
def test_ratings_that_are_not_numbers_are_ignored_without_a_minimum(tmp_path: Path, kind: str) -> None:
    rows = {"user": [1, 1, 2], "item": [1, 2, 1], "rating": ["good", "4,5", "★★★★"]}
    interactions, report = write_and_read(tmp_path, kind, rows)
    assert (interactions.n_interactions, report.rejected) == (3, {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_decimal_comma_is_refused_where_a_minimum_is_given(tmp_path: Path, kind: str) -> None:
    """Whole ratings would be kept and halves lost."""
    rows = {"user": [1, 1, 2], "item": [1, 2, 1], "rating": ["4", "4,5", "5"]}
    with pytest.raises(DataError, match=r"column 'rating' holds '4,5' \(.* [23]\), a number with a comma; write"):
        write_and_read(tmp_path, kind, rows, min_rating=4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["4/5", "★★★★", "five", "1_000"])
def test_other_texts_are_counted(tmp_path: Path, kind: str, value: str) -> None:
    rows = {"user": [1, 1, 2], "item": [1, 2, 1], "rating": ["4", value, "5"]}
    interactions, report = write_and_read(tmp_path, kind, rows, min_rating=4)
    assert pairs_of(interactions) == {("1", "1"), ("2", "1")}
    assert report.rejected == {"the rating is not a finite number": 1}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [["true", "False", "TRUE"], [True, False, True], ["1e0", "-0", "1.5E+1"]])
def test_booleans_and_exponents_are_numbers_in_every_format(tmp_path: Path, kind: str, values: list[Any]) -> None:
    rows = {"user": [1, 1, 2], "item": [1, 2, 1], "rating": values}
    assert pairs_of(write_and_read(tmp_path, kind, rows, min_rating=1)[0]) == {("1", "1"), ("2", "1")}


def test_decimals_are_numbers() -> None:
    from decimal import Decimal

    rows = {"user": [1, 1], "item": [1, 2], "rating": [Decimal("4.5"), Decimal("3.99")]}
    options = ReadOptions(min_rating=4)
    assert read_interactions(rows, options=options).n_interactions == 1
    assert read_interactions(pl.DataFrame(rows), options=options).n_interactions == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("rating", [-1, 8, -1], "2 rows have -1 in rating"),
        ("click", [1, 0, 1], "1 row has 0 in click"),
        ("rating", [0, 5, 0], "2 rows have 0 in rating"),
        ("rating", [-9.5, 0, -1], None),  # a scale with two signs
        ("rating", [1, 5, 2], None),
    ],
)
def test_values_that_often_mean_no_rating_are_reported(
    tmp_path: Path, kind: str, column: str, values: list[float], told: str | None
) -> None:
    _, report = write_and_read(tmp_path, kind, {"user": [1, 1, 2], "item": [1, 2, 1], column: values})
    notes = [note for note in report.notes if "count as interactions" in note]
    assert [note.startswith(told) for note in notes] == ([] if told is None else [True])
    assert report.n_kept == 3


def test_an_ignored_rating_column_is_not_mentioned(tmp_path: Path) -> None:
    _, report = write_and_read(tmp_path, "csv", ROWS, rating_column="")
    assert not [note for note in report.notes if "rating" in note]


@pytest.fixture
def strange_tables() -> list[Callable[[], Any]]:
    """Columns named rating whose type holds no numbers."""
    base = {"user": [1, 2], "item": [1, 2]}
    return [
        lambda: pl.DataFrame(base | {"rating": [[1], [2]]}),
        lambda: pl.DataFrame(base | {"rating": [b"x", b"y"]}),
        lambda: pl.DataFrame(base | {"rating": pl.Series(["2021-01-01", "2021-01-02"]).str.to_date()}),
    ]


def test_a_rating_column_of_another_type_matters_only_with_a_minimum(
    strange_tables: list[Callable[[], Any]],
) -> None:
    for make in strange_tables:
        assert read_interactions(make()).n_interactions == 2
        with pytest.raises(DataError, match=r"column 'rating' has type .*; ratings must be numbers"):
            read_interactions(make(), options=ReadOptions(min_rating=1))


@pytest.mark.parametrize("name", ["min_rating", "min_user_interactions", "memory_limit_mb", "threads"])
def test_text_in_place_of_a_number_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} must be a number, got '4'"):
        ReadOptions(**{name: "4"})  # type: ignore[arg-type]


def test_an_option_of_reading_as_an_argument_is_pointed_to_its_place() -> None:
    with pytest.raises(UnknownOptionError, match=r"no argument 'min_rating'; give options=ReadOptions\(min_rating=4\)"):
        read_interactions(ROWS, min_rating=4)  # type: ignore[call-arg]
    with pytest.raises(UnknownOptionError, match="no argument 'option'; did you mean 'options'"):
        read_interactions(ROWS, option=None)  # type: ignore[call-arg]
