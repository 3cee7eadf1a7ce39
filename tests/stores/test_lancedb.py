"""LanceDB: the tables that other programs read, their types, and the index."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.errors import OptionError, StoreError
from nestrec.stores import ExportRequest, Store, export, open_store, verify
from tests.stores.engines import change, model_of, with_seen, with_titles

lancedb = pytest.importorskip("lancedb")
BOTH = ExportRequest(sides=("items", "users"), widths=(2, 8))


def read(folder: Path, side: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lancedb.connect(str(folder)).open_table(side).to_arrow().to_pylist()
    return rows


def test_tables_have_a_column_for_each_width(tmp_path: Path) -> None:
    model = with_titles(model_of(["tea", "jam", "öl"]))
    with open_store(tmp_path / "s", "lancedb") as store:
        export(model, store, BOTH)
    rows = {row["id"]: row for row in read(tmp_path / "s", "items")}
    assert set(rows["tea"]) == {"id", "fingerprint", "vector_2", "vector_8", "title", "year", "genres"}
    np.testing.assert_array_equal(np.float32(rows["tea"]["vector_8"]), model.item_embeddings[1])
    assert rows["tea"]["vector_2"] == rows["tea"]["vector_8"][:2]
    assert (rows["tea"]["title"], rows["tea"]["genres"]) == ("Tïtle 1", ["Comedy", "Drama"])
    seen = {row["id"]: row["seen"] for row in read(tmp_path / "s", "users")}
    assert seen["u0"] == model.items.ids_at(model.seen.indices[slice(*model.seen.indptr[:2])]).tolist()


def test_columns_keep_their_types(tmp_path: Path) -> None:
    row: dict[str, Any] = {
        "title": "Tea", "price": Decimal("2.50"), "stock": 2**40, "ratio": 0.25, "sold": True,
        "day": dt.date(2026, 1, 31), "at": dt.datetime(2026, 1, 31, 12), "tags": ["a", "b"],  # noqa: DTZ001
    }  # fmt: skip
    model = model_of(2).with_item_table({"id": [0, 1], **{name: [value, None] for name, value in row.items()}})
    with open_store(tmp_path / "s", "lancedb") as store:
        export(model, store, BOTH)
        assert not export(model, store, BOTH).changed
    first, second = read(tmp_path / "s", "items")
    assert {name: first[name] for name in row} == row
    assert [second[name] for name in row] == [None] * len(row)


def indexed(store: Store) -> set[str]:
    return {index.columns[0] for index in store._table("items").list_indices()}  # type: ignore[attr-defined]


def test_an_index_is_built_kept_up_to_date_and_searched(tmp_path: Path) -> None:
    model = with_seen(model_of(4000, n_users=20), np.random.default_rng(0), share=0.1)
    with open_store(tmp_path / "s", "lancedb", n_lists=8, n_probes=8) as store:
        for one in (model, change(model)):
            export(one, store, ExportRequest(widths=(4, 8)))
            assert indexed(store) == {"id", "vector_4"}
            report = verify(one, store, n_users=20)
            assert (report.different, report.n_stale, report.recall) == ((), 0, 1.0)
            stats = lancedb.connect(str(tmp_path / "s")).open_table("items").index_stats("vector_4_idx")
            assert (stats.distance_type, stats.num_unindexed_rows) == ("dot", 0)


def test_a_row_that_is_written_twice_is_there_once(tmp_path: Path) -> None:
    model = model_of(30)
    with open_store(tmp_path / "s", "lancedb") as store:
        store.batch_rows = 7  # type: ignore[misc]
        export(model, store, BOTH)
        export(change(model), store, BOTH)
        export(model, store, BOTH)
    assert sorted(row["id"] for row in read(tmp_path / "s", "items")) == list(range(30))


def test_mistakes(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", "lancedb") as store:
        with pytest.raises(OptionError, match="quantize"):
            export(model_of(5), store, ExportRequest(quantize="int8"))
        export(model_of(5), store, BOTH)
    for file in (tmp_path / "s" / "items.lance").rglob("*.*"):
        file.write_bytes(b"damaged")
    with open_store(tmp_path / "s") as store, pytest.raises(StoreError, match="overwrite=True"):
        store.search([[0.0] * 8])
