"""sqlite-vec: what other programs find in the file, lifted vectors, and searches beyond its limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, StoreError
from nestrec.stores import ExportRequest, export, open_store, verify
from nestrec.stores.sqlite_vec_index import lift
from nestrec.stores.sqlite_vec_store import FILE, SqliteVecStore
from tests.stores.engines import model_of, with_seen, with_titles

apsw = pytest.importorskip("apsw")
pytest.importorskip("sqlite_vec")
WIDE = ExportRequest(widths=(2, 8))


def rows_of(folder: Path, sql: str) -> list[Any]:
    return list(apsw.Connection(str(folder / FILE)).execute(sql))


def test_the_file_has_vectors_titles_and_columns(tmp_path: Path) -> None:
    model = with_titles(model_of(["tea", "jam", "öl"]))
    with open_store(tmp_path / "s", "sqlite-vec") as store:
        export(model, store, ExportRequest(sides=("items", "users"), widths=(2, 8)))
    found = rows_of(tmp_path / "s", "SELECT id, vector, title, year, genres FROM items ORDER BY id")
    assert [row[0] for row in found] == ["jam", "tea", "öl"]
    np.testing.assert_array_equal(np.frombuffer(found[1][1], "<f4"), model.item_embeddings[1])
    assert found[1][2:] == ("Tïtle 1", 1991, '["Comedy", "Drama"]')
    seen = dict(rows_of(tmp_path / "s", "SELECT id, seen FROM users"))
    indptr = model.seen.indptr
    assert json.loads(seen["u0"]) == model.items.ids_at(model.seen.indices[indptr[0] : indptr[1]]).tolist()


def test_a_greater_norm_lifts_all_rows_anew(tmp_path: Path) -> None:
    """An item of a later model is longer than all earlier ones; the others keep their order."""
    earlier = model_of(200, n_users=20)
    vectors = earlier.item_embeddings.copy()
    vectors[7] *= 10
    later = NestedEmbeddings.from_arrays(earlier.user_embeddings, vectors, [2, 4, 8], users=earlier.users.ids)
    with open_store(tmp_path / "s", "sqlite-vec") as store:
        for model in (earlier, later):
            export(model, store, WIDE)
            greatest = np.linalg.norm(model.item_embeddings, axis=1).max()
            (norm,) = rows_of(tmp_path / "s", "SELECT lifted FROM norms WHERE width = 8")
            assert norm[0] == pytest.approx(greatest)
            report = verify(model, store, n_users=20)
            assert (report.different, report.recall) == ((), 1.0)


def test_lifted_vectors_are_near_where_inner_products_are_great() -> None:
    rng = np.random.default_rng(0)
    vectors, user = rng.normal(size=(100, 8)).astype(np.float32), rng.normal(size=8).astype(np.float32)
    norm = float(np.linalg.norm(vectors, axis=1).max())
    distances = np.sum((lift(vectors, norm) - np.append(user, 0)) ** 2, axis=1)
    np.testing.assert_allclose(distances, norm**2 + user @ user - 2 * vectors @ user, rtol=1e-5)


def test_more_neighbours_than_sqlite_vec_returns_are_still_found(tmp_path: Path) -> None:
    """With a long shortlist or many excluded items, all rows are scored."""
    model = with_seen(model_of(6000, n_users=2), np.random.default_rng(0), share=0.8)
    seen = [model.seen.indices[slice(*model.seen.indptr[row : row + 2])].tolist() for row in range(2)]
    assert len(seen[0]) > 4096
    with open_store(tmp_path / "s", "sqlite-vec") as store:
        export(model, store, WIDE)
        expected = model.recommend(model.users.ids, k=20, exact=True).ids.tolist()
        assert store.search(model.user_embeddings, 20, widths=(8,), exclude=seen).ids.tolist() == expected
        found = store.search(model.user_embeddings, 20, widths=(2, 8), shortlist=6000, exclude=seen)
        assert found.ids.tolist() == expected


def test_mistakes(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", "sqlite-vec") as store, pytest.raises(OptionError, match="quantize"):
        export(model_of(5), store, ExportRequest(quantize="int8"))
    assert list(tmp_path.iterdir()) == []
    with open_store(tmp_path / "s", "sqlite-vec") as store:
        export(model_of(5), store, WIDE)
    (tmp_path / "s" / FILE).write_bytes(b"no database" * 1000)
    with open_store(tmp_path / "s") as store:
        assert isinstance(store, SqliteVecStore)
        with pytest.raises(StoreError, match="overwrite=True"):
            store.search([[0.0] * 8])
