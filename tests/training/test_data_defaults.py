"""Data-dependent defaults on data whose sizes are known."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.training.data_defaults import DIRECT, PAIRWISE, SOFTMAX, DataDefaults, noise_parts


def data_of(n_users: int, n_items: int, per_user: int) -> Interactions:
    """Return interactions in which every user has `per_user` items and all items are as frequent as possible."""
    indices = (np.arange(n_users * per_user) % n_items).reshape(n_users, per_user)
    users, items = (Vocabulary.from_ids(np.arange(n)) for n in (n_users, n_items))
    indptr = np.arange(n_users + 1, dtype=np.int64) * per_user
    return Interactions(users, items, indptr, np.sort(indices, axis=1).astype(np.int32).ravel())


@pytest.mark.parametrize(
    ("n_items", "softmax", "pairs"),
    [(100, 64, 8), (4_000, 64, 16), (10_429, 64, 16), (18_357, 128, 16), (40_981, 256, 16), (400_000, 256, 16)],
)
def test_candidates_grow_with_the_catalogue(n_items: int, softmax: int, pairs: int) -> None:
    data = data_of(2, n_items, 4)
    assert (SOFTMAX.candidates_for(data), PAIRWISE.candidates_for(data)) == (softmax, pairs)


@pytest.mark.parametrize(("per_user", "softmax", "pairs"), [(3, 40, 120), (10, 40, 60), (64, 25, 50), (200, 20, 50)])
def test_users_with_many_interactions_need_fewer_epochs(per_user: int, softmax: int, pairs: int) -> None:
    data = data_of(50, 400, per_user)
    assert SOFTMAX.epochs_for(data, moves_all=False) == softmax
    assert PAIRWISE.epochs_for(data, moves_all=False) == pairs
    assert SOFTMAX.epochs_for(data, moves_all=True) == SOFTMAX.epochs_least


@pytest.mark.parametrize(("n_items", "factor"), [(40, 250**0.05), (20_000, 1.0)])
def test_the_regularization_is_a_share_of_the_noise(n_items: int, factor: float) -> None:
    data = data_of(2 * n_items, n_items, 9)  # items have 18
    assert noise_parts(data) == pytest.approx((9**-0.5, 18**-0.5))
    assert SOFTMAX.regularization_for(data, (64,)) == pytest.approx((0.55 * factor * (9**-0.5 + 18**-0.5),))


def test_narrow_widths_have_less_regularization_in_large_catalogues_with_little_noise() -> None:
    widths = (4, 16, 64, 256)
    small, large, noisy = data_of(400, 100, 20), data_of(8000, 16_000, 40), data_of(8000, 16_000, 2)
    assert len(set(SOFTMAX.regularization_for(small, widths))) == 1
    at = np.array(SOFTMAX.regularization_for(large, widths))
    assert at[:3] / at[2] == pytest.approx((np.array([4, 16, 64]) / 64) ** 0.24)  # 0.12 for each factor of ten from 160
    assert at[3] == at[2]
    assert len(set(SOFTMAX.regularization_for(noisy, widths))) == 1


@pytest.mark.parametrize("rules", [PAIRWISE, DIRECT])
def test_other_losses_have_one_regularization_for_all_widths(rules: DataDefaults) -> None:
    assert len(set(rules.regularization_for(data_of(80, 40, 9), (4, 64)))) == 1
