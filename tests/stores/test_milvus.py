"""Milvus Lite: the collections that its client finds in the folder."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from nestrec.errors import OptionError
from nestrec.stores import ExportRequest, export, open_store
from nestrec.stores.milvus_store import KEY, MilvusLiteStore
from tests.stores.engines import model_of

pymilvus = pytest.importorskip("pymilvus")
pytest.importorskip("milvus_lite")
BOTH = ExportRequest(sides=("items", "users"), widths=(2, 8))


def test_collections_have_vectors_and_columns(tmp_path: Path) -> None:
    table = {"id": ["a'b", "öl"], "title": ["Tea", None], "day": [dt.date(2026, 1, 31), None], "tags": [["x"], []]}
    model = model_of(["a'b", "öl"]).with_item_table(table)
    with open_store(tmp_path / "s", "milvus-lite") as store:
        export(model, store, BOTH)
        assert isinstance(store, MilvusLiteStore)
        rows = {row["id"]: row for row in store._collection("items").query("items", limit=10, output_fields=["*"])}
        users = store._collection("users").query("users", limit=100, output_fields=["id", "seen"])
    first = rows["a'b"]
    assert (first["title"], first["day"], list(first["tags"])) == ("Tea", "2026-01-31", ["x"])
    assert len(first[KEY]) == 36
    np.testing.assert_array_equal(np.float32(first["vector_8"]), model.item_embeddings[0])
    np.testing.assert_array_equal(np.float32(first["vector_2"]), model.item_embeddings[0, :2])
    assert rows["öl"]["title"] is None
    assert {row["id"] for row in users} == set(model.users.ids.tolist())


def test_quantization_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", "milvus-lite") as store, pytest.raises(OptionError, match="quantize"):
        export(model_of(5), store, ExportRequest(quantize="int8"))
