"""Callbacks of trackers write options, losses and metrics by width: each is read back from what the library wrote."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nestrec import MLflowCallback, NestedEmbeddings, Run, TensorBoardCallback, WandbCallback
from nestrec.errors import MissingExtraError
from nestrec.trackers.tracker import TrackerCallback, flatten_options
from nestrec.training.callbacks import EpochReport, PhaseStart
from tests.training.worlds import quick, tiny

WARNINGS_OF_OTHERS = pytest.mark.filterwarnings("ignore")  # those of the trackers' own dependencies


class Memory(TrackerCallback):
    """A tracker that keeps what it is given."""

    def __init__(self) -> None:
        self.options: Mapping[str, str | float] = {}
        self.logged: list[tuple[int, Mapping[str, float]]] = []
        self.ends: list[tuple[Mapping[str, float], bool]] = []

    def start(self, options: Mapping[str, str | float]) -> None:
        self.options = options

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.logged.append((step, metrics))

    def finish(self, summary: Mapping[str, float], *, failed: bool) -> None:
        self.ends.append((summary, failed))


def train(callback: TrackerCallback) -> tuple[NestedEmbeddings, Memory]:
    memory = Memory()
    return quick().fit(tiny(), run=Run(deterministic=True, callbacks=[callback, memory])), memory


def test_names_hold_phase_and_width_and_the_summary_is_the_chosen_epochs() -> None:
    model, memory = train(Memory())
    training = model.manifest["training"]
    assert {name for _, metrics in memory.logged for name in metrics} >= {
        "search/loss",
        "final/loss",
        "validation/mean_over_widths",
    }
    assert memory.options["widths"] == ", ".join(map(str, model.widths))
    ((summary, failed),) = memory.ends
    assert not failed
    for width, metrics in training["validation_metrics"]["metrics"].items():
        for label, value in metrics.items():
            assert summary[f"best_validation/{label}/width_{width}"] == value


def test_trials_of_the_regularization_search_are_left_out() -> None:
    memory = Memory()
    memory.on_phase_start(PhaseStart("tuning", 1, 1, 0))
    memory.on_epoch_end(EpochReport("tuning", 1, 0.5, 10.0))
    assert memory.logged == []


def test_training_that_fails_ends_its_run_as_failed() -> None:
    memory = Memory()
    memory.on_fit_end(None)
    assert memory.ends == [({}, True)]


def test_options_become_numbers_and_text() -> None:
    assert flatten_options({"a": [0.5, 1], "b": None, "c": ("x",), "d": {"e": 1}}) == {
        "a": "0.5, 1",
        "c": "x",
        "d": "{'e': 1}",
    }


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [
        (MLflowCallback, "mlflow", "mlflow"),
        (lambda: TensorBoardCallback("x"), "tensorboard.summary", "tensorboard"),
        (WandbCallback, "wandb", "wandb"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    make: Any, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"nestrec\[{extra}\]"):
        make()


@WARNINGS_OF_OTHERS
def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, memory = train(TensorBoardCallback(tmp_path / "run"))
    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"tensors": 0})
    events.Reload()
    for step, metrics in memory.logged:
        for name, value in metrics.items():
            found = {event.step: event.tensor_proto.float_val[0] for event in events.Tensors(name)}
            assert found[step] == pytest.approx(value, rel=1e-5) or "per_second" in name


@WARNINGS_OF_OTHERS
def test_mlflow_has_the_run(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    mlflow.create_experiment("tests", artifact_location=str(tmp_path))
    mlflow.set_experiment("tests")
    callback = MLflowCallback(run_name="five widths")
    _, memory = train(callback)
    run = mlflow.get_run(callback.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "five widths")
    assert run.data.params["widths"] == memory.options["widths"]
    assert mlflow.active_run() is None
    client = mlflow.MlflowClient()
    losses = {one.step: one.value for one in client.get_metric_history(callback.run_id, "final/loss")}
    assert losses == {step: metrics["final/loss"] for step, metrics in memory.logged if "final/loss" in metrics}
    assert any(name.startswith("best_validation/ndcg_at_") for name in run.data.metrics)
    with mlflow.start_run() as active:  # of the caller, and stays open
        train(again := MLflowCallback())
        assert mlflow.active_run().info.run_id == active.info.run_id == again.run_id


@WARNINGS_OF_OTHERS
def test_wandb_has_the_run_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(project="tests", dir=str(tmp_path)) as run:
        model, memory = train(WandbCallback())
        assert wandb.run is run
        assert run.config["widths"] == memory.options["widths"]
        assert run.summary["seconds"] == model.manifest["training"]["seconds"]
    assert wandb.run is None
    train(WandbCallback(project="tests", dir=str(tmp_path)))
    assert wandb.run is None  # the run that training began has ended
    written = list(tmp_path.rglob("*.wandb"))
    assert len(written) == 2
    wait_until(lambda: all(b"validation/ndcg@" in path.read_bytes() for path in written))


def wait_until(is_done: Callable[[], bool], seconds: float = 30) -> None:
    """Wait, since a process of W&B's own writes its files after a run has ended; fail where it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@WARNINGS_OF_OTHERS
def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    wandb = pytest.importorskip("wandb")
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    wandb.teardown()  # it was set up in the folder of another test
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    mlflow.set_tracking_uri("sqlite:///page.db")
    mlflow.set_experiment("page")
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "track-runs.md"
    (example,) = re.findall(r"^```py\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(compile(example, page.name, "exec"), {})
    assert list((tmp_path / "runs" / "two-widths").iterdir())
    assert list((tmp_path / "wandb").glob("offline-run-*"))
    assert len(mlflow.search_runs(output_format="list")) == 1
