"""`nestrec train`: what it writes, refuses, says; interrupted and resumed."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from nestrec.cli.train import checkpoint_of
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import ModelFileError
from nestrec.training.callbacks import EpochReport
from nestrec.training.checkpoint_folder import CheckpointFolder
from nestrec.training.progress import TrainingProgress
from nestrec.training.trainer import Trainer
from tests.cli.conftest import SMALL, Run


def manifest(out: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return result


def test_it_writes_a_model_with_the_account_of_its_data(run: Run, interactions: Path, tmp_path: Path) -> None:
    result = run("train", interactions, "--out", tmp_path / "m", *SMALL)
    assert result.code == 0, result.err
    model = NestedEmbeddings.load(tmp_path / "m")
    assert list(model.widths) == [2, 4, 8]
    report = manifest(tmp_path / "m")["data"]["report"]
    assert report["n_rows"] == report["n_kept"] + sum(report["rejected"].values())
    assert report["source"] == str(interactions)


def test_it_shows_the_metric_of_every_width_and_what_to_do_next(run: Run, interactions: Path, tmp_path: Path) -> None:
    result = run("train", interactions, "--out", tmp_path / "m", *SMALL)
    assert [line.split()[0] for line in result.out.splitlines()[2:5]] == ["2", "4", "8"]
    assert "rows read as csv" in result.err
    assert "  ndcg@20 0." in result.err
    assert f"nestrec recommend {tmp_path / 'm'} --user u001" in result.err


def test_no_checkpoint_and_no_partial_file_is_left(run: Run, interactions: Path, tmp_path: Path) -> None:
    run("train", interactions, "--out", tmp_path / "m", *SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_given_validation_file_is_ranked_and_not_trained_on(run: Run, interactions: Path, tmp_path: Path) -> None:
    held_out = tmp_path / "held.csv"
    held_out.write_text("user_id,item_id\n" + "".join(f"u{n:03},topic1/sub1/item1\n" for n in range(1, 60)))
    result = run("train", interactions, "--out", tmp_path / "m", "--validation", held_out, *SMALL)
    assert result.code == 0, result.err
    assert manifest(tmp_path / "m")["training"]["validation_metrics"] is not None
    assert (
        NestedEmbeddings.load(tmp_path / "m").seen.n_interactions == manifest(tmp_path / "m")["data"]["n_interactions"]
    )


@pytest.fixture
def interrupted(run: Run, interactions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a model that Ctrl-C cut short after the second epoch of three."""
    heard = TrainingProgress.on_epoch_end

    def interrupting(self: TrainingProgress, report: EpochReport) -> None:
        heard(self, report)
        if report.epoch == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TrainingProgress, "on_epoch_end", interrupting)
    result = run("train", interactions, "--out", tmp_path / "m", *SMALL)
    monkeypatch.setattr(TrainingProgress, "on_epoch_end", heard)
    assert result.code == 130
    assert f"is in {tmp_path / 'm'}, the state of training in" in result.err
    assert "give the same command with --resume" in result.err
    return tmp_path / "m"


def test_ctrl_c_leaves_the_model_so_far_and_a_checkpoint(interrupted: Path) -> None:
    assert manifest(interrupted)["training"]["interrupted"] is True
    assert len(NestedEmbeddings.load(interrupted).recommend("u001", k=3).ids) == 3
    assert checkpoint_of(interrupted).is_dir()


def test_resume_ends_where_an_uninterrupted_run_does(run: Run, interactions: Path, interrupted: Path) -> None:
    """It replaces the interrupted model without --overwrite, and removes the checkpoint."""
    resumed = run("train", interactions, "--out", interrupted, "--resume", *SMALL)
    assert resumed.code == 0, resumed.err
    whole = interrupted.with_name("whole")
    run("train", interactions, "--out", whole, *SMALL)
    assert manifest(interrupted)["files"] == manifest(whole)["files"]
    assert not checkpoint_of(interrupted).exists()


def test_an_interrupted_model_is_not_replaced_without_resume(run: Run, interactions: Path, interrupted: Path) -> None:
    result = run("train", interactions, "--out", interrupted, *SMALL)
    assert result.code == 1
    assert "holds the model of an interrupted run; continue it with --resume" in result.err


def test_resume_without_a_checkpoint_says_so_and_starts(run: Run, interactions: Path, tmp_path: Path) -> None:
    result = run("train", interactions, "--out", tmp_path / "m", "--resume", *SMALL)
    assert result.code == 0
    assert "no checkpoint in" in result.err


def test_an_existing_model_is_refused_before_reading(run: Run, model: Path) -> None:
    result = run("train", "nothere.csv", "--out", model)
    assert result.code == 1
    assert result.err == (
        f"nestrec: {model} already holds a model; name another path, or replace it with --overwrite\n"
    )


def test_overwrite_replaces_a_model(run: Run, interactions: Path, tmp_path: Path) -> None:
    run("train", interactions, "--out", tmp_path / "m", *SMALL)
    again = run("train", interactions, "--out", tmp_path / "m", "--overwrite", *SMALL, "--seed", "5")
    assert again.code == 0
    assert manifest(tmp_path / "m")["training"]["options"]["seed"] == 5


def test_a_folder_of_something_else_is_never_replaced(run: Run, interactions: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    result = run("train", interactions, "--out", tmp_path, "--overwrite")
    assert result.code == 1
    assert "holds something else than a model" in result.err
    assert (tmp_path / "precious").read_text() == "x"


def test_a_place_that_cannot_be_written_is_refused_before_reading(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    result = run("train", "nothere.csv", "--out", tmp_path / "file" / "m")
    assert result.code == 1
    assert f"nothing can be written into {tmp_path / 'file'}" in result.err


def test_a_split_by_time_of_a_file_without_times_is_reported(run: Run, tmp_path: Path) -> None:
    """The message names the option, not the library's argument."""
    (tmp_path / "a.txt").write_text("1 2 3\n2 3 4\n")
    words = ("train", tmp_path / "a.txt", "--out", tmp_path / "m", "--validation-split", "time")
    result = run(*words, "--format", "adjacency")
    assert result.code == 2
    assert result.err.startswith("nestrec: a split by time (--validation-split) does not apply")
    result = run(*words)  # times are wanted, so it is read as a table
    assert result.code == 1
    assert "--timestamp-column" in result.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--widths", "8,4"], "widths must be positive, ascending and unique; got 8,4"),
        (["--widths", "4,x"], "--widths must be integers separated by commas, such as 4,8,16; got '4,x'"),
        (
            ["--level-weights", "1,a"],
            "--level-weights must be numbers separated by commas, such as 1,1,2; got '1,a'",
        ),
        (["--level-starts", "0,0.5"], "--level-starts must be numbers from 0 to 0.9, one per width"),
        (["--level-weights", "1,1"], "--level-weights must be numbers, one per width"),
        (["--sampler", "uniform", "--candidates", "4"], "--candidates 4 must go with --sampler pool"),
        (["--no-validation", "--patience", "2"], "--patience has no effect with --no-validation"),
        (["--no-validation", "--no-refit"], "--no-refit has no effect with --no-validation"),
        (
            ["--validation", "v.csv", "--validation-fraction", "0.2"],
            "--validation-fraction has no effect with",
        ),
        (
            ["--validation-split", "leave-last-out", "--validation-fraction", "0.2"],
            "--validation-fraction has no effect",
        ),
        (["--validation-fraction", "1.5"], "must be between 0 and 1, got 1.5"),
        (["--seed", "-1"], "--seed must be from 0 to 2^63 - 1, got -1"),
        (["--threads", "0"], "threads"),
        (["--user-column", "nobody"], "has no column 'nobody'; its columns are 'user_id', 'item_id'"),
        (["--format", "xlsx"], "format must be one of csv"),
        (["--min-user-interactions", "10000"], "lower --min-user-interactions or --min-item-interactions"),
        (["--min-rating", "9"], "because the rating is below the minimum; lower --min-rating"),
        (["--config", "nothere.toml"], "config nothere.toml cannot be read"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(
    run: Run, interactions: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    about_data = ("--user-column", "--min-user-interactions", "--min-rating", "--config")
    result = run("train", interactions, "--out", tmp_path / "m", *words)
    assert result.code == (1 if words[0] in about_data else 2)
    assert result.err.startswith("nestrec: ")
    assert sentence in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_a_trained_model_outlives_a_full_disk(
    run: Run, interactions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.numpy

    save_file, elsewhere = safetensors.numpy.save_file, tmp_path / "elsewhere"

    def full(arrays: Any, path: Path) -> None:
        if elsewhere not in path.parents:
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save_file(arrays, path)

    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    result = run("train", interactions, "--out", tmp_path / "m", *SMALL)
    assert result.code == 1
    assert f"cannot be written to {tmp_path / 'm'} (No space left on device)" in result.err
    assert "the model is saved in " in result.err
    assert NestedEmbeddings.load(result.err.split()[-1]).widths.values == (2, 4, 8)
    assert not (tmp_path / "m").exists()


def test_where_nothing_can_be_saved_the_checkpoint_is_kept_and_resume_needs_no_training(
    run: Run, interactions: Path, interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise ModelFileError("the model cannot be written to m (No space left on device)")

    command = ("train", interactions, "--out", interrupted, "--resume", *SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(NestedEmbeddings, "save", full)
        failed = run(*command)
    assert failed.code == 1
    assert f"the checkpoint is in {checkpoint_of(interrupted)}" in failed.err
    assert (checkpoint_of(interrupted) / "state.json").exists()
    again = run(*command)
    assert again.code == 0
    assert "  ndcg@20 " not in again.err, "nothing is trained or ranked again"
    assert not checkpoint_of(interrupted).exists()


def test_two_trainings_into_one_place_are_not_started(run: Run, interactions: Path, tmp_path: Path) -> None:
    """Both reported success, and one model was lost; they shared a checkpoint, too."""
    with CheckpointFolder(checkpoint_of(tmp_path / "m")):
        second = run("train", interactions, "--out", tmp_path / "m", *SMALL)
    assert second.code == 1
    assert "another run is using" in second.err
    assert "rows read" not in second.err
    assert run("train", interactions, "--out", tmp_path / "m", *SMALL).code == 0


def test_a_model_that_came_meanwhile_is_not_replaced(
    run: Run, interactions: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = Trainer.fit

    def slow(*arguments: Any, **options: Any) -> NestedEmbeddings:
        shutil.copytree(model, tmp_path / "m")
        return fit(*arguments, **options)

    monkeypatch.setattr(Trainer, "fit", slow)
    result = run("train", interactions, "--out", tmp_path / "m", *SMALL, "--seed", "9")
    assert result.code == 1
    assert "already holds a model" in result.err
    assert manifest(tmp_path / "m") == manifest(model)
    kept = re.search(r"the model is saved in (\S+)", result.err)
    assert kept is not None
    assert manifest(Path(kept[1]))["training"]["options"]["seed"] == 9


def test_the_working_folder_stays_the_working_folder(
    run: Run, interactions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working folder was gone, and the suggested commands failed."""
    (tmp_path / "m").mkdir()
    monkeypatch.chdir(tmp_path / "m")
    assert run("train", interactions, "--out", ".", *SMALL).code == 0
    assert run("info", ".").code == 0
    assert (Path.cwd() / "manifest.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_leave_a_checkpoint_too(
    run: Run, interactions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    heard = TrainingProgress.on_epoch_end

    def interrupting(self: TrainingProgress, report: EpochReport) -> None:
        heard(self, report)
        if report.epoch == 2:
            signal.raise_signal(number)

    monkeypatch.setattr(TrainingProgress, "on_epoch_end", interrupting)
    assert run("train", interactions, "--out", tmp_path / "m", *SMALL).code == code
    assert (checkpoint_of(tmp_path / "m") / "state.json").exists()
    assert manifest(tmp_path / "m")["training"]["interrupted_by"] == number.name


def test_a_kill_after_training_loses_nothing(interactions: Path, tmp_path: Path) -> None:
    """Die where the model is saved: the checkpoint of the finished training is there, and nobody has to tidy up."""
    code = (
        "import os, sys\nfrom nestrec.embeddings import NestedEmbeddings\nfrom nestrec.cli.main import main\n"
        "from nestrec.training import options\n"
        "init = options.Run.__init__\n"
        "options.Run.__init__ = lambda self, **given: init(self, **{**given, 'checkpoint_seconds': 0.0})\n"
        "if sys.argv[1] == 'die':\n    NestedEmbeddings.save = lambda *_, **__: os._exit(9)\n"
        "sys.exit(main(sys.argv[2:]))"
    )
    words = ["train", str(interactions), "--out", str(tmp_path / "m"), "--resume", *SMALL]
    for how, expected in (("die", 9), ("live", 0)):
        done = subprocess.run([sys.executable, "-c", code, how, *words], capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stderr
    assert "  mean " not in done.stderr, "nothing is trained or ranked again"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
