"""Python tables and sparse matrices are read without importing the libraries they come from."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from nestrec.data.read_options import ReadOptions
from nestrec.data.reading import read_interactions
from nestrec.errors import DataError, OptionError
from tests.data.reports import read_with_report
from tests.data.test_reading import PAIRS, pairs_of

COLUMNS: dict[str, list[Any]] = {"user_id": [7, 10, 7], "item_id": ["b", "a", "a"], "rating": [5.0, 3.0, 4.0]}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_any_arrow_table_is_read(make: Any) -> None:
    interactions, report = read_with_report(make(COLUMNS))
    assert pairs_of(interactions) == PAIRS
    assert report.format == "table"
    assert report.columns == {"user": "user_id", "item": "item_id"}


def test_a_duckdb_relation_and_a_stream_that_can_be_read_once_are_read() -> None:
    rows = "(VALUES (7, 'b'), (10, 'a'), (7, 'a')) AS rows(user_id, item_id)"
    assert pairs_of(read_interactions(duckdb.connect().sql(f"FROM {rows}"))) == PAIRS
    assert pairs_of(read_interactions(pa.table(COLUMNS).to_reader())) == PAIRS


def test_neither_pandas_nor_pyarrow_nor_polars_is_imported() -> None:
    """A table of our own that speaks the stream is read in a process where those libraries cannot be imported."""
    code = """
import sys
for name in ("pandas", "pyarrow", "polars"):
    sys.modules[name] = None
import duckdb
from nestrec.data.reading import read_interactions
class Table:
    def __arrow_c_stream__(self, requested_schema=None):
        self.relation = duckdb.connect().sql("SELECT range AS user, 'i' || range % 3 AS item FROM range(5)")
        return self.relation.__arrow_c_stream__()
interactions = read_interactions(Table())
print(interactions)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    # the last line: where the machine is slow, the table's own duckdb prints its progress before
    assert done.stdout.splitlines()[-1:] == ["<Interactions: 5 users, 3 items, 5 interactions>"], done.stderr


def test_null_ids_are_rejected_by_row_and_whole_floats_are_numbers() -> None:
    """A pandas column of numbers with a gap is made of floats."""
    interactions, report = read_with_report(pd.DataFrame({"user": [1.0, None, 3.0], "item": ["x", "y", ""]}))
    assert pairs_of(interactions) == {("1", "x")}
    assert report.rejected == {"the user id is missing": 1, "the item id is missing": 1}
    assert str(report.examples["the user id is missing"][0]).startswith("row 2: ")


@pytest.mark.parametrize("value", [1.5, 2.0**53])
def test_float_ids_that_are_not_exact_are_refused(value: float) -> None:
    with pytest.raises(
        DataError, match=r"column 'user' must hold whole numbers or text, got the float .*not below 2\^53.*store ids"
    ):
        read_interactions(pl.DataFrame({"user": [value], "item": [1]}))


def test_large_numbers_stay_exact() -> None:
    frame = pl.DataFrame({"user": [2**53 + 1, 2**53], "item": pl.Series([2**64 - 1, 1], dtype=pl.UInt64)})
    assert pairs_of(read_interactions(frame)) == {(str(2**53 + 1), str(2**64 - 1)), (str(2**53), "1")}


def test_categories_are_text() -> None:
    frame = pd.DataFrame({"user": pd.Categorical(["x", "y"]), "item": pd.Series(["p", "q"], dtype="string")})
    assert pairs_of(read_interactions(frame)) == {("x", "p"), ("y", "q")}


def test_nan_and_null_ratings_are_rejected_by_row() -> None:
    frame = pl.DataFrame(
        {"user": [1, 2, 3, 4], "item": [1, 2, 3, 4], "rating": [1.0, float("nan"), None, float("inf")]}
    )
    interactions, report = read_with_report(frame, options=ReadOptions(min_rating=0))
    assert interactions.n_interactions == 1
    shown = [str(example) for example in report.examples["the rating is not a finite number"]]
    assert shown == ["row 2: 'nan'", "row 3: 'null'", "row 4: 'inf'"]


@pytest.mark.parametrize(
    "times",
    [
        pl.Series(["1970-01-01T00:00:02", "1970-01-01 00:00:03"]).str.to_datetime(strict=False).dt.cast_time_unit("ms"),
        pl.Series(["1970-01-01T00:00:02Z", "1970-01-01 00:00:03"]),
        pl.Series([2, 3], dtype=pl.Int32),
    ],
)
def test_times_of_every_type_become_seconds(times: pl.Series) -> None:
    frame = pl.DataFrame({"user": [1, 1], "item": [1, 2], "time": times})
    interactions = read_interactions(frame, options=ReadOptions(keep_timestamps=True))
    assert interactions.timestamps is not None
    assert interactions.timestamps.tolist() == [2.0, 3.0]


def test_a_column_that_cannot_be_ids_is_named() -> None:
    with pytest.raises(DataError, match=r"column 'user' of type BIGINT\[\] cannot name users; store ids as"):
        read_interactions(pl.DataFrame({"user": [[1]], "item": [1]}))


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(DataError, match="has no rows of interactions"):
        read_interactions(pl.DataFrame({"user": [], "item": []}))


def test_a_table_that_fails_midway_is_named() -> None:
    def batches() -> Any:
        yield pa.record_batch({"user": [1], "item": [1]})
        raise RuntimeError("the wire broke")

    schema = pa.schema([("user", pa.int64()), ("item", pa.int64())])
    with pytest.raises(DataError, match=r"RecordBatchReader failed while its rows were read: .*the wire broke; check"):
        read_interactions(pa.RecordBatchReader.from_batches(schema, batches()))


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.coo_array, sparse.csc_array, sparse.lil_matrix])
def test_rows_and_columns_of_a_sparse_matrix_are_the_ids(make: Any) -> None:
    interactions, report = read_with_report(make(np.array([[0, 1.0, 0], [0, 0, 0], [2, 0, 3]])))
    assert pairs_of(interactions) == {("0", "1"), ("2", "0"), ("2", "2")}
    assert report.format == "sparse"


def test_stored_zeros_and_nan_are_not_interactions() -> None:
    matrix = sparse.coo_array((np.array([1.0, 0.0, np.nan, 2.0]), (np.array([0, 1, 2, 0]), np.array([3, 4, 5, 3]))))
    interactions, report = read_with_report(matrix)
    assert pairs_of(interactions) == {("0", "3")}
    assert report.rejected == {
        "the entry is a stored zero, which is no interaction": 1,
        "the rating is not a finite number": 1,
        "the same user and item stood in another row": 1,
    }
    assert str(report.examples["the rating is not a finite number"][0]) == "row 2, column 5: 'nan'"


def test_min_rating_reads_the_values_of_a_sparse_matrix() -> None:
    interactions = read_interactions(sparse.csr_array([[5, 1], [0, 4]]), options=ReadOptions(min_rating=4))
    assert pairs_of(interactions) == {("0", "0"), ("1", "1")}


def test_options_that_mean_nothing_for_a_source_are_refused() -> None:
    with pytest.raises(OptionError, match="keep_timestamps does not apply to interactions read as sparse, got True"):
        read_interactions(sparse.csr_array([[1]]), options=ReadOptions(keep_timestamps=True))
    with pytest.raises(OptionError, match="delimiter does not apply to interactions read as table, got ','"):
        read_interactions(pl.DataFrame({"user": [1], "item": [1]}), options=ReadOptions(delimiter=","))


def test_other_objects_are_refused() -> None:
    with pytest.raises(DataError, match="cannot be read from builtins int; give a path or a list of paths, a table"):
        read_interactions(5)


def test_complex_and_three_dimensional_matrices_are_refused() -> None:
    with pytest.raises(DataError, match="must hold real numbers or booleans, got complex128"):
        read_interactions(sparse.csr_array([[1j]]))
    with pytest.raises(DataError, match=r"must have two dimensions.*got 1"):
        read_interactions(sparse.coo_array(np.array([1.0, 2.0])))


def test_a_dictionary_of_columns_is_read() -> None:
    interactions, report = read_with_report(COLUMNS)
    assert pairs_of(interactions) == PAIRS
    assert (report.format, report.n_rows) == ("arrays", 3)
    users, items = np.array([2**53 + 1, 7], dtype=np.uint64), np.array(["007", "b"])
    assert pairs_of(read_interactions({"user": users, "item": items})) == {(str(2**53 + 1), "007"), ("7", "b")}


def test_a_dictionary_counts_its_bad_numbers_and_keeps_its_times() -> None:
    columns = {"user": [1, 1, 1], "item": [1, 2, 3], "rating": [5, np.nan, 5], "time": [4, 5, 6]}
    interactions, report = read_with_report(columns, options=ReadOptions(keep_timestamps=True, min_rating=0))
    assert interactions.timestamps is not None
    assert interactions.timestamps.tolist() == [4, 6]
    assert [str(shown) for shown in report.examples["the rating is not a finite number"]] == ["row 2: 'nan'"]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"user": [1], "item": [1, 2]}, "column 'item' has 2 values and 'user' has 1; give columns of equal length"),
        ({"user": [1.5], "item": [1]}, "column 'user': ids must be whole numbers or text, got the float 1.5"),
        ({"user": [None], "item": [1]}, "none can be used: 1 because the user id is missing"),
        ({"user": [True], "item": [1]}, "column 'user': ids hold values of type bool"),
        ({"user": [1], "what": [1]}, "no column of items among 'user', 'what'"),
        ({"user": [], "item": []}, "has no rows of interactions"),
    ],
)
def test_a_dictionary_that_cannot_be_read_is_reported_with_the_reason(columns: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_interactions(columns)
