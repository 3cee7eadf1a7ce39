"""Data-dependent defaults on data whose sizes are known."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.training.data_defaults import PAIRWISE, SOFTMAX, largest_noise_value


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


def test_the_regularization_of_equal_degrees_is_a_share_of_the_largest_singular_value_of_noise() -> None:
    data = data_of(80, 40, 9)  # items have 18
    assert largest_noise_value(data) == pytest.approx(9**-0.5 + 18**-0.5)
    assert SOFTMAX.regularization_for(data) == pytest.approx(0.55 * (9**-0.5 + 18**-0.5))
