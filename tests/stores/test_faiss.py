"""The FAISS store: FAISS alone reads the index, codes and graphs are refined, and options are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from nestrec.errors import OptionError, OutputError, StoreError
from nestrec.stores import ExportRequest, export, open_store, verify
from nestrec.stores.registry import make_target
from tests.stores.engines import model_of, with_seen

faiss = pytest.importorskip("faiss")


@pytest.mark.parametrize("items", [[30, -2, 7, *range(100, 150)], ["jam", "tea", "öl", *(f"i{n}" for n in range(50))]])
def test_faiss_alone_reads_ids_and_the_bits_of_vectors(items: list[Any], tmp_path: Path) -> None:
    model = model_of(items)
    with open_store(tmp_path / "f", "faiss") as store:
        export(model, store, ExportRequest(widths=(2, 8)))
    index = faiss.read_index(str(tmp_path / "f" / "index.faiss"))
    with duckdb.connect() as database:
        rows = database.execute(f"SELECT id FROM '{tmp_path}/f/items.parquet'").fetchall()
    ids = [row[0] for row in rows]
    full = faiss.downcast_index(index.refine_index)
    np.testing.assert_array_equal(full.reconstruct_n(0, index.ntotal), model.item_embeddings[model.items.index_of(ids)])


def test_faiss_alone_searches_in_two_stages(tmp_path: Path) -> None:
    model = model_of(400)
    with open_store(tmp_path / "f", "faiss") as store:
        export(model, store, ExportRequest(widths=(2, 8)))
        expected = store.search(model.user_embeddings[:5], 10, widths=(2, 8), shortlist=100)
    index = faiss.read_index(str(tmp_path / "f" / "index.faiss"))
    scores, rows = index.search(model.user_embeddings[:5], 10, params=faiss.IndexRefineSearchParameters(k_factor=10))
    assert rows.tolist() == expected.ids.tolist()  # ids are 0, 1, 2, …
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-6)


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf"])
@pytest.mark.parametrize("quantize", [None, "int8", "bf16"])
@pytest.mark.parametrize("widths", [(4, 8), (8,)])
def test_codes_and_graphs_reach_their_recall(kind: str, quantize: Any, widths: tuple[int, ...], tmp_path: Path) -> None:
    model = with_seen(model_of(3000, n_users=40), np.random.default_rng(0), share=0.01)
    options = {"kind": kind, "n_lists": 32, "n_probes": 24} if kind == "ivf" else {"kind": kind}
    with open_store(tmp_path / "f", "faiss", **options) as store:
        export(model, store, ExportRequest(widths=widths, quantize=quantize))
        report = verify(model, store, n_users=40)
    assert (report.different, report.n_stale) == ((), 0)
    assert report.recall > 0.9


def test_an_index_of_other_options_needs_overwrite(tmp_path: Path) -> None:
    model = model_of(50)
    with open_store(tmp_path / "f", "faiss") as store:
        export(model, store)
    with open_store(tmp_path / "f", "faiss", kind="hnsw") as store:
        with pytest.raises(OutputError, match="kind=flat, not kind=hnsw"):
            export(model, store)
        assert export(model, store, ExportRequest(overwrite=True)).changed
        assert store.metadata.options == {"kind": "hnsw", "m": 16, "ef_construct": 100}


def test_a_search_after_another_export_reads_the_new_index(tmp_path: Path) -> None:
    with open_store(tmp_path / "f", "faiss") as searching, open_store(tmp_path / "f", "faiss") as writing:
        for model in (model_of(50), model_of(60, seed=1)):
            export(model, writing)
            found = searching.search(model.user_embeddings, 5, widths=(8,), exact=True)
            expected = model.recommend(model.users.ids, k=5, exclude_seen=False, exact=True)
            assert found.ids.tolist() == expected.ids.tolist()


def test_an_index_needs_items(tmp_path: Path) -> None:
    with open_store(tmp_path / "f", "faiss") as store, pytest.raises(OptionError, match="side must be items"):
        export(model_of(5), store, ExportRequest(sides=("users",)))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_index_is_an_error(tmp_path: Path) -> None:
    model = model_of(50)
    with open_store(tmp_path / "f", "faiss") as store:
        export(model, store)
        (tmp_path / "f" / "index.faiss").write_bytes(b"IxFI")
        with pytest.raises(StoreError, match="not an index"):
            store.search(model.user_embeddings)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"sort": "flat"}, "got 'sort'"), ({"kind": "tree"}, "kind"), ({"ef": "0"}, "ef"), ({"m": "x"}, "m")],
)
def test_unknown_options_and_values_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        make_target("faiss", **options)
