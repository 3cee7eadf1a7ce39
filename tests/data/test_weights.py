"""Weights of interactions and dislikes, as they are read from columns, ratings and times."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from nestrec.data.interactions import Interactions
from nestrec.data.read_options import ReadOptions
from nestrec.data.reading import read_interactions
from nestrec.data.splitting import TimeSplit
from nestrec.errors import DataError, OptionError

DAY = 86_400
# 1 plays 10 twice, a day apart; the plays of 3 are none.
ROWS = {
    "user": [1, 1, 2, 2, 3],
    "item": [10, 10, 10, 20, 20],
    "plays": [2.0, 3.0, 1.0, 4.0, 0.0],
    "rating": [5.0, 4.0, 1.0, 4.0, 3.0],
    "timestamp": [0, DAY, 0, 2 * DAY, 2 * DAY],
}
KINDS = ["csv", "jsonl", "parquet", "polars", "pandas", "arrays", "rows"]
BAD = "the weight is not a finite number above 0"
DISLIKED = "the rating is below dislike_below: kept as a dislike"


def read(folder: Path, kind: str, rows: Mapping[str, Any], **options: Any) -> Interactions:
    """Read the rows from a source of that kind; every row is kept or rejected."""
    frame, path = pd.DataFrame(rows), folder / f"x.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        frame.to_parquet(path)
    sources = {"polars": pl.from_pandas(frame), "pandas": frame, "arrays": rows, "rows": frame.to_dict("records")}
    found = read_interactions(sources.get(kind, path), options=ReadOptions(**options))
    assert found.report is not None
    assert found.report.n_rows == found.report.n_kept + sum(found.report.rejected.values())
    return found


def weights_of(interactions: Interactions) -> dict[tuple[int, int], float]:
    """Return the weight of each pair."""
    assert interactions.weights is not None
    users = np.repeat(interactions.users.ids, np.diff(interactions.indptr)).tolist()
    items = interactions.items.ids[interactions.indices].tolist()
    return dict(zip(zip(map(int, users), map(int, items), strict=True), interactions.weights.tolist(), strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"weight_column": "plays"}, {(1, 10): 5, (2, 10): 1, (2, 20): 4}),
        ({"weight_column": "plays", "repeats": "max"}, {(1, 10): 3, (2, 10): 1, (2, 20): 4}),
        ({"weight_column": "plays", "repeats": "first"}, {(1, 10): 2, (2, 10): 1, (2, 20): 4}),
        ({"weight_column": "plays", "weight_transform": "log1p"},
         {(1, 10): np.log(6), (2, 10): np.log(2), (2, 20): np.log(5)}),
        ({"weight_column": "plays", "weight_transform": "sqrt"}, {(1, 10): np.sqrt(5), (2, 10): 1, (2, 20): 2}),
        ({"weight_column": "plays", "half_life": 1}, {(1, 10): 2 / 4 + 3 / 2, (2, 10): 1 / 4, (2, 20): 4}),
        ({"half_life": 1}, {(1, 10): 1 / 4 + 1 / 2, (2, 10): 1 / 4, (2, 20): 1, (3, 20): 1}),
        ({"rating_weights": True}, {(1, 10): 9, (2, 10): 1, (2, 20): 4, (3, 20): 3}),
        ({"rating_weights": True, "min_rating": 4, "repeats": "last"}, {(1, 10): 4, (2, 20): 4}),
    ],
)  # fmt: skip
def test_weights_are_summed_decayed_and_transformed(
    kind: str, options: dict[str, Any], expected: dict[tuple[int, int], float], tmp_path: Path
) -> None:
    found = read(tmp_path, kind, ROWS, **options)
    assert weights_of(found) == pytest.approx(expected)
    assert found.timestamps is None


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.floats(1e-3, 1e3), st.integers(0, 40)), min_size=1
    ),
    memory=st.sampled_from([64, 1024]),
)
@settings(deadline=None, max_examples=40)
def test_weights_are_those_of_a_plain_sum_in_any_order_of_the_rows(
    rows: list[tuple[int, int, float, int]], memory: int
) -> None:
    latest = max(row[3] for row in rows)
    expected: dict[tuple[int, int], float] = {}
    for user, item, plays, day in rows:
        expected[user, item] = expected.get((user, item), 0) + plays * 2.0 ** ((day - latest) / 7)
    options = ReadOptions(weight_column="plays", half_life=7, memory_limit_mb=memory)
    found = []
    for ordered in (rows, rows[::-1]):
        users, items, plays_of, days = (np.array(column) for column in zip(*ordered, strict=True))
        columns = {"user": users, "item": items, "plays": plays_of, "timestamp": days * DAY}
        found.append(read_interactions(columns, options=options))
    assert weights_of(found[0]) == pytest.approx(expected)
    np.testing.assert_array_equal(found[0].weights, found[1].weights)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_weights_are_rejected_with_their_rows(kind: str, tmp_path: Path) -> None:
    bad = [0.0, -1.0, None, 2.0] if kind in ("jsonl", "rows") else [0.0, -1.0, np.nan, 2.0]
    rows = {"user": [1, 2, 3, 4], "item": [1, 1, 2, 2], "plays": bad}
    found = read(tmp_path, kind, rows, weight_column="plays")
    assert weights_of(found) == {(4, 2): 2.0}
    assert found.report is not None
    assert found.report.rejected == {BAD: 3}
    with pytest.raises(DataError, match=BAD):
        read(tmp_path, kind, rows, weight_column="plays", strict=True)


@pytest.mark.parametrize("text", ["x", "inf", "nan", "-2", "0", ""])
def test_text_that_is_no_weight_is_rejected(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"user,item,plays\n1,1,2\n2,2,{text}\n")
    found = read_interactions(path, options=ReadOptions(weight_column="plays"))
    assert found.report is not None
    assert found.report.rejected == {BAD: 1}
    assert str(found.report.examples[BAD][0]).startswith("line 3")


def test_weights_of_a_sparse_matrix_are_its_values() -> None:
    matrix = sparse.csr_array(np.array([[5.0, 0, 2], [0, 0, -1]]))
    found = read_interactions(matrix, options=ReadOptions(rating_weights=True))
    assert weights_of(found) == {(0, 0): 5.0, (0, 2): 2.0}


def test_a_weight_beyond_float32_is_an_error() -> None:
    rows = {"user": [1, 2], "item": [1, 2], "plays": [1e300, 1.0]}
    with pytest.raises(DataError, match=r"1e\+300.*log1p"):
        read_interactions(rows, options=ReadOptions(weight_column="plays"))


def test_many_half_lives_leave_a_weight_above_0() -> None:
    rows = {"user": [1, 2], "item": [1, 2], "timestamp": [0, 1e9]}
    weights = weights_of(read_interactions(rows, options=ReadOptions(half_life=1)))
    assert 0 < weights[1, 1] < 1e-30
    assert weights[2, 2] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_low_ratings_are_dislikes(kind: str, tmp_path: Path) -> None:
    """Pairs that are interactions too, and items that nobody likes, are none."""
    rows = {
        "user": [1, 1, 1, 2, 2, 2],
        "item": [10, 20, 30, 20, 10, 20],
        "rating": [5, 1, 1, 4, 2.5, 1],
    }
    found = read(tmp_path, kind, rows, min_rating=4, dislike_below=3)
    assert found.n_interactions == 2
    assert found.dislikes is not None
    assert found.dislikes.to_scipy().toarray().tolist() == [[0, 1], [1, 0]]
    assert found.report is not None
    assert found.report.rejected == {DISLIKED: 4}
    assert any("2 dislikes of 2 users" in note and "2 left out" in note for note in found.report.notes)


def test_ratings_between_are_neither() -> None:
    rows = {"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "rating": [5, 3, 2, 4]}
    found = read_interactions(rows, options=ReadOptions(min_rating=4, dislike_below=3))
    assert found.dislikes is not None
    assert (found.n_interactions, found.dislikes.n_interactions) == (2, 1)


def test_dislikes_after_the_cut_are_not_known_in_training() -> None:
    rows = {"user": [1, 1, 2, 2, 1], "item": [1, 2, 1, 2, 3], "rating": [5, 1, 1, 4, 5], "timestamp": [0, 9, 1, 2, 8]}
    found = read_interactions(rows, options=ReadOptions(dislike_below=3, keep_timestamps=True))
    train, held_out = TimeSplit(at=5).split(found)
    assert train.dislikes is not None
    assert train.dislikes.to_scipy().toarray().tolist() == [[0, 0, 0], [1, 0, 0]]
    assert held_out.dislikes is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_column": "plays", "rating_weights": True}, "weight_column.*rating_weights"),
        ({"weight_transform": "log1p"}, "weight_transform"),
        ({"weight_column": "plays", "weight_transform": "log"}, "log1p.*'log'"),
        ({"half_life": 0}, "half_life.*above 0"),
        ({"half_life": float("nan")}, "half_life.*above 0"),
        ({"half_life": 1e-300}, "half_life.*above 0.00001, about a second.*got 1e-300"),
        ({"half_life": float("inf")}, "half_life.*finite"),
        ({"half_life": 3, "timestamp_column": ""}, "timestamp_column"),
        ({"dislike_below": 4, "min_rating": 3}, "dislike_below must be at most min_rating"),
        ({"dislike_below": float("inf")}, "dislike_below.*finite"),
        ({"dislike_below": 3, "min_rating": 4, "repeats": "last"}, "repeats"),
        ({"weight_column": ""}, "weight_column"),
        ({"weight_column": 0}, "weight_column"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        ReadOptions(**options)


def test_a_missing_column_is_named() -> None:
    rows = {"user": [1, 2], "item": [1, 2]}
    for options, name in (
        ({"weight_column": "plays"}, "plays"), ({"half_life": 3}, "half_life"), ({"rating_weights": True}, "rating"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=name):
            read_interactions(rows, options=ReadOptions(**options))


def test_formats_without_columns_take_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("1 2 3\n2 3\n")
    for options in ({"weight_column": "plays"}, {"half_life": 3}, {"dislike_below": 2}, {"rating_weights": True}):
        with pytest.raises(OptionError):
            read_interactions(path, options=ReadOptions(format="adjacency", **options))
