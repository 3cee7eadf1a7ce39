"""Levels that start one after the other: what an epoch trains, and what keeps its values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from nestrec.errors import OptionError
from nestrec.training.cpu_engine import CpuEngine
from nestrec.training.objective import Objective
from nestrec.training.options import Run
from nestrec.training.schedule import check_level_starts
from nestrec.training.signals import Signals
from nestrec.training.trainer import Trainer
from nestrec.widths import Widths
from tests.training.worlds import Interfering, is_same, tiny

WIDTHS = (2, 5, 9, 20, 37)  # within registers and beyond, so that levels share them
DISLIKES = Signals(disliking=np.arange(8, dtype=np.int32), disliked=np.arange(8, dtype=np.int32))


def objective(*, softmax: bool, n: int = len(WIDTHS)) -> Objective:
    """Return the objective of the n narrowest widths."""
    return Objective(
        widths=Widths(WIDTHS[:n]),
        level_weights=tuple(weight / sum(range(1, n + 1)) for weight in range(1, n + 1)),
        n_candidates=64 if softmax else 8,
        regularization=(0.05, 0.1, 0.15, 0.2, 0.25)[:n],
        starting_scale=0.1,
        l2_power=0.0 if softmax else 0.7,
        softmax=softmax,
        coupling=0.3,
    )


def engine_of(of: Objective, *, deterministic: bool = False, signals: Signals = Signals()) -> CpuEngine:  # noqa: B008
    data: Interactions = tiny()
    csr = data.indptr, data.indices, data.n_items
    return CpuEngine(*csr, of, 3, 2 if deterministic else 1, deterministic=deterministic, signals=signals)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "pairs"])
@pytest.mark.parametrize("deterministic", [False, True], ids=["racing", "deterministic"])
@pytest.mark.parametrize("signals", [Signals(), DISLIKES], ids=["plain", "dislikes"])
def test_the_first_levels_are_trained_as_an_engine_of_these_widths_trains_them(
    n: int, softmax: bool, deterministic: bool, signals: Signals
) -> None:
    """The oracle has the same initial values; the other dimensions and their sums keep every bit."""
    options: dict[str, Any] = {"deterministic": deterministic, "signals": signals}
    whole = engine_of(objective(softmax=softmax), **options)
    alone = engine_of(objective(softmax=softmax, n=n), **options)
    width = WIDTHS[n - 1]
    for name, array in alone.state().items():
        array[:, :width] = whole.state()[name][:, :width]
    before = {name: array.copy() for name, array in whole.state().items()}
    whole.use_levels(n)
    losses = [each.train(0, 0, each.n_positives, 0.1) for each in (whole, alone)]
    assert losses[0][1] == losses[1][1]
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-6)
    for name, array in whole.state().items():
        np.testing.assert_allclose(array[:, :width], alone.state()[name][:, :width], rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(array[:, width:], before[name][:, width:])


@pytest.mark.parametrize("deterministic", [False, True], ids=["racing", "deterministic"])
def test_all_levels_train_again_after_a_few(deterministic: bool) -> None:
    """As if no other number of levels had been set."""
    one, other = (engine_of(objective(softmax=True), deterministic=deterministic) for _ in range(2))
    one.use_levels(2)
    one.use_levels(len(WIDTHS))
    for each in (one, other):
        each.train(0, 0, each.n_positives, 0.1)
    np.testing.assert_array_equal(one.users, other.users)
    np.testing.assert_array_equal(one.items, other.items)


def test_levels_without_weight_of_their_own_wait_for_the_first_that_has_one() -> None:
    of = replace(objective(softmax=True), level_weights=(0.0, 0.0, 0.5, 0.0, 0.5))
    assert of.first_levels(1) == of.first_levels(3)
    assert of.first_levels(1).level_weights == (0, 0, 1, 0, 0)
    assert (of.first_levels(1).n_levels, of.first_levels(4).n_levels, of.first_levels(5)) == (3, 3, of)
    assert not of.first_levels(3).gradient_weights()[3:].any()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (0, 0.1, 0.15, 0.2, 0.25)),
        ({"widths": (4, 16, 32, 64, 96, 128, 256)}, (0, 0.1, 0.15, 0.2, 0.25, 0.25, 0.25)),
        ({"widths": 16}, (0,)),
        ({"loss": "bpr"}, (0,) * 5),
        ({"backbone": "lightgcn"}, (0,) * 5),
        ({"widths": (4, 8), "level_starts": [0, 0.5]}, (0, 0.5)),
    ],
    ids=str,
)
def test_narrow_levels_start_first_by_default_with_the_softmax(
    options: dict[str, Any], expected: tuple[float, ...]
) -> None:
    if options.get("backbone"):
        pytest.importorskip("torch")
    schedule = Trainer(**options).resolve(tiny()).schedule
    assert schedule.level_starts == pytest.approx(expected)
    assert schedule.n_levels(schedule.epochs - 1) == len(expected)


def test_an_epoch_trains_the_levels_that_have_started() -> None:
    schedule = replace(Trainer().resolve(tiny()).schedule, epochs=20)
    assert [schedule.n_levels(epoch) for epoch in range(7)] == [1, 1, 2, 3, 4, 5, 5]
    assert replace(schedule, epochs=1).n_levels(0) == 5


@pytest.mark.parametrize(
    "starts",
    [(0, 0.1), (0, 0.2, 0.1), (0.1, 0.2, 0.3), (0, 0.1, 0.95), (0, -0.1, 0.2), (0, 0.1, float("nan")), "0,0,0", 0.1],
    ids=str,
)
def test_starts_that_do_not_fit_the_widths_are_an_error(starts: Any) -> None:
    with pytest.raises(OptionError, match="level_starts"):
        check_level_starts(starts, Widths((2, 4, 8)))


def test_a_resumed_run_goes_through_the_same_levels(tmp_path: Any) -> None:
    """Stopped while two of three levels are trained, the vectors have the same bits as without the stop."""
    trainer = Trainer(widths=(2, 4, 8), epochs=10, level_starts=(0, 0.2, 0.6), rotate=False)
    whole = trainer.fit(tiny(), validation=None, run=Run(deterministic=True))
    run = Run(deterministic=True, checkpoint=tmp_path / "state", checkpoint_seconds=0, return_on_interrupt=True)
    stopped = trainer.fit(tiny(), validation=None, run=replace(run, callbacks=Interfering(after_epoch=("final", 4))))
    assert stopped.manifest["training"]["interrupted"]
    assert not is_same(stopped, whole)
    assert is_same(trainer.fit(tiny(), validation=None, run=replace(run, resume=True)), whole)
    assert whole.manifest["training"]["options"]["level_starts"] == [0, 0.2, 0.6]
