"""chDB: the tables that SQL of ClickHouse finds in the folder, and their types."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.errors import OptionError
from nestrec.stores import ExportRequest, export, open_store
from nestrec.stores.chdb_sql import create_table_sql
from nestrec.stores.layout import SideLayout
from tests.stores.engines import model_of

BOTH = ExportRequest(sides=("items", "users"), widths=(2, 8))


def query(folder: Path, sql: str) -> list[Any]:
    pytest.importorskip("chdb")
    from chdb.session import Session

    session = Session(str(folder / "clickhouse"))
    try:
        return [json.loads(line) for line in str(session.query(sql, "JSONCompactEachRow")).splitlines()]
    finally:
        session.close()


def test_columns_keep_their_types(tmp_path: Path) -> None:
    pytest.importorskip("chdb")
    row: dict[str, Any] = {
        "title": "Tea", "price": Decimal("2.50"), "stock": 2**40, "ratio": 0.25, "sold": True,
        "day": dt.date(2026, 1, 31), "at": dt.datetime(2026, 1, 31, 12), "tags": ["a", "b"],  # noqa: DTZ001
    }  # fmt: skip
    model = model_of(2).with_item_table({"id": [0, 1], **{name: [value, None] for name, value in row.items()}})
    with open_store(tmp_path / "s", "chdb") as store:
        export(model, store, BOTH)
        assert not export(model, store, BOTH).changed
    first, second = query(tmp_path / "s", f"SELECT {', '.join(row)} FROM nestrec.items ORDER BY id")
    assert first == ["Tea", 2.5, 2**40, 0.25, True, "2026-01-31", "2026-01-31 12:00:00.000000", ["a", "b"]]
    assert second == [None] * 7 + [[]]
    (vector,) = query(tmp_path / "s", "SELECT vector FROM nestrec.items WHERE id = 1")[0]
    np.testing.assert_array_equal(np.float32(vector), model.item_embeddings[1])
    seen = dict(query(tmp_path / "s", "SELECT id, seen FROM nestrec.users"))
    assert seen["u0"] == model.seen.indices[slice(*model.seen.indptr[:2])].tolist()


def test_long_lists_of_excluded_items_are_no_longer_than_a_query_may_be(tmp_path: Path) -> None:
    pytest.importorskip("chdb")
    names = [f"item number {number} of a long list of text ids" for number in range(10_000)]
    model = model_of(names, n_users=2)
    with open_store(tmp_path / "s", "chdb") as store:
        export(model, store, BOTH)
        found = store.search(model.user_embeddings[:1], 3, exclude=[names[3:]])
    assert set(found.ids[0].tolist()) == set(names[:3])


def test_names_of_columns_are_quoted() -> None:
    side = SideLayout("VARCHAR", {"a`b": "VARCHAR[]", "c\\": "STRUCT(a INTEGER)"})
    assert create_table_sql("items", side) == (
        "CREATE TABLE IF NOT EXISTS nestrec.items (id String, fingerprint Int64, vector Array(Float32), "
        "`a\\`b` Array(Nullable(String)), `c\\\\` Nullable(String)) ENGINE = MergeTree ORDER BY id"
    )


def test_quantization_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("chdb")
    with open_store(tmp_path / "s", "chdb") as store, pytest.raises(OptionError, match="quantize"):
        export(model_of(5), store, ExportRequest(quantize="int8"))
