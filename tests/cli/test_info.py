"""`nestrec info`: what a model is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nestrec.artefact import checksums
from nestrec.embeddings import NestedEmbeddings
from tests.cli.conftest import Run


def test_it_shows_sizes_widths_options_validation_and_data(run: Run, model: Path, interactions: Path) -> None:
    result = run("info", model)
    assert result.code == 0
    for told in ("interactions seen", "32 MB", "n_candidates", "ndcg@20", "rows as csv", str(interactions)):
        assert told in result.out


def test_json_is_the_manifest_with_the_memory_of_each_width(run: Run, model: Path) -> None:
    document = json.loads(run("info", model, "--json").out)
    assert document["memory"][-1] == {"width": 8, "bytes_per_million_items": 32_000_000}
    assert document["training"]["options"]["widths"] == [2, 4, 8]
    assert set(document["files"]) == {
        "embeddings.safetensors",
        "interactions.safetensors",
        "vocabularies.safetensors",
    }


def test_a_model_made_from_arrays_needs_no_account_of_training(run: Run, tmp_path: Path) -> None:
    NestedEmbeddings.from_arrays([[1.0]], [[1.0]], [1]).save(tmp_path / "m")
    result = run("info", tmp_path / "m")
    assert result.code == 0
    assert "Trained" not in result.out


def test_a_foreign_folder_is_reported(run: Run, tmp_path: Path) -> None:
    result = run("info", tmp_path)
    assert result.code == 1
    assert "holds no manifest.json, so it is not a nestrec model" in result.err


def test_it_says_how_far_the_files_were_verified(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "the manifest and all bytes of 3 files match their checksums"
    assert told in run("info", model).out
    loaded, model = NestedEmbeddings.load(model), tmp_path / "m"
    monkeypatch.setattr(checksums, "VERIFIED_UP_TO", 10)
    monkeypatch.setattr(checksums, "BLOCK", 64)
    monkeypatch.setattr(checksums, "SAMPLED", 3)
    loaded.save(model)
    result = run("info", model)
    assert "embeddings.safetensors 3 of" in result.out
    assert not json.loads(run("info", model, "--json").out)["integrity"]["complete"]
    assert told in run("info", model, "--verify").out
    content = bytearray((model / "embeddings.safetensors").read_bytes())
    content[700] ^= 1
    (model / "embeddings.safetensors").write_bytes(content)
    damaged = run("info", model, "--verify")
    assert (damaged.code, "is damaged" in damaged.err) == (1, True)


@pytest.mark.parametrize("section", ["mine", None, [1], {}, {"options": {"a": {"b": [1]}}}, {"history": 3}], ids=repr)
def test_sections_of_the_users_own_do_not_matter(run: Run, tmp_path: Path, section: Any) -> None:
    """A model that was made with a section `training` of another form failed with a traceback."""
    model = NestedEmbeddings.from_arrays([[1.0]], [[1.0]], [1])
    replace(model, manifest={"training": section, "data": section}).save(tmp_path / "m")
    for words in ((), ("--json",)):
        assert run("info", tmp_path / "m", *words).code == 0


def test_one_epoch_is_one_epoch(run: Run, model: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    training = {**loaded.manifest["training"], "epochs": 1}
    replace(loaded, manifest={**loaded.manifest, "training": training}).save(tmp_path / "m")
    assert "Trained 1 epoch on" in run("info", tmp_path / "m").out
