"""Generated interactions: exact sizes, distinct pairs, skew, clusters, the same for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.interactions import Interactions
from nestrec.errors import OptionError
from scaling_data import draw_items, generate_interactions


def pairs(interactions: Interactions) -> list[tuple[int, int]]:
    users = np.repeat(np.arange(interactions.n_users), np.diff(interactions.indptr))
    return list(zip(users.tolist(), interactions.indices.tolist(), strict=True))


@settings(deadline=None)  # the first example compiles the kernel
@given(st.integers(1, 30), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**63 - 1))
def test_the_number_of_pairs_is_exact_and_rows_ascend_without_repeats(
    n_users: int, n_items: int, density: float, seed: int
) -> None:
    most = n_users * max(n_items // 2, 1)
    n_interactions = n_users + round(density * (most - n_users))
    interactions = generate_interactions(n_users, n_items, n_interactions, seed, threads=1)
    assert (interactions.n_users, interactions.n_items) == (n_users, n_items)
    assert interactions.n_interactions == n_interactions
    assert pairs(interactions) == sorted(set(pairs(interactions)))
    assert np.diff(interactions.indptr).min() >= 1
    assert 0 <= interactions.indices.min() <= interactions.indices.max() < n_items


def test_threads_do_not_change_the_result_and_seeds_do() -> None:
    one, three = (generate_interactions(500, 300, 20_000, 4, threads=threads).fingerprint() for threads in (1, 3))
    assert one == three != generate_interactions(500, 300, 20_000, 5).fingerprint()


def test_users_and_items_are_unequally_active() -> None:
    interactions = generate_interactions(5_000, 2_000, 250_000, 1)
    by_user = np.sort(np.diff(interactions.indptr))
    by_item = np.sort(np.bincount(interactions.indices, minlength=2_000))
    assert by_user[-500:].sum() > 0.3 * 250_000, "a tenth of the users has much of all interactions"
    assert by_item[-200:].sum() > 0.3 * 250_000, "a tenth of the items likewise"
    assert abs(np.corrcoef(np.bincount(interactions.indices), np.arange(2_000))[0, 1]) < 0.1, "ids tell no popularity"


def test_users_share_clusters_of_items() -> None:
    """Leading singular values of the degree-normalised matrix exceed those of random data."""
    matrix = generate_interactions(800, 400, 40_000, 2).to_scipy().toarray()
    normalised = matrix / np.sqrt(np.outer(matrix.sum(axis=1), matrix.sum(axis=0).clip(1)))
    values = np.sqrt(np.linalg.eigvalsh(normalised.T @ normalised)[::-1].clip(0))
    assert values[1] > 1.3 * values[40]


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ((0, 5, 1, 0), "n_users must be from 1 .* got 0"),
        ((5, 2**31, 10, 0), "n_items must be from 1 .* got 2147483648"),
        ((5, 10, 4, 0), "n_interactions must be from 5 to 25 for 5 users and 10 items, got 4"),
        ((5, 10, 26, 0), "n_interactions must be from 5 to 25 for 5 users and 10 items, got 26"),
        ((5, 10, 20, -1), "seed must be from 0 .* got -1"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(numbers: tuple[int, int, int, int], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        generate_interactions(*numbers)


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
