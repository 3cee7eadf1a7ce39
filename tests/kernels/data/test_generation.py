"""Drawing items: shares of the users come to the same as all at once, and rows without free choice are filled."""

from __future__ import annotations

import numpy as np

from nestrec.kernels.data.generation import draw_items


def test_users_drawn_in_shares_are_those_drawn_at_once() -> None:
    indptr = np.arange(0, 5001, 50, dtype=np.int64)
    by_popularity = np.random.default_rng(0).permutation(200).astype(np.int32)
    at_once, in_shares = np.empty(5000, dtype=np.int32), np.empty(5000, dtype=np.int32)
    draw_items(indptr, at_once, by_popularity, 8, 5, 0, 100)
    for first, last in ((60, 100), (0, 33), (33, 60)):
        draw_items(indptr, in_shares, by_popularity, 8, 5, first, last)
    assert in_shares.tolist() == at_once.tolist()


def test_a_user_of_all_items_gets_each_once() -> None:
    indices = np.empty(37, dtype=np.int32)
    draw_items(np.array([0, 37], dtype=np.int64), indices, np.arange(37, dtype=np.int32)[::-1].copy(), 5, 1, 0, 1)
    assert indices.tolist() == list(range(37))


def test_popular_places_are_drawn_by_the_power_law() -> None:
    """Of n places the first f n have the share f^(1/3), in all clusters as in each."""
    indices = np.empty(200_000, dtype=np.int32)
    by_place = np.arange(1000, dtype=np.int32)
    draw_items(np.arange(200_001, dtype=np.int64), indices, by_place, 10, 2, 0, 200_000)
    for share in (0.001, 0.064, 0.512):
        assert abs(np.mean(indices < share * 1000) - share ** (1 / 3)) < 0.06
