"""A torch run that was cut anywhere and goes on ends with the same bits as one that was not."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.training.backbones import LightGCN
from nestrec.training.losses import DirectAU
from nestrec.training.optimizers import Adagrad, Adam
from nestrec.training.options import Run
from nestrec.training.samplers import CurriculumSampler, DisentangledSampler, DynamicSampler, MixedSampler
from nestrec.training.trainer import Trainer
from tests.training.worlds import Interfering, Recorder, is_same, tiny

pytest.importorskip("torch")

import nestrec.training.autograd.autograd_engine as engine_module
from tests.training.autograd.engines import torch_trainer

BATCH = 128
SLICE = 3 * BATCH  # of the 1,600 positives of `tiny`, so that an epoch has five, the last smaller


def trainer(optimizer: Any, **options: Any) -> Trainer:
    return torch_trainer(BATCH, optimizer=optimizer, **{"epochs": 3, "evaluate_every": 1, **options})


TRAINERS: dict[str, Trainer] = {
    "softmax, Adagrad": trainer(Adagrad()),
    "pairs, Adagrad": trainer(Adagrad(), sampler=DynamicSampler(8, n_hardest=2)),
    "pairs, Adam": trainer(Adam(), sampler=CurriculumSampler(8)),
    "pairs, sparse Adam": trainer(Adam(sparse=True), sampler=DynamicSampler(8)),
    "no negatives, Adam": trainer(Adam(), loss=DirectAU()),
    "disentangled, gates and their Adam": trainer(Adagrad(), sampler=DisentangledSampler(8)),
    "graph with edge dropout": trainer(Adam(), backbone=LightGCN(2, edge_dropout=0.3), sampler=DynamicSampler(8)),
    "graph, mixed by layer": trainer(Adam(), backbone=LightGCN(2, edge_dropout=0.3), sampler=MixedSampler(4)),
    "pairs in half precision": torch_trainer(BATCH, True, Adagrad(), epochs=3, sampler=DynamicSampler(8)),
}


@pytest.fixture(autouse=True)
def short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an epoch have several slices, as one of a large data set has; wait for no disk, since no power is cut."""
    monkeypatch.setattr(engine_module, "_CPU_SLICE", SLICE)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Exact, with a checkpoint after every slice."""
    return Run(deterministic=True, checkpoint=tmp_path / "state", checkpoint_seconds=0.0, return_on_interrupt=True)


@cache
def whole(name: str, seed: int = 0) -> NestedEmbeddings:
    return TRAINERS[name].fit(tiny(), run=Run(seed=seed, deterministic=True))


def training_section(model: NestedEmbeddings) -> dict[str, Any]:
    """What the manifest says, losses and metrics of the search to the last bit, but for the time it took."""
    return {**model.manifest["training"], "seconds": 0}


@pytest.mark.parametrize("name", TRAINERS)
def test_a_seed_gives_the_same_bits_and_another_seed_others(name: str) -> None:
    assert is_same(whole(name), TRAINERS[name].fit(tiny(), run=Run(deterministic=True)))
    assert not is_same(whole(name), whole(name, seed=1))


@pytest.mark.parametrize("at_slice", [2, 4, 14])
@pytest.mark.parametrize("name", TRAINERS)
def test_interrupted_and_resumed(run: Run, name: str, at_slice: int) -> None:
    """Within an epoch, between two, and in the final phase."""
    stopper = Interfering(at_slice=at_slice)
    stopped = TRAINERS[name].fit(tiny(), run=replace(run, callbacks=stopper))
    assert stopped.manifest["training"]["interrupted"] is True
    recorder = Recorder()
    resumed = TRAINERS[name].fit(tiny(), run=replace(run, resume=True, callbacks=recorder))
    assert recorder.starts[0].position > 0
    assert is_same(resumed, whole(name))
    assert training_section(resumed) == training_section(whole(name))


@pytest.mark.parametrize("name", ["softmax, Adagrad", "graph, mixed by layer"])
def test_where_an_epoch_is_cut_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices are for the clock, not for the result."""
    cut = whole(name)
    monkeypatch.setattr(engine_module, "_CPU_SLICE", 32_768)
    assert is_same(TRAINERS[name].fit(tiny(), run=Run(deterministic=True)), cut)
