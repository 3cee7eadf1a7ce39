"""Places to write to: checked early, written whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nestrec.atomic.output_file import check_output_folder
from nestrec.cli.destination import check_model_place, written_whole
from nestrec.cli.train import checkpoint_of
from nestrec.errors import ModelFileError, OptionError
from tests.cli.conftest import SMALL, Run


def test_checking_a_place_makes_nothing(tmp_path: Path) -> None:
    check_output_folder(tmp_path / "a" / "b")
    check_model_place(tmp_path / "a" / "b" / "model", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_when_something_is_written(
    run: Run, interactions: Path, unseen: Path, model: Path, tmp_path: Path
) -> None:
    assert run("train", interactions, "--out", tmp_path / "a" / "m", *SMALL).code == 0
    assert run("recommend", model, "--user", "u001", "--out", tmp_path / "b" / "x.parquet").code == 0
    assert run("evaluate", model, unseen, "--json", tmp_path / "c" / "x.json").code == 0
    assert run("evaluate", model, unseen, "--per-user", tmp_path / "d" / "x.parquet").code == 0


def fail_half_way(path: Path, error: Exception) -> None:
    with written_whole(path) as partial:
        partial.write_text("new")
        raise error


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(ValueError, match="half way"):
        fail_half_way(path, ValueError("half way"))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"cannot be written \(No space left on device\)"):
        fail_half_way(tmp_path / "x", OSError(28, "No space left on device"))


def test_a_file_is_no_place_for_a_model(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(ModelFileError, match="is a file; a model is a folder"):
        check_model_place(tmp_path / "x", overwrite=True)


def test_the_checkpoint_lies_beside_the_model_also_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert checkpoint_of(Path()) == tmp_path.with_name(f"{tmp_path.name}.checkpoint")


def test_a_model_beside_other_files_is_replaced_and_they_stay(
    run: Run, interactions: Path, model: Path, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(model, mixed)
    (mixed / "notes.txt").write_text("mine")
    assert run("train", interactions, "--out", mixed, "--overwrite", *SMALL).code == 0
    assert (mixed / "notes.txt").read_text() == "mine"
