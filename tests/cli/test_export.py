"""`nestrec export`: vectors and ids in formats of other tools."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from nestrec.embeddings import NestedEmbeddings
from tests.cli.conftest import Run
from tests.export.test_exporters import PLUGIN
from tests.plugin_packages import installed_package


@pytest.mark.parametrize("side", ["items", "users"])
def test_it_writes_the_vectors_of_a_side_at_a_width(run: Run, model: Path, tmp_path: Path, side: str) -> None:
    out = tmp_path / "vectors.npz"
    result = run("export", model, "--to", "npz", "--side", side, "--width", 4, "--out", out)
    assert (result.code, result.out) == (0, "")
    loaded = NestedEmbeddings.load(model)
    ids, vectors = (
        (loaded.items.ids, loaded.item_embeddings) if side == "items" else (loaded.users.ids, loaded.user_embeddings)
    )
    with np.load(out) as arrays:
        assert arrays["ids"].tolist() == ids.tolist()
        np.testing.assert_array_equal(arrays["vectors"], vectors[:, :4])
    assert f"{len(ids)} {side}, width 4" in result.err


def test_options_of_the_format_are_taken(run: Run, model: Path, tmp_path: Path) -> None:
    words = ("--option", "kind=ivf", "--option", "n-lists=7")
    assert run("export", model, "--to", "faiss", *words, "--out", tmp_path / "f").code == 0
    described = json.loads((tmp_path / "f" / "nestrec-store.json").read_text())
    assert described["options"] == {"kind": "ivf", "n_lists": 7}


def test_a_file_is_replaced_only_with_overwrite(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "items.parquet"
    words = ("export", model, "--to", "parquet", "--out", out)
    assert run(*words).code == 0
    before = out.read_bytes()
    refused = run(*words)
    assert (refused.code, out.read_bytes()) == (1, before)
    assert "--overwrite" in refused.err
    assert run(*words, "--overwrite", "--width", 2).code == 0
    assert out.read_bytes() != before


def test_a_plugin_s_format_is_offered(run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {"nestrec.exporters:counting": "Counting"}
    with installed_package(tmp_path, monkeypatch, "counting_exporter", PLUGIN, entries):
        words = ("--to", "counting", "--option", "greeting=hi", "--out", tmp_path / "out")
        assert run("export", model, *words).code == 0
        assert "counting" in run("export", model, "--to", "nothing", "--out", tmp_path / "x").err
    assert (tmp_path / "out").read_text() == "hi 80"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--to", "docx"), "must be one of npz, parquet, feather, csv, safetensors, word2vec, elasticsearch"),
        (("--to", "npz", "--width", "3"), "width 3 was not trained"),
        (("--to", "npz", "--option", "x"), "--option must be NAME=VALUE"),
        (("--to", "npz", "--option", "x=1"), "got 'x'"),
        (("--to", "faiss", "--side", "users"), "side must be items"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(
    run: Run, model: Path, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    result = run("export", model, *words, "--out", tmp_path / "out")
    assert result.code == 2
    assert sentence in result.err
    assert list(tmp_path.iterdir()) == []


def test_files_of_some_items_and_of_codes(run: Run, model: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    ids = loaded.items.ids.tolist()
    loaded.with_item_table({"id": ids, "year": [1980 + row for row in range(len(ids))]}).save(tmp_path / "titled")
    words = ("export", tmp_path / "titled", "--to", "safetensors", "--where", "year < 2000", "--quantize", "int8")
    written = run(*words, "--out", tmp_path / "v.safetensors")
    assert written.code == 0, written.err
    assert load_file(tmp_path / "v.safetensors")["vectors"].shape == (20, 8)
    refused = run("export", tmp_path / "titled", "--to", "csv", "--quantize", "int8", "--out", tmp_path / "x.csv")
    assert refused.code == 2
    assert "'quantize'" in refused.err


def test_standard_output_is_refused(run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("export", model, "--to", "npz", "--out", "-")
    assert result.code == 2
    assert "--out must be a file or folder" in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("to", "name", "sentence"),
    [
        ("parquet", "items.npz", "must end with .parquet for --to parquet"),
        ("npz", "items.CSV", "for that give --to csv"),
        ("csv", "items.arrow", "must end with .csv or .tsv for --to csv"),
    ],
)
def test_the_ending_of_another_format_is_refused(
    run: Run, model: Path, tmp_path: Path, to: str, name: str, sentence: str
) -> None:
    (tmp_path / name).write_text("former")
    result = run("export", model, "--to", to, "--out", tmp_path / name, "--overwrite")
    assert (result.code, sentence in result.err) == (2, True)
    assert (tmp_path / name).read_text() == "former"


@pytest.mark.parametrize(("to", "name"), [("csv", "items.txt"), ("npz", "items"), ("csv", "items.tsv")])
def test_other_endings_are_free(run: Run, model: Path, tmp_path: Path, to: str, name: str) -> None:
    assert run("export", model, "--to", to, "--out", tmp_path / name).code == 0
