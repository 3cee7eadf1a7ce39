"""`nestrec info`: what a model is."""

from __future__ import annotations

import json
from pathlib import Path

from nestrec.embeddings import NestedEmbeddings
from tests.cli.conftest import Run


def test_it_tells_sizes_widths_options_validation_and_data(run: Run, model: Path, interactions: Path) -> None:
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


def test_a_foreign_folder_is_told(run: Run, tmp_path: Path) -> None:
    result = run("info", tmp_path)
    assert result.code == 1
    assert "holds no manifest.json, so it is no nestrec model" in result.err
