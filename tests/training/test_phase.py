"""Rates, the state as JSON, and losses that are not finite."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from nestrec.errors import TrainingError
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.training.cpu_engine import CpuEngine
from nestrec.training.objective import starting_values
from nestrec.training.options import Run
from nestrec.training.regularization_search import Trial
from nestrec.training.schedule import Schedule
from nestrec.training.trainer import Trainer
from nestrec.training.training_state import PhaseState, TrainingState
from nestrec.training.validation import Validation
from nestrec.widths import Widths
from tests.training.worlds import Recorder, is_same, quick, tiny

SCHEDULE = Schedule(
    epochs=11,
    stop_after=7,
    learning_rate=0.2,
    final_learning_rate=0.1,
    evaluate_every=3,
    patience=2,
    level_starts=(0.0,),
)


def test_the_rate_falls_in_a_straight_line() -> None:
    """From the first to the final one over all epochs, wherever the run stops."""
    assert [SCHEDULE.rate(epoch) for epoch in (0, 5, 10)] == pytest.approx([0.2, 0.15, 0.1])
    assert replace(SCHEDULE, epochs=1).rate(0) == 0.2


def test_validation_is_ranked_now_and_then_and_at_the_end() -> None:
    assert [epoch for epoch in range(1, 8) if SCHEDULE.evaluates_after(epoch)] == [3, 6, 7]


class _OfSize:
    """As much of an engine as the size of a slice depends on."""

    _rounds = None

    def __init__(self, embedding_size: int) -> None:
        self.objective = replace(Trainer().resolve(tiny()).objective, widths=Widths([embedding_size]))


@pytest.mark.parametrize("embedding_size", [1, 64, 65, 100, 1024])
def test_a_slice_is_about_equal_work_and_whole_blocks(embedding_size: int) -> None:
    """Ctrl-C is heard as soon at embedding size 1024 as at 64."""
    slices = {size: CpuEngine.slice_size.fget(_OfSize(size)) for size in (64, embedding_size)}  # type: ignore[attr-defined]
    assert slices[embedding_size] % POOL_BLOCK == 0
    assert slices[embedding_size] * max(64, embedding_size) == pytest.approx(slices[64] * 64, rel=0.01)


@pytest.mark.parametrize("best_value", [None, 0.0, 0.1 + 0.2])
def test_the_state_survives_json_to_the_last_bit(best_value: float | None) -> None:
    phase = PhaseState("search", 3, 64, 1 / 3, 64, 2, best_value, [{"epoch": 2, "value": 0.1}])
    state = TrainingState(phase, [Trial((0, -1), (0.1 + 0.2, 0.5))], None, {"value": 0.7})
    assert msgspec.json.decode(msgspec.json.encode(state), type=TrainingState) == state


class Diverging:
    """Lets the engine train until some slice, whose loss it spoils."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at_call: int, loss: float) -> None:
        self.calls, self.at_call, self.loss = 0, at_call, loss
        train = CpuEngine.train

        def spoilt(engine: CpuEngine, *position: Any) -> tuple[float, int]:
            loss, n_trained = train(engine, *position)
            self.calls += 1
            return (self.loss if self.calls == self.at_call else loss), n_trained

        monkeypatch.setattr(CpuEngine, "train", spoilt)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_a_number_ends_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loss: float
) -> None:
    """The sentence names the epoch and the rate, and the last good state is there to go on from."""
    run = Run(deterministic=True, checkpoint=tmp_path / "state", checkpoint_seconds=0.0)
    with monkeypatch.context() as patch:
        Diverging(patch, 3, loss)
        sentence = (
            rf"the loss must be finite, got {loss} in epoch 3; lower learning_rate \(it was .*the last good state is in"
        )
        with pytest.raises(TrainingError, match=sentence):
            quick().fit(tiny(), run=run)
    recorder = Recorder()
    resumed = quick().fit(tiny(), run=replace(run, resume=True, callbacks=recorder))
    assert recorder.starts[0].position == 2 * recorder.starts[0].n_positives
    assert is_same(resumed, quick().fit(tiny(), run=Run(deterministic=True)))


def test_without_a_checkpoint_no_state_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    Diverging(monkeypatch, 1, math.nan)
    with pytest.raises(TrainingError, match=r"or starting_scale$"):
        quick().fit(tiny())


def test_vectors_that_diverge_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that computes infinite scores reports a loss that is not finite."""

    def enormous(*given: Any) -> Any:
        return starting_values(*given) * np.float32(1e30)

    monkeypatch.setattr("nestrec.training.cpu_engine.starting_values", enormous)
    with pytest.raises(TrainingError, match=r"the loss must be finite, got (nan|inf) in epoch 1"):
        quick().fit(tiny(), validation=None)


def test_wild_options_either_train_or_say_so() -> None:
    """The largest rate and scale allowed: adaptive steps keep vectors finite, and nothing else is returned."""
    wild = replace(quick(epochs=3), learning_rate=10, final_learning_rate=10, starting_scale=10)
    model = wild.fit(tiny(), validation=None, run=Run(deterministic=True))
    assert np.isfinite(model.user_embeddings).all()
    assert np.isfinite(model.item_embeddings).all()


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ((0.50, 0.60, 0.55), 2),
        ((0.50, 0.60, 0.595), 3),  # within a hundredth of the best: as good, and later
        ((0.600, 0.595, 0.590), 2),  # measured from the best, not from the one before
        ((0.0, 0.0, 0.0), 3),
    ],
)
def test_of_epochs_as_good_as_the_best_the_latest_is_kept(
    monkeypatch: pytest.MonkeyPatch, values: tuple[float, ...], chosen: int
) -> None:
    """Which of two nearly equal values is higher is chance; the later epoch had the smaller steps."""
    coming = iter(values)
    monkeypatch.setattr(Validation, "__call__", lambda *_: ({3: {"ndcg@20": 0.0}, 8: {"ndcg@20": 0.0}}, next(coming)))
    model = quick(epochs=3, evaluate_every=1).fit(tiny(), refit=False, run=Run(deterministic=True))
    assert model.manifest["training"]["epochs"] == chosen
