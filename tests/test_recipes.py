"""The recipes of CONTRIBUTING.md work for another package: its classes appear in help, tables and contract tests."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.training.samplers import DynamicSampler
from tests.plugin_packages import write_entry_points
from tests.recipe_package import ENTRY_POINTS, MarginLoss, RankSampler

ROOT = Path(__file__).parents[1]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def nestrec(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run the command line where the package is installed."""
    folder = tmp_path_factory.mktemp("site")
    write_entry_points(folder, "recipe_package", "tests.recipe_package", ENTRY_POINTS)
    path = os.pathsep.join(filter(None, (str(folder), str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH"))))

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "nestrec", *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "110"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    return run


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the format of the package."""
    path = tmp_path_factory.mktemp("data") / "a.events"
    path.write_text("user_id,item_id\n" + "".join(f"u{n % 31},i{n * n % 37}\n" for n in range(400)))
    return path


def test_samplers_and_losses_are_options_of_train_with_their_fields(nestrec: Command) -> None:
    text = " ".join(nestrec("train", "--help").stdout.split())
    assert "|disentangled|rank>" in text
    assert "|directau|margin>" in text
    assert "--rank N Rank of the negative among the candidates, from 1 (rank). [default: 2]" in text
    assert "--margin NUMBER Margin between the scores of a positive and its negative (margin). [default: 1.0]" in text
    assert "adjacency, jsonl, parquet, events." in text
    assert "--candidates N Candidates drawn per width and interaction. [default: depends on the data]" in text


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_they_train_and_the_reader_and_the_metric_are_used(nestrec: Command, events: Path, tmp_path: Path) -> None:
    words = ("--widths", "2,4", "--epochs", "1", "--no-validation", "--loss", "margin", "--margin", "0.5")
    trained = nestrec("train", events, "--out", tmp_path / "m", *words, "--rank", "3", "--candidates", "8")
    assert trained.returncode == 0, trained.stderr
    assert "rows read as csv" in trained.stderr
    options = json.loads((tmp_path / "m" / "manifest.json").read_text())["training"]["options"]
    assert (options["loss"], options["sampler"]) == (
        "MarginLoss(margin=0.5)",
        "RankSampler(n_candidates=8, shared=False, rank=3)",
    )
    test = tmp_path / "test.csv"
    test.write_text("user_id,item_id\nu0,i2\nu1,i3\nu2,i5\n")
    evaluated = nestrec("evaluate", tmp_path / "m", test, "--metrics", "recall,hits", "--cutoffs", "5")
    assert evaluated.returncode == 0, evaluated.stderr
    assert next(csv.reader(evaluated.stdout.splitlines())) == ["width", "recall@5", "hits@5"]


def test_the_exporter_writes_a_model(nestrec: Command, tmp_path: Path) -> None:
    model = NestedEmbeddings.from_arrays(
        [[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.25]], 2, users=["ann"], items=["ale", "rye"]
    )
    model.save(tmp_path / "m")
    words = ("export", tmp_path / "m", "--to", "lines", "--option", "digits=1", "--out", tmp_path / "items.txt")
    exported = nestrec(*words)
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "items.txt").read_text() == "ale 3.0 4.0\nrye 5.0 6.2\n"


def test_an_option_of_a_class_that_is_not_chosen_is_refused(nestrec: Command, events: Path, tmp_path: Path) -> None:
    refused = nestrec("train", events, "--out", tmp_path / "m", "--sampler", "dynamic", "--rank", "3")
    assert refused.returncode == 2
    assert "--rank 3 must go with --sampler rank, got --sampler dynamic" in refused.stderr


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize(("loss", "sampler"), [("bpr", RankSampler(8)), (MarginLoss(), DynamicSampler(8))])
def test_they_hold_what_every_sampler_and_loss_does(loss: object, sampler: object) -> None:
    from tests.training.autograd.engines import torch_trainer
    from tests.training.autograd.test_contract import holds

    holds(torch_trainer(192, loss=loss, sampler=sampler))
