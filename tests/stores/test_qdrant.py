"""Qdrant's server through its client: what differs from a folder. The client's mode in memory replaces a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.errors import OptionError, OutputError, StoreError
from nestrec.stores import ExportRequest, export, open_store, verify
from nestrec.stores.qdrant_edge import QdrantEdgeStore
from nestrec.stores.qdrant_points import point_id
from tests.stores.engines import change, model_of, with_seen, with_titles

qdrant_client = pytest.importorskip("qdrant_client")
ADDRESS = "http://qdrant.invalid:6333"
WIDE = ExportRequest(widths=(2, 8))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client whose collections live as long as the test, whoever closes it."""
    found = qdrant_client.QdrantClient(":memory:")
    monkeypatch.setattr(found, "close", lambda: None)
    monkeypatch.setattr(qdrant_client, "QdrantClient", lambda **_: found)
    return found


@pytest.mark.filterwarnings("ignore:Local mode")
def test_collections_have_named_vectors_payload_and_metadata(server: Any) -> None:
    model = with_titles(model_of(["tea", "jam", "öl"]))
    with open_store(ADDRESS, "qdrant", collection="shop") as store:
        export(model, store, ExportRequest(sides=("items", "users"), widths=(2, 8)))
        assert verify(model, store, n_users=5).different == ()
    assert {one.name for one in server.get_collections().collections} == {"shop_items", "shop_users"}
    config = server.get_collection("shop_items").config
    assert {name: (one.size, one.hnsw_config.m) for name, one in config.params.vectors.items()} == {
        "w2": (2, 16),
        "w8": (8, 0),
    }
    assert config.metadata["nestrec"]["n_items"] == 3
    point = server.retrieve("shop_items", [point_id("jam")], with_vectors=True)[0]
    assert point.payload["id"] == "jam"
    assert set(point.payload) == {"id", "fingerprint", "title", "year", "genres"}
    np.testing.assert_array_equal(point.vector["w2"], point.vector["w8"][:2])


@pytest.mark.filterwarnings("ignore:Local mode")
def test_a_server_is_kept_up_to_date(server: Any) -> None:
    earlier = model_of(40)
    with open_store(ADDRESS, "qdrant") as store:
        export(earlier, store, WIDE)
        assert not export(earlier, store, WIDE).changed
        counts = export(change(earlier), store, WIDE).sides[0]
        assert (counts.n_new, counts.n_changed, counts.n_gone) == (2, 2, 1)
        export(earlier, store, ExportRequest(widths=(4, 8), overwrite=True))
        assert store.metadata.layout.widths == (4, 8)
    assert server.count("nestrec_items").count == 40


def test_a_collection_of_somebody_else_is_refused(server: Any) -> None:
    server.create_collection("nestrec_items", vectors_config={})
    with open_store(ADDRESS, "qdrant") as store, pytest.raises(OutputError, match="nestrec_items"):
        export(model_of(5), store, ExportRequest(overwrite=True))
    assert server.collection_exists("nestrec_items")


def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    with open_store("http://127.0.0.1:9", "qdrant") as store, pytest.raises(StoreError, match="check address"):
        store.search([[0.0] * 8])


@pytest.mark.parametrize("name", ["qdrant", "qdrant-edge"])
def test_bfloat16_is_refused(name: str, tmp_path: Path) -> None:
    with open_store(tmp_path / "s", name) as store, pytest.raises(OptionError, match="int8"):
        export(model_of(5), store, ExportRequest(quantize="bf16"))
    assert list(tmp_path.iterdir()) == []


def test_an_index_is_searched_and_reaches_its_recall(tmp_path: Path) -> None:
    """Qdrant Edge builds a graph of the prefixes; quantized to int8, its first stage is still good."""
    pytest.importorskip("qdrant_edge")
    model = with_seen(model_of(3000, n_users=40), np.random.default_rng(0), share=0.01)
    for quantize in (None, "int8"):
        with open_store(tmp_path / str(quantize), "qdrant-edge", indexing_threshold=1) as store:
            export(model, store, ExportRequest(widths=(4, 8), quantize=quantize))
            report = verify(model, store, n_users=40)
            assert (report.different, report.n_stale) == ((), 0)
            assert report.recall > 0.9
            assert isinstance(store, QdrantEdgeStore)
            assert store._shard("items").info().indexed_vectors_count > 0
