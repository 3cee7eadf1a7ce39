"""Regularizations tried on the validation part: when, which, what becomes of it, and that a cut loses nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
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
from nestrec.training import fit as fit_module
from nestrec.training.options import Run
from nestrec.training.regularization_search import MAX_STEPS, STEP, Trial, best_multiples, multiples_of, next_steps
from nestrec.training.samplers import DynamicSampler
from nestrec.training.trainer import Trainer
from nestrec.training.validation_part import FEWEST_USERS
from tests.training.worlds import Interfering, Recorder, is_same, tiny


@cache
def dense() -> Interactions:
    """Some 30 interactions a user."""
    return SyntheticData(n_users=80, n_items=160, interactions_per_user=30).generate(seed=2).interactions


def climb(*values_of: Callable[[int], float]) -> list[Trial]:
    """Return the trials of a search in which each level has its own value for a step."""
    trials: list[Trial] = []
    while (steps := next_steps(trials, len(values_of))) is not None:
        trials.append(Trial(steps, tuple(value(step) for value, step in zip(values_of, steps, strict=True))))
    return trials


def hill(top: float) -> Callable[[int], float]:
    return lambda step: -((step - top) ** 2)


@pytest.mark.parametrize("top", [-2.2, -1.0, 0.0, 0.3, 1.4])
def test_a_search_finds_the_top_of_a_parabola_in_few_trials(top: float) -> None:
    trials = climb(hill(top))
    assert np.log(best_multiples(trials, 1)) / np.log(STEP) == pytest.approx([top])
    assert len(trials) <= abs(round(top)) + 4


def test_every_level_has_its_own_optimum_in_as_many_trials_as_the_farthest_needs() -> None:
    """Smoothed over neighbouring levels: half of its own, a quarter of each neighbour's."""
    tops = np.array([-2.2, 0.4, 2.0])
    trials = climb(*(hill(top) for top in tops))
    smoothed = [0.75 * tops[0] + 0.25 * tops[1], tops @ [0.25, 0.5, 0.25], 0.25 * tops[1] + 0.75 * tops[2]]
    assert np.log(best_multiples(trials, 3)) / np.log(STEP) == pytest.approx(smoothed)
    assert len(trials) <= 7


@pytest.mark.parametrize(("slope", "end"), [(1, MAX_STEPS), (-1, -MAX_STEPS)])
def test_a_search_ends_at_the_largest_steps(slope: int, end: int) -> None:
    assert best_multiples(climb(lambda step: slope * step), 1) == multiples_of([end])


def test_the_default_remains_without_differences_and_without_trials() -> None:
    assert best_multiples(climb(lambda _: 0.2), 1) == (1.0,)
    assert best_multiples([], 2) == (1.0, 1.0)


def training_section(model: NestedEmbeddings) -> dict[str, Any]:
    return dict(model.manifest["training"])


def test_data_are_tuned_where_seconds_for_it_are_given() -> None:
    """Three trials and more, reported to the callback and in the manifest; the multiple found is used."""
    recorder = Recorder()
    trainer = Trainer(widths=(3, 8), epochs=4, tune_seconds=600)
    found = training_section(trainer.fit(dense(), run=Run(callbacks=recorder)))
    assert len(found["tuning"]) >= 3
    assert recorder.phases == ["tuning"] * len(found["tuning"]) + ["search", "final"]
    assert sum(note.startswith("regularization ") for note in recorder.messages) == len(found["tuning"])
    rule = np.array(trainer.resolve(dense()).objective.regularization)
    trials = [
        Trial(tuple(round(np.log(m) / np.log(STEP)) for m in of["regularization_multiples"]), tuple(of["values"]))
        for of in found["tuning"]
    ]
    assert found["options"]["regularization"] == pytest.approx(rule * best_multiples(trials, 2))


def test_the_best_regularization_of_every_level_is_chosen() -> None:
    """The one chosen does no worse on the validation part than the trials around it, but for the parabola's top."""
    found = training_section(Trainer(widths=(3, 8), tune_seconds=600).fit(dense(), run=Run(deterministic=True)))
    rule = Trainer(widths=(3, 8)).resolve(dense()).objective.regularization
    best = [
        max(found["tuning"], key=lambda of: of["values"][level])["regularization_multiples"][level]
        for level in range(2)
    ]
    for chosen in np.divide(found["options"]["regularization"], rule):
        assert min(best) / STEP**0.5 <= chosen <= max(best) * STEP**0.5


@pytest.mark.parametrize(
    "trainer",
    [
        Trainer(widths=(4,), epochs=2),
        Trainer(widths=(4,), epochs=2, tune_seconds=0),
        Trainer(widths=(4,), epochs=2, regularization=0.1),
        Trainer(widths=(4,), epochs=2, sampler=DynamicSampler()),
    ],
    ids=["default", "no seconds", "given", "pairs"],
)
def test_nothing_is_tuned_where_that_is_not_wanted(trainer: Trainer) -> None:
    assert training_section(trainer.fit(dense()))["tuning"] == []


def test_no_validation_no_tuning() -> None:
    assert training_section(Trainer(widths=(4,), epochs=2).fit(dense(), validation=None))["tuning"] == []
    with pytest.raises(OptionError, match="tune_seconds must be left out without a validation part, got 5"):
        Trainer(tune_seconds=5).fit(dense(), validation=None)


def test_the_end_of_the_seconds_ends_the_trials() -> None:
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


def test_large_data_are_tuned_on_random_users_and_all_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials take all epochs; a trial that is interrupted leaves a model of these users."""
    monkeypatch.setattr(fit_module, "TRIAL_INTERACTIONS", 1700)
    recorder, trainer = Recorder(), Trainer(widths=(3, 8), epochs=4, tune_seconds=600)
    trainer.fit(dense(), run=Run(callbacks=recorder))
    tuning = [start for start in recorder.starts if start.phase == "tuning"]
    assert {start.n_positives for start in tuning} <= set(range(1500, 1701))
    assert {start.epochs for start in tuning} == {4}
    stopped = trainer.fit(dense(), run=Run(callbacks=Interfering(after_epoch=("tuning", 4)), return_on_interrupt=True))
    assert training_section(stopped)["trained_on"] == "random users of all but the validation part"
    assert FEWEST_USERS <= len(stopped.users) < dense().n_users
    assert len(stopped.users) == len(stopped.user_embeddings)


def test_a_sample_of_too_few_users_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_module, "TRIAL_INTERACTIONS", 300)
    recorder = Recorder()
    Trainer(widths=(3, 8), epochs=2, tune_seconds=600).fit(dense(), run=Run(callbacks=recorder))
    assert {start.n_positives for start in recorder.starts if start.phase != "final"} == {
        RandomSplit(0.1).split(dense())[0].n_interactions
    }


class CrashError(Exception):
    """What the program around it does."""


def crash() -> None:
    raise CrashError


@pytest.mark.parametrize("act", [None, crash], ids=["stopped", "crashed"])
@pytest.mark.parametrize("after", [("tuning", 1), ("tuning", 3), ("search", 2)])
def test_cut_and_resumed(tmp_path: Path, after: Any, act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a trial of a sample, at its end or after it: the same bits and manifest as of an undisturbed run."""
    monkeypatch.setattr(fit_module, "TRIAL_INTERACTIONS", 1700)
    trainer = Trainer(widths=(3, 8), epochs=3, evaluate_every=1, tune_seconds=600)
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
    setup = trainer.resolve(tiny())
    assert trainer.resolve(part).objective.regularization > setup.objective.regularization
    multiples = (1.0, 2.0, 3.0, 4.0, 5.0)
    assert setup.scale_regularization(multiples).objective.regularization == pytest.approx(
        np.multiply(multiples, setup.objective.regularization)
    )
