"""The engine's arrays, shares and memory; what the kernel computes is tested beside the kernel."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit, Split
from nestrec.kernels.training.tile_sizes import BLOCK, POOL_BLOCK
from nestrec.training import fit as fit_module
from nestrec.training.cpu_engine import CpuEngine, _thread_ranges
from nestrec.training.objective import Objective
from nestrec.training.options import Run
from nestrec.training.samplers import UniformSampler
from nestrec.training.trainer import Trainer
from nestrec.widths import Widths
from scaling_data import generate_interactions
from tests.training.worlds import tiny


def engine(widths: tuple[int, ...] = (3, 5), seed: int = 0, threads: int = 1, scale: float = 0.1) -> CpuEngine:
    data = tiny()
    objective = Objective(
        widths=Widths(widths),
        level_weights=(1 / len(widths),) * len(widths),
        n_candidates=8,
        regularization=(0.01,) * len(widths),
        starting_scale=scale,
        l2_power=0.7,
        softmax=False,
        coupling=1.0,
    )
    return CpuEngine(data.indptr, data.indices, data.n_items, objective, seed, threads)


def objective(coupling: float, weights: tuple[float, ...] = (0.2, 0.3, 0.5)) -> Objective:
    return Objective(
        widths=Widths((2, 4, 8)),
        level_weights=weights,
        n_candidates=64,
        regularization=(0.1, 0.2, 0.3),
        starting_scale=0.1,
        l2_power=0.0,
        softmax=True,
        coupling=coupling,
    )


def test_the_coordinates_that_a_level_adds_have_its_regularization() -> None:
    weights = objective(1.0).l2_weights()
    np.testing.assert_allclose(weights, [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.3], rtol=1e-6)
    shares = np.repeat([1.0, 0.8, 0.5], [2, 2, 4])  # of the level weights whose widths contain a coordinate
    powered = replace(objective(1.0), l2_power=0.7)
    np.testing.assert_allclose(powered.l2_weights(), weights * shares**0.7, rtol=1e-6)
    np.testing.assert_array_equal(replace(powered, regularize_whole=True).l2_weights(), weights)


def test_coupled_levels_pull_by_their_weights_and_their_distance() -> None:
    """1: the shares of one loss; 0: every block heeds its own level alone; rows sum to 1, narrower levels are 0."""
    expected = np.array([[0.2, 0.3, 0.5], [0, 0.375, 0.625], [0, 0, 1]])
    np.testing.assert_allclose(objective(1.0).gradient_weights(), expected, rtol=1e-6)
    np.testing.assert_array_equal(objective(0.0).gradient_weights(), np.eye(3))
    np.testing.assert_allclose(objective(0.5).gradient_weights()[0], np.array([0.2, 0.15, 0.125]) / 0.475, rtol=1e-6)


def test_a_level_without_weight_pulls_nothing_and_its_coordinates_serve_the_wider() -> None:
    np.testing.assert_allclose(objective(0.5, (0.0, 0.0, 1.0)).gradient_weights(), [[0, 0, 1]] * 3)


def one_epoch(trained: CpuEngine, epoch: int = 0, rate: float = 0.1) -> tuple[float, int]:
    return trained.train(epoch, 0, trained.n_positives, rate)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 31), (0, 32), (64, 1000), (0, 96), (32, 8192)])
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("block", [BLOCK, POOL_BLOCK])
def test_shares_part_the_positions_at_blocks(start: int, stop: int, threads: int, block: int) -> None:
    """Together they are the stretch, none is empty, and a tile's neighbours stay together."""
    shares = _thread_ranges(start, stop, threads, block)
    assert shares[0][0] == start
    assert shares[-1][1] == stop
    assert all(one[1] == other[0] for one, other in pairwise(shares))
    assert all(low < high and (low - start) % block == 0 for low, high in shares)
    assert max(high - low for low, high in shares) <= (stop - start) / threads + 2 * block


def test_starting_values_are_normal_and_of_the_seed() -> None:
    """Users and items differ; what fills the last vector of numbers up is zero."""
    wide = engine((5, 100), scale=0.5)
    assert wide.users.shape == (tiny().n_users, 104)
    assert wide.user_embeddings.shape == (tiny().n_users, 100)
    assert not wide.users[:, 100:].any()
    for values in (wide.user_embeddings, wide.item_embeddings):
        assert values.mean() == pytest.approx(0, abs=0.03)
        assert values.std() == pytest.approx(0.5, rel=0.03)
    assert not np.array_equal(wide.users[0], wide.items[0])
    assert np.array_equal(wide.users, engine((5, 100), scale=0.5).users)
    assert not np.array_equal(wide.users, engine((5, 100), seed=1, scale=0.5).users)


def test_an_epoch_trains_every_positive_once() -> None:
    """With any number of threads; the mean loss is log 2 where nothing has been learnt and steps are tiny."""
    for threads in (1, 2, 5):
        loss, n_trained = one_epoch(engine(threads=threads, scale=1e-6), rate=1e-6)
        assert n_trained == tiny().n_interactions
        assert loss / n_trained == pytest.approx(np.log(2), rel=1e-4)


def test_epochs_differ_in_order_and_negatives() -> None:
    one, other = engine(), engine()
    one_epoch(one, 0)
    one_epoch(other, 1)
    assert not np.array_equal(one.items, other.items)


def test_restored_state_continues_identically() -> None:
    """The four arrays and the epoch's number are all that training depends on."""
    first = engine()
    one_epoch(first)
    second = engine(scale=0.7)
    second.restore({name: array.copy() for name, array in first.state().items()})
    assert one_epoch(first, 1) == one_epoch(second, 1)
    for name, array in first.state().items():
        np.testing.assert_array_equal(array, second.state()[name])


def peak_beyond_input(interactions: Interactions, validation: Split | None, widths: tuple[int, ...] = (32,)) -> int:
    """Return the most bytes that training two epochs at width 32 holds beyond what was given."""
    trainer = Trainer(widths=widths, epochs=2, evaluate_every=1, sampler=UniformSampler())
    trainer.fit(tiny(), validation=validation)  # what is loaded once is not counted
    tracemalloc.start()
    try:
        trainer.fit(interactions, validation=validation, run=Run(threads=2))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("validation", "lists"),
    [(None, 0), (RandomSplit(0.1), 12_000_000)],  # ranked lists of some ten thousands of users, whatever the data
    ids=["no validation", "validation and refit"],
)
def test_memory_is_bounded_by_interactions_and_embeddings(validation: Split | None, lists: int) -> None:
    """At most 12 bytes an interaction and three numbers for each of the embeddings; no users x items matrix."""
    n_users, n_items, n_interactions = 100_000, 1_000, 500_000
    interactions = generate_interactions(n_users, n_items, n_interactions, seed=1)
    bound = 12 * n_interactions + 3 * 4 * 32 * (n_users + n_items)
    peak = peak_beyond_input(interactions, validation)
    assert peak > 2 * 4 * 32 * (n_users + n_items), "numpy's memory is not seen"
    assert peak < bound + lists


@pytest.mark.slow
def test_rotation_needs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes a third copy of the vectors when the accumulators are gone; with a fourth this bound would not hold."""
    monkeypatch.setattr(fit_module, "_is_better", lambda *_: True)
    n_users, n_items, n_interactions = 400_000, 1_000, 900_000
    interactions = generate_interactions(n_users, n_items, n_interactions, seed=1)
    copy = 4 * 32 * (n_users + n_items)
    lists = 24_000_000  # of two widths
    assert lists < 0.5 * copy
    assert peak_beyond_input(interactions, RandomSplit(0.1), (16, 32)) < 12 * n_interactions + 3 * copy + lists
