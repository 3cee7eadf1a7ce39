"""A run that was cut anywhere and goes on ends with the same bits as one that was not."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nestrec.training.cpu_engine as engine_module
from nestrec.data.splitting import RandomSplit
from nestrec.data.synthetic import SyntheticData
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import TrainingError
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.training.callbacks import Phase
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer
from tests.training.worlds import Interfering, Recorder, is_same, quick, tiny

EPOCHS = 4
SLICE = POOL_BLOCK * 7  # of the 1,600 positives of `tiny`, so that an epoch has four


class CrashError(Exception):
    """What a callback dies of."""


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an epoch have several slices, as one of a large data set has; wait for no disk, since no power is cut."""
    monkeypatch.setattr(engine_module, "_SLICE", SLICE)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Exact, with a checkpoint after every slice."""
    return Run(deterministic=True, checkpoint=tmp_path / "state", checkpoint_seconds=0.0, return_on_interrupt=True)


def folder_of(run: Run) -> Path:
    assert isinstance(run.checkpoint, Path)
    return run.checkpoint


def has_state(run: Run) -> bool:
    return (folder_of(run) / "state.json").exists()


def fit(run: Run, trainer: Trainer | None = None) -> NestedEmbeddings:
    return (trainer or quick(epochs=EPOCHS)).fit(tiny(), run=run)


def whole() -> NestedEmbeddings:
    return fit(Run(deterministic=True))


def training_section(model: NestedEmbeddings) -> dict[str, Any]:
    """What the manifest says, losses and metrics of the search to the last bit, but for the time it took."""
    return {**model.manifest["training"], "seconds": 0}


def crash() -> None:
    raise CrashError


def test_a_seed_gives_the_same_bits_and_another_seed_others() -> None:
    assert is_same(whole(), whole())
    assert not is_same(whole(), fit(Run(seed=1, deterministic=True)))


def test_where_an_epoch_is_cut_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices are for the clock, not for the result: vectors keep their bits, the loss is of the whole epoch."""
    cut = whole()
    monkeypatch.setattr(engine_module, "_SLICE", POOL_BLOCK * 4096)
    uncut = whole()
    assert is_same(uncut, cut)
    losses = [[entry["loss"] for entry in model.manifest["training"]["history"]] for model in (cut, uncut)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


@pytest.mark.parametrize("at_slice", [1, 2, 4, 5, 7, 16, 17, 18, 21, 24])
def test_interrupted_at_a_slice_and_resumed(run: Run, at_slice: int) -> None:
    """In the search and in the final phase, at ends of epochs and between."""
    stopper = Interfering(at_slice=at_slice)
    stopped = fit(replace(run, callbacks=stopper))
    assert stopped.manifest["training"]["interrupted"] is True
    assert len(stopper.n_advanced) == at_slice
    recorder = Recorder()
    resumed = fit(replace(run, resume=True, callbacks=recorder))
    assert is_same(resumed, whole())
    assert training_section(resumed) == training_section(whole())
    assert recorder.starts[0].position == sum(stopper.n_advanced) - (
        tiny_search_positives() if len(stopper.starts) == 2 else 0
    )
    assert resumed.manifest["training"]["interrupted"] is False
    assert has_state(run), "it is deleted when the model is saved"


def tiny_search_positives() -> int:
    return EPOCHS * RandomSplit(0.1).split(tiny())[0].n_interactions


@pytest.mark.parametrize("moment", [("search", 1), ("search", 2), ("search", 3), ("search", EPOCHS), ("final", 1)])
@pytest.mark.parametrize("act", [crash, lambda: signal.raise_signal(signal.SIGTERM)])
def test_cut_after_an_epoch_and_resumed(run: Run, moment: tuple[Phase, int], act: Callable[[], object]) -> None:
    """By a crash of the program around it or by a polite request."""
    with contextlib.suppress(CrashError):
        fit(replace(run, callbacks=Interfering(after_epoch=moment, act=act)))
    resumed = fit(replace(run, resume=True))
    assert is_same(resumed, whole())
    assert training_section(resumed) == training_section(whole())


@pytest.mark.parametrize("refit", [True, False])
def test_the_best_of_the_search_outlives_an_interruption(run: Run, refit: bool) -> None:
    """What ranked best before the cut is still what is returned when nothing better follows."""
    trainer = Trainer(widths=(8, 64), epochs=60, evaluate_every=1, patience=3, regularization=0.05)
    expected = trainer.fit(tiny(), refit=False, run=Run(deterministic=True))
    best: int = expected.manifest["training"]["epochs"]
    assert 1 < best < 58, "it must be early, and more than the one epoch that the final phase gets"
    trainer.fit(tiny(), refit=refit, run=replace(run, callbacks=Interfering(after_epoch=("search", best + 1))))
    again = Interfering(after_epoch=("final", 1))
    resumed = trainer.fit(tiny(), refit=refit, run=replace(run, resume=True, callbacks=again))
    assert is_same(resumed, expected)


def test_interrupted_again_and_again(run: Run) -> None:
    """Every third slice a stop; the sum of all is one run."""
    for _ in range(40):
        model = fit(replace(run, resume=True, callbacks=Interfering(at_slice=3)))
        if not model.manifest["training"]["interrupted"]:
            break
    assert is_same(model, whole())


@pytest.mark.parametrize("at_slice", [2, 6, 18])
def test_what_a_kill_leaves_on_disk_is_enough(run: Run, tmp_path: Path, at_slice: int) -> None:
    """A copy of the directory at some moment continues to the same end elsewhere."""
    taken = tmp_path / "taken"
    source = folder_of(run)
    fit(replace(run, callbacks=Interfering(at_slice=at_slice, act=lambda: shutil.copytree(source, taken))))
    assert is_same(fit(replace(run, checkpoint=taken, resume=True)), whole())


KILLED = """
import sys, time
from pathlib import Path
from nestrec import SyntheticData
from nestrec.training.callbacks import Callback
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer

class Slow(Callback):
    def on_epoch_end(self, report):
        print(report.phase, report.epoch, flush=True)
        time.sleep(0.05)

data = SyntheticData(n_users=120, n_items=96, interactions_per_user=15).generate(seed=2).interactions
run = Run(deterministic=True, checkpoint=Path(sys.argv[1]), checkpoint_seconds=0.0, callbacks=Slow())
Trainer(widths=(3, 8), epochs=200, patience=200).fit(data, validation=None, run=run)
"""


def test_killed_without_warning_and_resumed_in_another_process(run: Run) -> None:
    """SIGKILL gives no time to write anything; the last checkpoint is whole."""
    command = [sys.executable, "-c", KILLED, str(run.checkpoint)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "final 5\n":
                process.kill()
    recorder = Recorder()
    trainer = Trainer(widths=(3, 8), epochs=200, patience=200)
    resumed = trainer.fit(
        tiny(), validation=None, run=replace(run, checkpoint_seconds=9, resume=True, callbacks=recorder)
    )
    assert recorder.starts[0].position >= 4 * tiny().n_interactions
    assert is_same(resumed, trainer.fit(tiny(), validation=None, run=Run(deterministic=True)))


def test_interrupted_in_the_final_phase_the_best_of_the_search_is_returned(run: Run) -> None:
    """Half a final phase is worse than what the search found; the manifest describes what is returned."""
    stopped = fit(replace(run, callbacks=Interfering(after_epoch=("final", 1))), quick(epochs=8))
    without_refit = quick(epochs=8).fit(tiny(), refit=False, run=Run(deterministic=True))
    assert is_same(stopped, without_refit)
    told, expected = stopped.manifest["training"], without_refit.manifest["training"]
    for name in ("epochs", "trained_on", "validation_metrics", "history"):
        assert told[name] == expected[name]
    assert told["interrupted"] is True
    assert has_state(run)


def test_interrupted_in_the_search_the_best_so_far_is_returned() -> None:
    """Not the vectors of the moment but those that ranked best; without a checkpoint, too."""
    stopper = Interfering(after_epoch=("search", 3))
    run = Run(deterministic=True, return_on_interrupt=True)
    stopped = fit(replace(run, callbacks=stopper), quick(epochs=20))
    best = Interfering(after_epoch=("search", 2))
    assert is_same(stopped, fit(replace(run, callbacks=best), quick(epochs=20)))
    assert stopped.manifest["training"]["epochs"] == 2


def test_a_stop_that_comes_when_all_is_done_changes_nothing(run: Run) -> None:
    """The model is whole, is not called interrupted, and is in the checkpoint until it is saved."""
    last = whole().manifest["training"]["epochs"]
    model = fit(replace(run, callbacks=Interfering(after_epoch=("final", last))))
    assert is_same(model, whole())
    assert model.manifest["training"]["interrupted"] is False
    assert has_state(run), "it is deleted when the model is saved"


def test_by_default_an_interruption_is_raised_again_and_the_checkpoint_is_kept(run: Run) -> None:
    """A script of several fits took Ctrl-C for the end of one of them."""
    raising = replace(run, return_on_interrupt=False)
    with pytest.raises(KeyboardInterrupt):
        fit(replace(raising, callbacks=Interfering(at_slice=3)))
    assert is_same(fit(replace(raising, resume=True)), whole())


def test_a_handler_of_the_callers_gets_the_signal_and_the_model_so_far_is_returned(run: Run) -> None:
    received: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        stopper = Interfering(at_slice=3, act=lambda: signal.raise_signal(signal.SIGTERM))
        model = fit(replace(run, return_on_interrupt=False, callbacks=stopper))
    finally:
        signal.signal(signal.SIGTERM, former)
    assert received == [signal.SIGTERM]
    assert model.manifest["training"]["interrupted_by"] == "SIGTERM"


def test_the_second_interrupt_is_obeyed_at_once(run: Run) -> None:
    """Whoever asks twice does not want to wait for a safe place."""

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(replace(run, callbacks=Interfering(at_slice=3, act=twice)))
    assert is_same(fit(replace(run, resume=True)), whole())


def test_outside_the_main_thread_training_works_and_leaves_signals_alone() -> None:
    """Python delivers signals to the main thread alone, so there is nothing to listen to."""
    models: list[NestedEmbeddings] = []
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: models.append(whole()))
    thread.start()
    assert signal.getsignal(signal.SIGINT) is before
    thread.join()
    assert is_same(models[0], whole())


def test_resuming_without_a_checkpoint_starts_anew_and_says_so(run: Run) -> None:
    recorder = Recorder()
    assert is_same(fit(replace(run, resume=True, callbacks=recorder)), whole())
    assert recorder.messages == [f"no checkpoint in {run.checkpoint}: starting from the beginning"]


@pytest.fixture
def interrupted(run: Run) -> Run:
    """A run that was stopped in its first epoch and shall go on."""
    fit(replace(run, callbacks=Interfering(at_slice=2)))
    return replace(run, resume=True)


@pytest.mark.parametrize(
    ("trainer", "seed", "sentence"),
    [
        (quick(epochs=EPOCHS), 5, "was made with seed 0, got 5; give the same"),
        (quick(epochs=9), 0, r"was made with epochs 4, got 9; .* or leave out resume to start anew"),
        (Trainer(widths=(3, 9), epochs=EPOCHS), 0, r"was made with widths \[3, 8\], got \[3, 9\]"),
    ],
)
def test_a_checkpoint_of_other_options_is_refused(interrupted: Run, trainer: Trainer, seed: int, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        fit(replace(interrupted, seed=seed), trainer)


def test_a_checkpoint_of_other_data_or_another_plan_is_refused(interrupted: Run) -> None:
    other = SyntheticData(n_users=120, n_items=96, interactions_per_user=15).generate(seed=3).interactions
    decided = quick(epochs=EPOCHS).resolve(tiny()).objective.regularization  # which other data would decide otherwise
    trainer = replace(quick(epochs=EPOCHS), regularization=decided)
    with pytest.raises(TrainingError, match="was made with data "):
        trainer.fit(other, run=interrupted)
    with pytest.raises(TrainingError, match="was made with validation "):
        trainer.fit(tiny(), validation=RandomSplit(0.2), run=interrupted)
    with pytest.raises(TrainingError, match="was made with refit True, got False"):
        trainer.fit(tiny(), refit=False, run=interrupted)


def test_a_refused_checkpoint_is_not_touched(interrupted: Run) -> None:
    """After a wrong option the right one still goes on."""
    with pytest.raises(TrainingError):
        fit(replace(interrupted, seed=5))
    assert is_same(fit(interrupted), whole())


def test_resuming_hogwild_with_other_threads_continues(tmp_path: Path) -> None:
    """Threads are how a run goes, not what it wants."""
    run = Run(threads=1, checkpoint=tmp_path / "state", return_on_interrupt=True)
    fit(replace(run, callbacks=Interfering(at_slice=2)))
    recorder = Recorder()
    model = fit(replace(run, threads=2, resume=True, callbacks=recorder))
    assert recorder.starts[0].position > 0
    assert np.isfinite(model.item_embeddings).all()


def test_the_checkpoint_is_not_written_more_often_than_asked(tmp_path: Path) -> None:
    """A run shorter than the least time writes none, unless it is stopped."""
    run = Run(deterministic=True, checkpoint=tmp_path / "state", checkpoint_seconds=3600.0, return_on_interrupt=True)
    watched: list[bool] = []
    fit(replace(run, callbacks=Interfering(at_slice=20, act=lambda: watched.append(has_state(run)))))
    assert watched == [False]
    start = time.perf_counter()
    assert not (tmp_path / "state").exists()
    fit(replace(run, callbacks=Interfering(at_slice=2)))
    assert has_state(run)
    assert time.perf_counter() - start < 30
