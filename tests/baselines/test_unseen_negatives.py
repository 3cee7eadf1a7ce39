"""Negatives: never seen, all unseen items equally likely, exact for users who have seen nearly everything."""

from __future__ import annotations

import numpy as np

from nestrec.baselines.unseen_negatives import UnseenNegatives
from tests.training.worlds import from_sets, tiny


def test_no_negative_was_seen() -> None:
    interactions = tiny()
    negatives = UnseenNegatives(interactions)
    seen = interactions.to_scipy().toarray() > 0
    for seed in range(20):
        drawn = negatives.draw(np.random.default_rng(seed))
        assert drawn.min() >= 0
        assert drawn.max() < interactions.n_items
        assert not seen[negatives.users, drawn].any()


def test_every_interaction_is_a_positive() -> None:
    interactions = tiny()
    negatives = UnseenNegatives(interactions)
    rows, columns = interactions.to_scipy().nonzero()
    assert np.array_equal(negatives.users, rows)
    assert np.array_equal(negatives.items, columns)


def test_every_unseen_item_is_as_likely() -> None:
    """A search that counts the seen items one off would never draw the first or the last unseen one."""
    negatives = UnseenNegatives(from_sets([[0, 3, 4, 9], [5], [0, 1, 2]], n_items=10))
    rng = np.random.default_rng(3)
    drawn = np.array([negatives.draw(rng)[[0, 4, 5]] for _ in range(6000)])
    for place, unseen in enumerate(([1, 2, 5, 6, 7, 8], [0, 1, 2, 3, 4, 6, 7, 8, 9], [3, 4, 5, 6, 7, 8, 9])):
        items, counts = np.unique(drawn[:, place], return_counts=True)
        assert items.tolist() == unseen
        expected = 6000 / len(unseen)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_the_one_unseen_item_is_found_and_users_without_any_are_passed_over() -> None:
    n_items = 1000
    negatives = UnseenNegatives(from_sets([list(range(n_items - 1)), list(range(n_items)), []], n_items))
    assert set(negatives.users.tolist()) == {0}
    assert set(negatives.draw(np.random.default_rng(0)).tolist()) == {n_items - 1}
