"""Figures of the catalogue in cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.arrays import Int64Array
from nestrec.evaluation.beyond_accuracy import (
    Catalogue,
    CatalogueLists,
    count_lists,
    coverage,
    gini,
    novelty,
    popularity_rank,
)


def counts(*values: int) -> Int64Array:
    return np.array(values, dtype=np.int64)


def lists(*n_lists: int) -> CatalogueLists:
    return CatalogueLists(counts(*n_lists), Catalogue(counts(*[1] * len(n_lists)), n_users=2))


def test_an_item_is_counted_once_per_list_and_padding_not_at_all() -> None:
    ranked = np.array([[0, 2, 1], [2, 0, -1], [2, -1, -1]], dtype=np.int32)
    assert count_lists(ranked, 3, 5).tolist() == [2, 1, 3, 0, 0]
    assert count_lists(ranked, 1, 5).tolist() == [1, 0, 2, 0, 0]


def test_coverage_is_the_share_of_items_ever_listed() -> None:
    assert coverage(lists(5, 0, 1, 0)) == 0.5


@pytest.mark.parametrize(("spread", "expected"), [((3, 3, 3), 0.0), ((0, 9, 0), 1.0), ((0, 4, 4), 0.5), ((7,), 0.0)])
def test_gini_is_0_for_an_even_spread_and_1_for_a_single_item(spread: tuple[int, ...], expected: float) -> None:
    assert gini(lists(*spread)) == pytest.approx(expected)


def test_gini_is_half_the_mean_difference_between_two_items_in_units_of_the_mean() -> None:
    """The definition by differences, over pairs of distinct items, gives the same number."""
    spread = np.random.default_rng(0).integers(0, 50, 40)
    differences = np.abs(spread[:, np.newaxis] - spread).sum() / (40 * 39)
    assert gini(lists(*spread.tolist())) == pytest.approx(differences / (2 * spread.mean()))


def test_equally_popular_items_share_a_rank() -> None:
    assert Catalogue(counts(5, 9, 5, 0), 9).popularity_ranks.tolist() == [2.5, 1.0, 2.5, 4.0]


def test_popularity_rank_and_novelty_are_means_over_all_positions() -> None:
    catalogue = Catalogue(counts(8, 4, 2, 0), n_users=16)
    found = CatalogueLists(counts(3, 1, 0, 0), catalogue)
    assert popularity_rank(found) == pytest.approx((3 * 1 + 1 * 2) / 4)
    assert novelty(found) == pytest.approx((3 * 1 + 1 * 2) / 4)  # 8 of 16 users: 1 bit; 4 of 16: 2 bits
    assert novelty(CatalogueLists(counts(0, 0, 0, 1), catalogue)) == 4.0  # a cold item counts as seen by one user


def test_without_any_list_means_are_nan() -> None:
    found = lists(0, 0)
    assert coverage(found) == 0.0
    assert np.isnan([gini(found), popularity_rank(found), novelty(found)]).all()
