"""Results as tables: the same values in pyarrow, pandas, polars and duckdb, and a remedy where a library is missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import nestrec
from nestrec import NestedEmbeddings, Ranking
from nestrec.errors import MissingExtraError
from nestrec.tabular import Tabular, Values


@dataclass(frozen=True)
class Table(Tabular):
    columns: Mapping[str, Values]

    def as_columns(self) -> Mapping[str, Values]:
        return self.columns


def text(*values: str) -> Any:
    return np.array(values, dtype=np.dtypes.StringDType())


def roundtrip(values: Values) -> list[Any]:
    """Return a column after its way through Arrow; all libraries read the same."""
    table = Table({"x": values}).to_arrow()
    table.validate(full=True)
    found: list[Any] = table.column("x").to_pylist()
    assert Table({"x": values}).to_polars()["x"].to_list() == found
    return found


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([3, -1, 2**62]), pa.int64()),
        (np.array([3, 1], dtype=np.int32), pa.int32()),
        (np.array([0.5, -2.0], dtype=np.float32), pa.float32()),
        (np.array([True, False] * 9), pa.bool_()),
        (text("a", "", "Zoë", "本\0"), pa.string()),
        (np.arange(6, dtype=np.int64)[::2], pa.int64()),
        (np.zeros(0, dtype=np.int64), pa.int64()),
        (text(), pa.string()),
    ],
)
def test_an_array_keeps_its_values_and_its_type(values: Any, kind: Any) -> None:
    assert roundtrip(values) == values.tolist()
    assert Table({"x": values}).to_arrow().schema.field("x").type == kind


@pytest.mark.parametrize(
    "values",
    [[1, None, 3], [None, "ann"], [0.5, None], [True, None, False], [None, None], ["a"], [None] * 9 + [2**40], []],
)
def test_none_in_a_list_is_null(values: list[Any]) -> None:
    assert roundtrip(values) == values


def test_numbers_of_both_kinds_are_floats_and_other_mixtures_text() -> None:
    assert roundtrip([1, 0.5, None]) == [1.0, 0.5, None]
    assert roundtrip([1, "uniform", None]) == ["1", "uniform", None]


@pytest.fixture(scope="module")
def model() -> NestedEmbeddings:
    return NestedEmbeddings.from_arrays(
        [[1.0, 0.0], [0.0, 1.0]],
        [[3.0, 0.0], [2.0, 1.0], [0.0, 2.0]],
        widths=[1, 2],
        users=["ann", "zoë"],
        items=[30, 10, 20],
    )


def test_a_ranking_is_a_table_without_padding(model: NestedEmbeddings) -> None:
    found = model.recommend(["zoë", "ann"], k=9)
    frame = found.to_pandas()
    assert frame.columns.tolist() == ["query", "id", "rank", "score"]
    assert frame["query"].tolist() == ["zoë"] * 3 + ["ann"] * 3
    assert frame["rank"].tolist() == [1, 2, 3] * 2
    assert frame["id"].tolist()[:2] == [20, 10]
    assert found.to_polars().rows() == [tuple(row) for row in frame.itertuples(index=False)]


def test_a_ranking_of_one_query_and_of_none(model: NestedEmbeddings) -> None:
    assert model.recommend("ann", k=1).to_arrow().to_pylist() == [{"query": "ann", "id": 30, "rank": 1, "score": 3.0}]
    empty: Ranking = model.recommend(["nobody"], k=1, unknown="skip")
    assert empty.to_pandas().empty
    assert empty.to_arrow().column_names == ["query", "id", "rank", "score"]


def test_other_libraries_read_a_result_by_itself(model: NestedEmbeddings) -> None:
    found = model.recommend(["zoë", "ann"], k=2)
    assert pl.DataFrame(found).equals(found.to_polars())
    with duckdb.connect() as connection:
        connection.register("found", found)
        assert connection.sql("SELECT query, max(score) FROM found GROUP BY 1 ORDER BY 1").fetchall() == [
            ("ann", 3.0),
            ("zoë", 2.0),
        ]


@pytest.mark.parametrize(("width", "size"), [(1, 1), (2, 2), (None, 2)])
def test_vectors_of_a_width_are_the_prefixes(model: NestedEmbeddings, width: int | None, size: int) -> None:
    for side, vocabulary in (("item", model.items), ("user", model.users)):
        found = getattr(model, f"{side}_vectors")(width)
        ids, vectors = found
        assert ids is vocabulary.ids
        assert vectors.flags.c_contiguous
        assert vectors.dtype == np.float32
        np.testing.assert_array_equal(vectors, getattr(model, f"{side}_embeddings")[:, :size])
        assert len(found) == len(ids)
        assert f"{size} dimensions" in repr(found)


def test_vectors_are_fixed_size_lists(model: NestedEmbeddings) -> None:
    table = model.item_vectors(width=1).to_arrow()
    assert table.schema == pa.schema({"id": pa.int64(), "vector": pa.list_(pa.float32(), 1)})
    assert table.to_pylist() == [{"id": 10, "vector": [2.0]}, {"id": 20, "vector": [0.0]}, {"id": 30, "vector": [3.0]}]
    assert model.item_vectors(width=2).to_polars().schema["vector"] == pl.Array(pl.Float32, 2)
    assert model.user_vectors().to_pandas()["id"].tolist() == ["ann", "zoë"]


def test_a_width_that_was_not_trained_is_an_error(model: NestedEmbeddings) -> None:
    with pytest.raises(nestrec.NestrecError, match="3"):
        model.item_vectors(width=3)


@pytest.mark.parametrize(
    ("method", "library", "extra"),
    [
        ("to_arrow", "pyarrow", "arrow"),
        ("to_pandas", "pandas", "pandas"),
        ("to_pandas", "pyarrow", "pandas"),
        ("to_polars", "polars", "polars"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    method: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"{method} needs {library}.*nestrec\[{extra}\]"):
        getattr(Table({"x": [1]}), method)()


def test_pandas_reads_values_that_polars_does(model: NestedEmbeddings) -> None:
    frame = model.recommend("ann", k=2).to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame["score"].dtype == np.float32
