"""Figures of the catalogue in cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.evaluation.beyond_accuracy import CatalogueFigures, coverage, gini, listed, popularity_ranks


def counts(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def test_listed_counts_the_lists_an_item_stands_in_and_no_empty_place() -> None:
    ranked = np.array([[0, 2, 1], [2, 0, -1], [2, -1, -1]], dtype=np.int32)
    assert listed(ranked, 3, 5).tolist() == [2, 1, 3, 0, 0]
    assert listed(ranked, 1, 5).tolist() == [1, 0, 2, 0, 0]


def test_coverage_is_the_share_of_items_ever_listed() -> None:
    assert coverage(counts(5, 0, 1, 0)) == 0.5


@pytest.mark.parametrize(("spread", "expected"), [((3, 3, 3), 0.0), ((0, 9, 0), 1.0), ((0, 4, 4), 0.5), ((7,), 0.0)])
def test_gini_is_0_for_an_even_spread_and_1_for_a_single_item(spread: tuple[int, ...], expected: float) -> None:
    assert gini(counts(*spread)) == pytest.approx(expected)


def test_gini_is_half_the_mean_difference_between_two_items_in_units_of_the_mean() -> None:
    """The definition by differences, with pairs of distinct items, is another road to the same number."""
    spread = np.random.default_rng(0).integers(0, 50, 40)
    differences = np.abs(spread[:, np.newaxis] - spread).sum() / (40 * 39)
    assert gini(spread) == pytest.approx(differences / (2 * spread.mean()))


def test_items_equally_popular_share_a_rank() -> None:
    assert popularity_ranks(counts(5, 9, 5, 0)).tolist() == [2.5, 1.0, 2.5, 4.0]


def test_popularity_rank_and_novelty_are_means_over_all_places() -> None:
    figures = CatalogueFigures.of(counts(8, 4, 2, 0), n_users=16)
    found = figures(counts(3, 1, 0, 0))
    assert found["popularity_rank"] == pytest.approx((3 * 1 + 1 * 2) / 4)
    assert found["novelty"] == pytest.approx((3 * 1 + 1 * 2) / 4)  # 8 of 16 users: 1 bit; 4 of 16: 2 bits
    assert figures(counts(0, 0, 0, 1))["novelty"] == 4.0  # met by nobody, counted as met by one


def test_without_any_list_means_are_not_numbers() -> None:
    found = CatalogueFigures.of(counts(1, 1), n_users=2)(counts(0, 0))
    assert found["coverage"] == 0.0
    assert np.isnan([found["gini"], found["popularity_rank"], found["novelty"]]).all()
