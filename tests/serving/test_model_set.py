"""Models have names, are loaded whole, and are swapped or kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestrec import NestedEmbeddings
from nestrec.errors import ModelFileError, NestrecError, OptionError
from nestrec.serving.model_set import ModelSet, name_folders
from nestrec.serving.served_model import ServedModel, serve_model


def test_names_are_those_given_or_of_the_folders(tmp_path: Path) -> None:
    assert name_folders([f"{tmp_path}/a", f"b={tmp_path}/a"]) == {"a": tmp_path / "a", "b": tmp_path / "a"}
    for wrong in ([], ["/"], ["..="], ["=x"], ["a/b=x"], ["a=x", "a=y"], ["a" * 65 + "=x"]):
        with pytest.raises(OptionError):
            name_folders(wrong)


def test_a_model_is_swapped_and_the_version_follows_the_content(shop: NestedEmbeddings, tmp_path: Path) -> None:
    shop.save(tmp_path / "m")
    models = ModelSet({"m": tmp_path / "m"})
    first = models.find("m")
    assert models.changed() == []
    shop.at(8).save(tmp_path / "m", overwrite=True)
    assert models.changed() == ["m"]
    second = models.reload("m")
    assert models.find(None) is second
    assert models.changed() == []
    assert (first.version != second.version, first.widest, second.widest) == (True, 16, 8)
    shop.save(tmp_path / "m", overwrite=True)
    assert models.reload("m").version == first.version
    with pytest.raises(NestrecError, match="model must be one of m"):
        models.reload("n")


def test_a_damaged_model_is_not_swapped_in_and_not_tried_again(shop: NestedEmbeddings, tmp_path: Path) -> None:
    shop.save(tmp_path / "m")
    models = ModelSet({"m": tmp_path / "m"})
    first = models.find("m")
    (tmp_path / "m" / "manifest.json").write_text("{}")
    assert models.changed() == ["m"]
    with pytest.raises(ModelFileError):
        models.reload("m")
    assert models.find("m") is first
    assert models.changed() == []


def test_models_in_memory_have_a_version_too(served: ServedModel, shop: NestedEmbeddings) -> None:
    assert len(served.version) == 16
    assert serve_model("m", shop).version == "unsaved"
