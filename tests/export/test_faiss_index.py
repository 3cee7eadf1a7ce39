"""FAISS indices made from a model: near the exact answer, kept beside the model, refused where they do not fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from nestrec.autotune.trial import recall
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import MissingExtraError, ModelFileError, OptionError
from nestrec.export.faiss_index import FaissIndex
from nestrec.export.faiss_kinds import FaissKind, Flat, Hnsw, Ivf
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.item_lists import ItemLists
from tests.retrieval.worlds import exclusions, falling_spectrum

SIZE, K = 16, 10
KINDS = (Flat(), Hnsw(search_effort=300), Ivf(n_lists=20, n_probes=10))


@pytest.fixture(scope="module")
def model() -> NestedEmbeddings:
    vectors = falling_spectrum(50, 3_000, SIZE, power=0.8)
    return NestedEmbeddings.from_arrays(vectors.queries, vectors.items, (4, 8, SIZE))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_finds_nearly_what_a_full_scan_does_with_the_same_scores(model: NestedEmbeddings, kind: FaissKind) -> None:
    index = FaissIndex.build(model, kind, width=8 if kind.name == "flat" else None, shortlist=150)
    best = FullScan(model.item_embeddings, SIZE).search(model.user_embeddings, K)
    found = index.search(model.user_embeddings, K)
    assert recall(found.ids, best.ids) > 0.9
    same = found.ids == best.ids
    np.testing.assert_array_equal(found.scores[same], best.scores[same])
    assert found.work.reranked <= 50 * 150
    assert index.nbytes > 0


def test_a_users_exclusions_cost_others_nothing(model: NestedEmbeddings) -> None:
    index = FaissIndex.build(model, Flat(), shortlist=K)
    best = index.search(model.user_embeddings, K).ids
    rows = [best[0].copy(), *([np.zeros(0, dtype=np.int32)] * 49)]
    found = index.search(model.user_embeddings, K, exclusions(rows))
    assert not np.isin(found.ids[0], best[0]).any()
    np.testing.assert_array_equal(found.ids[1:], best[1:])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_is_kept_beside_the_model(model: NestedEmbeddings, kind: FaissKind, tmp_path: Path) -> None:
    index = FaissIndex.build(model, kind, width=8, shortlist=77)
    index.save(tmp_path / "model.faiss")
    (tmp_path / "model.faiss" / "README.md").write_text("mine")
    with pytest.raises(OptionError, match="already holds an index"):
        index.save(tmp_path / "model.faiss")
    index.save(tmp_path / "model.faiss", overwrite=True)
    names = [path.name for path in (tmp_path / "model.faiss").iterdir()]
    assert sorted(names) == ["README.md", "index.faiss", "index.json", "items.json"]
    assert json.loads((tmp_path / "model.faiss" / "items.json").read_text()) == model.items.ids.tolist()
    again = FaissIndex.load(tmp_path / "model.faiss", model)
    assert (again.kind, again.width, again.shortlist) == (kind, 8, 77)
    np.testing.assert_array_equal(
        again.search(model.user_embeddings, K).ids, index.search(model.user_embeddings, K).ids
    )


def test_an_index_that_is_replaced_while_it_is_read_is_read_again(
    model: NestedEmbeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its description was of one save, its vectors of the next."""
    place, read, narrow = tmp_path / "i", faiss.read_index, FaissIndex.build(model, Flat(), width=8)
    FaissIndex.build(model, Flat(), width=8, shortlist=50).save(place)
    calls: list[str] = []

    def replace_and_read(path: str) -> Any:
        if not calls:
            narrow.save(place, overwrite=True)
        calls.append(path)
        return read(path)

    monkeypatch.setattr(faiss, "read_index", replace_and_read)
    assert FaissIndex.load(place, model).shortlist == narrow.shortlist != 50
    assert len(calls) == 2


def test_an_index_of_another_model_is_refused(model: NestedEmbeddings, tmp_path: Path) -> None:
    FaissIndex.build(model, Flat()).save(tmp_path / "i")
    other = NestedEmbeddings.from_arrays(model.user_embeddings, model.item_embeddings[:9], (4, 8, SIZE))
    with pytest.raises(ModelFileError, match="3000 items of width 16, the model 9"):
        FaissIndex.load(tmp_path / "i", other)


def test_damaged_and_foreign_folders_are_reported(model: NestedEmbeddings, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no complete index"):
        FaissIndex.load(tmp_path / "nothing", model)
    FaissIndex.build(model, Flat()).save(tmp_path / "i")
    (tmp_path / "i" / "index.faiss").write_bytes(b"IxFI")
    with pytest.raises(ModelFileError, match="no complete index"):
        FaissIndex.load(tmp_path / "i", model)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "mine.txt").write_text("mine")
    with pytest.raises(ModelFileError, match="is not an index, so it is not replaced"):
        FaissIndex.build(model, Flat()).save(tmp_path / "foreign")
    assert json.loads((tmp_path / "i" / "index.json").read_text())["kind"] == "flat"


def test_the_error_for_a_missing_library_names_the_remedy(
    model: NestedEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r'pip install "nestrec\[faiss\]"'):
        FaissIndex.build(model, Flat())


def test_sizes_are_checked(model: NestedEmbeddings) -> None:
    with pytest.raises(OptionError, match="width 5 was not trained"):
        FaissIndex.build(model, Flat(), width=5)
    with pytest.raises(OptionError, match="shortlist must be 1 or more, got 0"):
        FaissIndex.build(model, Flat(), shortlist=0)
    with pytest.raises(OptionError, match="n_probes of ivf must be 1 or more, got 0"):
        Ivf(n_probes=0)
    with pytest.raises(OptionError, match="neighbours of hnsw must be 1 or more, got 0"):
        Hnsw(neighbours=0)


def test_what_faiss_proposes_too_little_of_is_scanned(model: NestedEmbeddings) -> None:
    """One list of twenty is probed, and holds less than is asked for."""
    index = FaissIndex.build(model, Ivf(n_lists=200, n_probes=1), shortlist=K)
    expected = FullScan(model.item_embeddings, SIZE).search(model.user_embeddings, 1_000)
    np.testing.assert_array_equal(index.search(model.user_embeddings, 1_000).ids, expected.ids)
    nothing = ItemLists(np.zeros(51, dtype=np.int64), np.zeros(0, dtype=np.int32))
    assert (index.search(model.user_embeddings, K, nothing).ids >= 0).all()
