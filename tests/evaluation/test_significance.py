"""Bootstrap intervals and paired differences where theory gives the answer."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.errors import DataError, OptionError
from nestrec.evaluation.significance import bootstrap_intervals, paired_difference


@pytest.mark.parametrize("n_users", [500, 30_000])
def test_the_interval_is_that_of_the_normal_approximation(n_users: int) -> None:
    """Above 8192 users they are resampled in groups, which must not change the width."""
    values = np.random.default_rng(3).exponential(size=n_users)
    low, high = bootstrap_intervals([values], samples=4000)[:, 0]
    error = values.std() / np.sqrt(n_users)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_columns_are_resampled_together() -> None:
    """A column and its double have intervals that are exactly in that ratio."""
    values = np.random.default_rng(0).random(300)
    low, high = bootstrap_intervals([values, 2 * values])
    assert low[1] == pytest.approx(2 * low[0], rel=1e-12)
    assert high[1] == pytest.approx(2 * high[0], rel=1e-12)


def test_a_seed_repeats_and_another_differs() -> None:
    values = [np.random.default_rng(0).random(50)]
    assert np.array_equal(bootstrap_intervals(values, seed=4), bootstrap_intervals(values, seed=4))
    assert not np.array_equal(bootstrap_intervals(values, seed=4), bootstrap_intervals(values, seed=5))


def test_one_user_has_an_interval_of_no_width() -> None:
    assert bootstrap_intervals([np.array([0.25])]).tolist() == [[0.25], [0.25]]


def test_samples_below_one_are_refused() -> None:
    with pytest.raises(OptionError, match="samples must be 1 or more, got 0"):
        bootstrap_intervals([np.ones(3)], samples=0)


def test_a_true_difference_is_found_and_no_difference_is_not() -> None:
    rng = np.random.default_rng(7)
    base = rng.random(2000)
    better = base + rng.normal(0.02, 0.1, 2000)
    found = paired_difference(better, base)
    assert found.low < 0.02 < found.high
    assert found.p_value < 0.001
    chance = paired_difference(base + rng.normal(0.0, 0.1, 2000), base)
    assert chance.p_value > 0.05
    assert chance.low < 0 < chance.high


def test_p_values_are_spread_evenly_where_nothing_differs() -> None:
    rng = np.random.default_rng(11)
    found = [paired_difference(rng.normal(size=80), np.zeros(80), samples=200).p_value for _ in range(200)]
    assert 0.02 <= np.mean(np.array(found) < 0.1) <= 0.18


def test_a_model_does_not_differ_from_itself() -> None:
    same = np.random.default_rng(0).random(10)
    found = paired_difference(same, same, samples=100)
    assert (found.mean, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]])])
def test_values_that_are_not_pairs_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(DataError, match="equal shapes"):
        paired_difference(a, b)
