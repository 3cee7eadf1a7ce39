"""Regularizations tried on the validation part: when, which, what becomes of it, and that a cut loses nothing."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.data.synthetic import SyntheticData
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.training.options import Run
from nestrec.training.regularization_search import MAX_STEPS, STEP, best_multiple, multiple_of, next_step
from nestrec.training.samplers import DynamicSampler
from nestrec.training.trainer import Trainer
from tests.training.worlds import Interfering, Recorder, is_same, tiny


@cache
def dense() -> Interactions:
    """Some 30 interactions a user."""
    return SyntheticData(n_users=80, n_items=160, interactions_per_user=30).generate(seed=2).interactions


def climbed(value_of: Any) -> dict[int, float]:
    tried: dict[int, float] = {}
    while (step := next_step(tried)) is not None:
        tried[step] = value_of(step)
    return tried


@pytest.mark.parametrize("top", [-3.2, -1.0, 0.0, 0.3, 2.4])
def test_a_climb_finds_the_top_of_a_hill(top: float) -> None:
    """Of a parabola exactly, wherever it lies between the ends, in as few trials as lie on the way."""
    tried = climbed(lambda step: -((step - top) ** 2))
    assert np.log(best_multiple(tried)) / np.log(STEP) == pytest.approx(top)
    assert len(tried) <= abs(round(top)) + 4


@pytest.mark.parametrize(("slope", "end"), [(1, MAX_STEPS), (-1, -MAX_STEPS)])
def test_a_climb_ends_at_the_ends(slope: int, end: int) -> None:
    tried = climbed(lambda step: slope * step)
    assert best_multiple(tried) == multiple_of(end)


def test_where_all_is_alike_the_rule_stands() -> None:
    assert best_multiple(climbed(lambda _: 0.2)) == 1.0
    assert best_multiple({}) == 1.0


def training_section(model: NestedEmbeddings) -> dict[str, Any]:
    return dict(model.manifest["training"])


def test_dense_data_are_tuned_and_sparse_ones_are_not() -> None:
    """Three trials and more, reported to the callback and in the manifest; the multiple found is used."""
    recorder = Recorder()
    trainer = Trainer(widths=(3, 8), epochs=4)
    found = training_section(trainer.fit(dense(), run=Run(callbacks=recorder)))
    assert dense().n_interactions >= 20 * dense().n_users
    assert len(found["tuning"]) >= 3
    assert recorder.phases == ["tuning"] * len(found["tuning"]) + ["search", "final"]
    assert sum(note.startswith("regularization ") for note in recorder.messages) == len(found["tuning"])
    rule = trainer.resolve(dense()).objective.regularization
    values = {round(np.log(of["regularization_multiple"]) / np.log(STEP)): of["value"] for of in found["tuning"]}
    assert found["options"]["regularization"] == pytest.approx(rule * best_multiple(values))
    assert training_section(trainer.fit(tiny()))["tuning"] == []


def test_the_best_regularization_is_found() -> None:
    """The one chosen does no worse on the validation part than the trials around it, but for the parabola's top."""
    found = training_section(Trainer(widths=(3, 8)).fit(dense(), run=Run(deterministic=True)))
    best = max(found["tuning"], key=lambda of: of["value"])
    rule = Trainer(widths=(3, 8)).resolve(dense()).objective.regularization
    chosen = found["options"]["regularization"] / rule
    assert best["regularization_multiple"] / STEP**0.5 <= chosen <= best["regularization_multiple"] * STEP**0.5


@pytest.mark.parametrize(
    "trainer",
    [
        Trainer(widths=(4,), epochs=2, tune_seconds=0),
        Trainer(widths=(4,), epochs=2, regularization=0.1),
        Trainer(widths=(4,), epochs=2, sampler=DynamicSampler()),
    ],
    ids=["no seconds", "given", "pairs"],
)
def test_nothing_is_tuned_where_that_is_not_wanted(trainer: Trainer) -> None:
    assert training_section(trainer.fit(dense()))["tuning"] == []


def test_no_validation_no_tuning() -> None:
    assert training_section(Trainer(widths=(4,), epochs=2).fit(dense(), validation=None))["tuning"] == []
    with pytest.raises(OptionError, match="tune_seconds must be left out without a validation part, got 5"):
        Trainer(tune_seconds=5).fit(dense(), validation=None)


def test_seconds_tune_sparse_data_too_and_end_the_trials() -> None:
    """One trial has begun before the time is over."""
    assert len(training_section(Trainer(widths=(4,), epochs=2, tune_seconds=600).fit(tiny()))["tuning"]) >= 3
    assert len(training_section(Trainer(widths=(4,), epochs=2, tune_seconds=1e-6).fit(dense()))["tuning"]) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tune_seconds": -1}, "tune_seconds must be between 0 and"),
        (
            {"tune_seconds": 5, "regularization": 0.1},
            "tune_seconds must be left out with a given regularization, got 5 with regularization 0.1",
        ),
    ],
)
def test_wrong_tuning_options_say_why(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        Trainer(**options)


class CrashError(Exception):
    """What the program around it does."""


def crash() -> None:
    raise CrashError


@pytest.mark.parametrize("act", [None, crash], ids=["stopped", "crashed"])
@pytest.mark.parametrize("after", [("tuning", 1), ("tuning", 3), ("search", 2)])
def test_cut_and_resumed(tmp_path: Path, after: Any, act: Any) -> None:
    """In a trial, at its end or after it: the same bits and the same account as of a run that was left alone."""
    trainer = Trainer(widths=(3, 8), epochs=3, evaluate_every=1)
    run = Run(deterministic=True, checkpoint=tmp_path / "state", checkpoint_seconds=0.0, return_on_interrupt=True)
    whole = trainer.fit(dense(), run=Run(deterministic=True))
    stopper = Interfering(after_epoch=after) if act is None else Interfering(after_epoch=after, act=act)
    with contextlib.suppress(CrashError):
        stopped = trainer.fit(dense(), run=Run(**{**vars(run), "callbacks": stopper}))
        assert training_section(stopped)["interrupted"]
    resumed = trainer.fit(dense(), run=Run(**{**vars(run), "resume": True}))
    assert is_same(resumed, whole)
    assert training_section(resumed)["tuning"] == training_section(whole)["tuning"]
    assert (
        training_section(resumed)["options"]["regularization"] == training_section(whole)["options"]["regularization"]
    )


def test_the_final_phase_has_the_rule_of_all_interactions() -> None:
    """The search trains on nine tenths, whose noise is greater: the same multiple of a larger regularization."""
    trainer = Trainer()
    part = RandomSplit(0.1).split(tiny())[0]
    assert trainer.resolve(part).objective.regularization > trainer.resolve(tiny()).objective.regularization
    assert (
        trainer.resolve(tiny()).scale_regularization(2.0).objective.regularization
        == 2 * trainer.resolve(tiny()).objective.regularization
    )
