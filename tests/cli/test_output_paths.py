"""Places to write to: checked early, written whole."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from nestrec.atomic.output_file import check_output_folder
from nestrec.cli.output_paths import check_model_path
from nestrec.cli.train import checkpoint_of
from nestrec.errors import ModelFileError
from tests.cli.conftest import SMALL, Run


def test_checking_a_place_makes_nothing(tmp_path: Path) -> None:
    check_output_folder(tmp_path / "a" / "b")
    check_model_path(tmp_path / "a" / "b" / "model", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_when_something_is_written(
    run: Run, interactions: Path, unseen: Path, model: Path, tmp_path: Path
) -> None:
    assert run("train", interactions, "--out", tmp_path / "a" / "m", *SMALL).code == 0
    assert run("recommend", model, "--user", "u001", "--out", tmp_path / "b" / "x.parquet").code == 0
    assert run("evaluate", model, unseen, "--json", tmp_path / "c" / "x.json").code == 0
    assert run("evaluate", model, unseen, "--per-user", tmp_path / "d" / "x.parquet").code == 0


@pytest.mark.parametrize(
    ("words", "option", "name"),
    [
        (("recommend", "{model}", "--user", "u001"), "--out", "x.csv"),
        (("recommend", "{model}", "--user", "u001"), "--out", "x.parquet"),
        (("recommend", "{model}", "--all-users"), "--out", "x.parquet"),
        (("similar", "{model}", "--user", "u001"), "--out", "x.jsonl"),
        (("evaluate", "{model}", "{data}", "--bootstrap", "0"), "--json", "x.json"),
        (("evaluate", "{model}", "{data}", "--bootstrap", "0"), "--per-user", "x.parquet"),
        (("plan", "{model}", "--measure-only", "-k", "5", "--sample", "20"), "--json", "x.json"),
        (("plan", "{model}", "--measure-only", "-k", "5", "--sample", "20"), "--picture", "x.svg"),
    ],
)
def test_no_file_is_replaced_without_overwrite(
    run: Run, unseen: Path, model: Path, tmp_path: Path, words: tuple[str, ...], option: str, name: str
) -> None:
    command = [word.format(model=model, data=unseen) for word in words] + [option, str(tmp_path / name)]
    (tmp_path / name).write_text("mine")
    refused = run(*command)
    assert refused.code == 1
    assert "already exists; replace it with --overwrite" in refused.err
    assert refused.err.count("\n") == 1, "before anything is read"
    assert (tmp_path / name).read_text() == "mine"
    done = run(*command, "--overwrite")
    assert done.code == 0, done.err
    assert (tmp_path / name).read_bytes() != b"mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("tune", "nothere.csv", "--out", "{folder}/x.toml"), "x.toml"),
        (("compare", "nothere.csv", "nothere.csv", "--out", "{folder}"), "comparison.html"),
        (("compare", "nothere.csv", "nothere.csv", "--out", "{folder}/new", "--json", "{folder}/x.json"), "x.json"),
    ],
)
def test_long_runs_refuse_existing_files_before_they_begin(
    run: Run, tmp_path: Path, words: tuple[str, ...], name: str
) -> None:
    command = [word.format(folder=tmp_path) for word in words]
    (tmp_path / name).write_text("mine")
    refused = run(*command)
    assert refused.code == 1
    assert name in refused.err
    assert "--overwrite" in refused.err
    allowed = run(*command, "--overwrite")
    assert "nothere.csv" in allowed.err.splitlines()[-1], "it comes as far as the data"
    assert (tmp_path / name).read_text() == "mine"


def test_figures_are_written_through_a_device_and_a_pipe(run: Run, unseen: Path, model: Path) -> None:
    """`--json /dev/full`, as root, put a file into the device's place."""
    command = ("evaluate", model, unseen, "--bootstrap", "0", "--json")
    assert run(*command, os.devnull).code == 0
    full = run(*command, "/dev/full")
    assert full.code == 1
    assert "/dev/full cannot be written (No space left on device)" in full.err
    assert all(stat.S_ISCHR(Path(device).stat().st_mode) for device in (os.devnull, "/dev/full"))


def test_a_file_is_not_a_place_for_a_model(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(ModelFileError, match="is a file; a model is a folder"):
        check_model_path(tmp_path / "x", overwrite=True)


def test_the_checkpoint_lies_beside_the_model_also_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert checkpoint_of(Path()) == tmp_path.with_name(f"{tmp_path.name}.checkpoint")
    for path in ("a/..", "./", str(tmp_path) + "/"):
        assert checkpoint_of(Path(path)) == tmp_path.with_name(f"{tmp_path.name}.checkpoint")


def test_the_checkpoint_of_a_mount_point_lies_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beside a container's volume is lost with the container."""
    monkeypatch.setattr("nestrec.cli.train._is_mount_point", lambda place: place == tmp_path)
    assert checkpoint_of(tmp_path) == tmp_path / ".checkpoint"
    assert checkpoint_of(Path("/")) == Path("/.checkpoint")


def test_a_model_beside_other_files_is_replaced_and_they_stay(
    run: Run, interactions: Path, model: Path, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(model, mixed)
    (mixed / "notes.txt").write_text("mine")
    assert run("train", interactions, "--out", mixed, "--overwrite", *SMALL).code == 0
    assert (mixed / "notes.txt").read_text() == "mine"
