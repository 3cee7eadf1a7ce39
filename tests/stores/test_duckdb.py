"""The DuckDB store: the SQL that it writes, types of columns, and what other readers see."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as parquet
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.stores import ExportRequest, export, open_store, verify
from tests.stores.engines import ODD_IDS, change, model_of, with_titles


def run_sql(folder: Path, monkeypatch: pytest.MonkeyPatch, setup: str, parameters: dict[str, Any]) -> list[Any]:
    """Run the SQL file from its folder."""
    monkeypatch.chdir(folder)
    with duckdb.connect() as database:
        if setup:
            database.execute(setup)
        return database.execute((folder / "two_stage.sql").read_text(encoding="utf-8"), parameters).fetchall()


@pytest.mark.parametrize("ids", [30, [*ODD_IDS, *(f"i{n}" for n in range(30))]], ids=["numbers", "text"])
def test_the_sql_of_stored_users_is_the_recommended_search(
    ids: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = with_titles(model_of(ids))
    with open_store(tmp_path / "shop", "duckdb") as store:
        export(model, store, ExportRequest(sides=("items", "users")))
        seen = model.items.ids_at(model.seen.indices[model.seen.indptr[3] : model.seen.indptr[4]])
        expected = store.search(model.user_embeddings[3:4], 10, exclude=[seen.tolist()])
    user = model.users.ids[3]
    rows = run_sql(tmp_path / "shop", monkeypatch, f"SET VARIABLE user_id = '{user}'", {})
    assert [row[0] for row in rows] == [one for one in expected.ids[0].tolist() if one != -1][: len(rows)]
    assert len(rows) == int((expected.scores[0] > -1e30).sum())
    assert model.item_table is not None
    assert [row[1] or "" for row in rows] == model.item_table.titles([row[0] for row in rows]).tolist()


def test_the_sql_without_users_takes_a_vector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(200)
    with open_store(tmp_path / "shop", "duckdb") as store:
        export(model, store)
        widths = store.metadata.operating_points[-1].widths
        expected = store.search(model.user_embeddings[:1], 10, exclude=[[5, 6]])
    vectors: dict[str, Any] = {f"user_{width}": model.user_embeddings[0, :width].tolist() for width in widths}
    rows = run_sql(tmp_path / "shop", monkeypatch, "", {**vectors, "excluded": [5, 6]})
    assert [row[0] for row in rows] == expected.ids[0].tolist()


def test_columns_keep_their_types_and_vectors_their_size(tmp_path: Path) -> None:
    model = model_of(3)
    table = {
        "id": [0, 1, 2],
        "on_sale": [True, None, False],
        "since": [dt.date(2026, 1, 31), None, dt.date(1999, 12, 1)],
        "price": [2.5, None, 3.0],
        "tags": [["a", "b"], [], None],
        "Vector": ["x", "y", "z"],
    }
    with open_store(tmp_path / "shop", "duckdb") as store:
        export(model.with_item_table(table), store, ExportRequest(widths=(8,)))
    read = parquet.read_table(tmp_path / "shop" / "items.parquet").to_pydict()
    del table["id"]
    table["item_Vector"] = table.pop("Vector")
    assert {name: read[name] for name in table} == table
    assert pl.read_parquet(tmp_path / "shop" / "items.parquet")["vector"].dtype == pl.Array(pl.Float32, 8)


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    model = with_titles(model_of(20))
    with open_store(tmp_path / "a 'shop' [1] {x} %s.*", "duckdb") as store:
        export(model, store, ExportRequest(widths=(2, 8)))
        assert export(change(model), store, ExportRequest(widths=(2, 8), overwrite=True)).changed
        assert verify(change(model), store, n_users=5).n_stale == 0


def test_quantization_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with open_store(tmp_path / "shop", "duckdb") as store, pytest.raises(OptionError, match="32-bit floats"):
        export(model_of(3), store, ExportRequest(quantize="int8"))
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_one_width_is_searched_in_one_stage(tmp_path: Path) -> None:
    model = NestedEmbeddings.from_arrays([[1.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]], widths=[2])
    with open_store(tmp_path / "shop", "duckdb") as store:
        report = export(model, store)
        assert [point.widths for point in report.operating_points] == [(2,)]
        assert store.search(model.user_embeddings, 2).ids.tolist() == [[1, 0]]
    assert "all 2 dimensions" in (tmp_path / "shop" / "README.md").read_text()
