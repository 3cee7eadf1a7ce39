"""Natural Python inputs are read rightly or refused with the library's own sentence."""

from __future__ import annotations

import decimal
import uuid
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from nestrec.data.read_options import ReadOptions
from nestrec.data.reading import read_interactions
from nestrec.errors import DataError, OptionError
from tests.data.reports import read_with_report
from tests.data.test_reading import PAIRS, pairs_of

COLUMNS: dict[str, list[Any]] = {"user_id": [7, 10, 7], "item_id": ["b", "a", "a"]}
Named = namedtuple("Named", ["item_id", "user_id"])


def _generator() -> Iterator[tuple[int, str]]:
    yield from zip(COLUMNS["user_id"], COLUMNS["item_id"], strict=True)


@pytest.mark.parametrize(
    "source",
    [
        list(_generator()),
        [list(pair) for pair in _generator()],
        [(user, item, 5, 0) for user, item in _generator()],
        [{"item_id": item, "x": 1, "user_id": user} for user, item in _generator()],
        [Named(item, user) for user, item in _generator()],
        dict.fromkeys(_generator(), 1).keys(),
        np.array(list(_generator()), dtype=[("user", "i8"), ("item", "U1")]),
        pd.Series(1, index=pd.MultiIndex.from_tuples(list(_generator()), names=["user", "item"]), name="n"),
        pd.DataFrame({"n": 1}, index=pd.MultiIndex.from_tuples(list(_generator()), names=["user", "item"])),
        pd.DataFrame(COLUMNS).set_index("user_id"),
        pd.DataFrame(COLUMNS).astype({"user_id": "Int64", "item_id": "category"}),
        pl.DataFrame(COLUMNS).with_columns(pl.col("item_id").cast(pl.Categorical)),
        pl.DataFrame(COLUMNS, schema={"user_id": pl.Int128, "item_id": pl.String}),
        pl.DataFrame(COLUMNS, schema={"user_id": pl.UInt64, "item_id": pl.String}),
        pl.DataFrame(COLUMNS).with_columns(pl.col("user_id").cast(pl.Decimal(20, 0))),
        pl.DataFrame(COLUMNS).with_columns(pl.col("user_id").cast(pl.Decimal(20, 2))),
        pl.DataFrame(COLUMNS).with_columns(pl.col("item_id").cast(pl.Binary)),
        pa.table({"user": COLUMNS["user_id"], "item": pa.array(COLUMNS["item_id"], pa.large_string())}),
        pa.table({"user": COLUMNS["user_id"], "item": pa.array(COLUMNS["item_id"], pa.string_view())}),
        pa.table({"user": COLUMNS["user_id"], "item": pa.array(COLUMNS["item_id"]).dictionary_encode()}),
        pa.table({"user": pa.chunked_array([[7], [], [10, 7]], pa.int64()), "item": COLUMNS["item_id"]}),
        {"user": np.array(COLUMNS["user_id"], dtype=object), "item": pd.Series(COLUMNS["item_id"])},
        {"user": pl.Series(COLUMNS["user_id"]), "item": pd.Categorical(COLUMNS["item_id"])},
        {"user": [7.0, 10.0, decimal.Decimal(7)], "item": [b"b", "a", np.str_("a")]},
    ],
    ids=lambda source: type(source).__name__,
)
def test_natural_inputs_are_read(source: Any) -> None:
    interactions, report = read_with_report(source)
    assert pairs_of(interactions) == PAIRS
    assert report.n_rows == 3


def test_iterators_are_read_once() -> None:
    for source in (_generator(), iter(list(_generator())), zip(COLUMNS["user_id"], COLUMNS["item_id"], strict=True)):
        interactions, report = read_with_report(source)
        assert (pairs_of(interactions), report.format) == (PAIRS, "rows")


def test_text_and_numbers_in_one_pandas_column_are_read() -> None:
    """ASINs, some of which pandas took for numbers, failed with no more than "failed while its rows were read"."""
    frame = pd.DataFrame({"user_id": ["B001", "B002", 12345], "item_id": [1, 2, 3]})
    assert pairs_of(read_interactions(frame)) == {("B001", "1"), ("B002", "2"), ("12345", "3")}
    frame["unrelated"] = [{"a": 1}, 5, "x"]
    frame["rating"] = [5, "4", 3.0]
    assert read_interactions(frame, options=ReadOptions(min_rating=4)).n_interactions == 2


def test_missing_ids_of_objects_are_counted() -> None:
    frame = pd.DataFrame(
        {"user": ["a", 5, None, float("nan"), pd.NA, "b"], "item": [1, 2, 3, 4, 5, pd.NA]}, dtype=object
    )
    for source in (frame, dict(frame), list(frame.itertuples(index=False, name=None))):
        interactions, report = read_with_report(source)
        assert pairs_of(interactions) == {("a", "1"), ("5", "2")}
        assert report.rejected == {"the user id is missing": 3, "the item id is missing": 1}
        assert report.n_rows == 6


def test_a_column_name_that_occurs_twice_is_noted() -> None:
    frame = pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["user_id", "user_id", "item_id"])
    interactions, report = read_with_report(frame)
    assert pairs_of(interactions) == {("1", "3"), ("4", "6")}
    assert any("2 columns are named 'user_id'" in note for note in report.notes)
    interactions = read_interactions(frame, options=ReadOptions(user_column=2, item_column=3))
    assert pairs_of(interactions) == {("2", "3"), ("5", "6")}


def test_columns_without_names_need_positions() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]])
    with pytest.raises(DataError, match=r"no column of users among '0', '1'"):
        read_interactions(frame)
    for source in (frame, [(1, 2), (3, 4)]):
        options = ReadOptions(user_column=2, item_column=1)
        assert pairs_of(read_interactions(source, options=options)) == {("2", "1"), ("4", "3")}


def test_rows_of_other_lengths_and_types_are_counted() -> None:
    rows = [(1, 2), (3,), None, (1, 2, 3), (4, [5]), (True, 1), (6, "x\udcff"), (7, 8)]
    interactions, report = read_with_report(rows)
    assert pairs_of(interactions) == {("1", "2"), ("7", "8")}
    assert sum(report.rejected.values()) == 6
    assert report.rejected["the row has more or fewer fields than the first one"] == 3


def test_ids_of_every_python_type() -> None:
    key = uuid.UUID(int=5)
    rows = [(key, 1), (np.int8(3), 1), (np.float32(4), 1), (decimal.Decimal("5.00"), 1), (decimal.Decimal("1.5"), 1),
            (b"caf\xc3\xa9", 1), (2**70, 1)]  # fmt: skip
    found = {user for user, _ in pairs_of(read_interactions(rows))}
    assert found == {str(key), "3", "4", "5", "1.5", "café", str(2**70)}


def test_sparse_tensors_of_torch_are_read() -> None:
    indices, values = torch.tensor([[0, 2, 2, 0], [1, 0, 2, 1]]), torch.tensor([1.0, 2, 3, 4])
    tensor = torch.sparse_coo_tensor(indices, values, (3, 3), check_invariants=True)
    expected = {("0", "1"), ("2", "0"), ("2", "2")}
    interactions, report = read_with_report(tensor)
    assert pairs_of(interactions) == expected
    assert report.rejected == {"the same user and item stood in another row": 1}
    with pytest.raises(DataError, match="is dense"):
        read_interactions(tensor.to_dense())


def test_repeated_entries_of_a_sparse_matrix_are_repeats() -> None:
    matrix = sparse.coo_matrix((np.ones(3), (np.array([0, 0, 1]), np.array([1, 1, 0]))))
    _, report = read_with_report(matrix)
    assert (report.n_rows, report.n_kept) == (3, 2)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (np.zeros((5, 2)), r"shape \(5, 2\) does not tell.*csr_array"),
        (np.zeros(5), "does not hold interactions"),
        (pd.Series([1, 2]), "holds one column"),
        (pl.Series([1, 2]), "no column of users"),
        (pl.LazyFrame(COLUMNS), "collect"),
        ([], "no rows"),
        (iter(()), "no rows"),
        ([1, 2], "values of type int"),
        (["a.csv", 5], "values of type str"),
        ([(1,)], "no column of"),
        ([{1: 2}], "keys are not all text"),
        ([{"user": 1}], "no column of items"),
        ([pd.DataFrame(COLUMNS)], "several tables"),
        (b"user,item", "cannot be read from builtins bytes"),
        (None, "cannot be read from builtins NoneType"),
        (5, "cannot be read from builtins int"),
        (object, "cannot be read from builtins type"),
        (pl.DataFrame({"user": [1], "item": [object()]}), "polars DataFrame"),
        ({"user": [1], "item": [np.datetime64("2020-01-01")]}, "column 'item'"),
        (pd.DataFrame({"user": [1], "item": pd.to_datetime(["2020-01-01"])}), "column 'item'"),
        (pl.DataFrame({"user": [1], "item": [{"a": 1}]}), r"column 'item' of type STRUCT"),
        (pl.DataFrame({"user": [1], "item": [True]}), "column 'item' of type BOOLEAN"),
    ],
)
def test_what_cannot_be_read_is_reported_in_a_sentence(source: Any, sentence: str) -> None:
    with pytest.raises((DataError, OptionError), match=sentence):
        read_interactions(source)


def test_binary_text_that_is_not_utf8_is_counted() -> None:
    frame = pl.DataFrame({"user": [b"a", b"\xff", b"", None], "item": [1, 2, 3, 4]})
    interactions, report = read_with_report(frame)
    assert pairs_of(interactions) == {("a", "1")}
    assert report.rejected == {"the id is not UTF-8 text": 1, "the user id is missing": 2}


@pytest.mark.parametrize("kind", [pl.List(pl.Int64), pl.List(pl.String), pl.Array(pl.Int64, 2)])
def test_lists_of_items_are_sequences(tmp_path: Path, kind: Any) -> None:
    lists: list[Any] = [[1, 2], [3, 1]] if isinstance(kind, pl.Array) else [[1, 2], [3, 1], [], None, [None, 4]]
    inner = pl.Array(pl.Int64, 2) if isinstance(kind, pl.Array) else pl.List(pl.Int64)
    items = pl.Series("item", lists, dtype=inner).cast(kind)
    frame = pl.DataFrame({"user": list(range(len(lists))), "item": items})
    frame.write_parquet(tmp_path / "x.parquet")
    for source in (frame, tmp_path / "x.parquet"):
        with pytest.raises(DataError, match=r"column 'item' of type .* holds several items.*sequence=True"):
            read_interactions(source)
        interactions, report = read_with_report(source, options=ReadOptions(sequence=True))
        expected = {("0", "1"), ("0", "2"), ("1", "3"), ("1", "1")}
        assert pairs_of(interactions) == (expected if len(lists) == 2 else {*expected, ("4", "4")})
        assert report.rejected == ({} if len(lists) == 2 else {"the item id is missing": 3})
        assert report.n_rows == report.n_kept + sum(report.rejected.values())


def test_text_of_items_is_a_sequence_in_tables_too() -> None:
    frame = pl.DataFrame({"user": [1, 2, 3], "item": ["a|b", " ", "c"]})
    options = ReadOptions(sequence=True, sequence_separator="|")
    interactions, report = read_with_report(frame, options=options)
    assert {("1", "a"), ("1", "b"), ("3", "c")} <= pairs_of(interactions)
    assert report.n_rows == report.n_kept + sum(report.rejected.values())


def test_a_relation_of_duckdb_with_types_of_its_own() -> None:
    connection = duckdb.connect()
    relation = connection.sql("SELECT '7'::HUGEINT AS user_id, uuid() AS item_id UNION ALL SELECT 8, uuid()")
    assert read_interactions(relation).users.ids.tolist() == [7, 8]
