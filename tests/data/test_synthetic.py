"""Synthetic data: the planted hierarchy is in the interactions, in the order in which widths should learn it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse import diags_array
from scipy.sparse.linalg import svds

from nestrec.data.synthetic import GeneratedData, SyntheticData
from nestrec.errors import OptionError

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int32]


@pytest.fixture(scope="module")
def data() -> GeneratedData:
    return SyntheticData().generate(seed=3)


def explained_by(labels: IndexArray, degrees: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return for each singular vector (a row) the share of it that is a function of the labels alone."""
    basis = np.eye(labels.max() + 1)[labels] * np.sqrt(degrees)[:, None]
    shares = ((basis / np.linalg.norm(basis, axis=0)).T @ vectors.T) ** 2
    return np.asarray(shares.sum(axis=0), dtype=np.float64)


def test_four_singular_vectors_separate_topics_and_the_next_28_separate_subtopics(data: GeneratedData) -> None:
    """Singular vectors of the degree-normalised matrix, as in spectral clustering of a bipartite graph."""
    matrix = data.interactions.to_scipy().astype(np.float64)
    user_degrees, item_degrees = (np.asarray(matrix.sum(axis=axis), dtype=np.float64) for axis in (1, 0))
    normalised = diags_array(user_degrees**-0.5) @ matrix @ diags_array(item_degrees**-0.5)
    _, values, vectors = svds(normalised, k=40, v0=np.ones(1200))
    values, vectors = values[::-1], vectors[::-1]
    assert values[3] > 1.8 * values[4], "topics stand out from subtopics"
    assert values[31] > 1.25 * values[32], "subtopics stand out from noise"
    assert explained_by(data.item_topic, item_degrees, vectors[:4]).min() > 0.95
    assert explained_by(data.item_topic, item_degrees, vectors[4:32]).max() < 0.05
    assert explained_by(data.item_subtopic, item_degrees, vectors[4:32]).min() > 0.75
    assert explained_by(data.item_subtopic, item_degrees, vectors[32:]).max() < 0.05


def test_sizes_are_those_given(data: GeneratedData) -> None:
    interactions = data.interactions
    assert (interactions.n_users, interactions.n_items) == (2000, 1200)
    assert interactions.n_interactions == pytest.approx(60_000, rel=0.05)
    assert np.diff(interactions.indptr).min() >= 1
    assert np.bincount(data.item_subtopic).tolist() == pytest.approx([37.5] * 32, abs=0.5)


def test_rows_ascend_without_repeats(data: GeneratedData) -> None:
    interactions = data.interactions
    starts = np.zeros(interactions.n_interactions, dtype=np.bool_)
    starts[interactions.indptr[:-1]] = True
    assert np.all(starts[1:] | (np.diff(interactions.indices) > 0))


def test_users_spend_what_the_options_say_on_topic_favourites_and_noise() -> None:
    """Noise of 0.1 lands in the user's own topic a quarter of the time; likewise the coarse share in the favourites."""
    data = SyntheticData(interactions_per_user=3).generate(seed=4)  # so few that no subtopic runs short
    interactions = data.interactions
    users = np.repeat(np.arange(interactions.n_users), np.diff(interactions.indptr))
    own_topic = data.item_topic[interactions.indices] == data.user_topic[users]
    favourite = (data.item_subtopic[interactions.indices][:, None] == data.user_subtopics[users]).any(axis=1)
    assert own_topic.mean() == pytest.approx(0.9 + 0.1 / 4, abs=0.015)
    assert favourite.mean() == pytest.approx(0.9 * (0.7 + 0.3 * 2 / 8) + 0.1 * 2 / 32, abs=0.025)


def test_favourites_are_different_subtopics_of_the_users_topic(data: GeneratedData) -> None:
    assert np.all(data.user_subtopics // 8 == data.user_topic[:, None])
    assert np.all(data.user_subtopics[:, 0] < data.user_subtopics[:, 1])


def test_popularity_is_skewed_where_asked(data: GeneratedData) -> None:
    flat = SyntheticData(popularity_skew=0).generate(seed=3)
    spread, even_spread = (np.bincount(each.interactions.indices).std() for each in (data, flat))
    assert spread > 3 * even_spread


def test_ids_show_the_hierarchy_and_are_in_order(data: GeneratedData) -> None:
    ids = data.interactions.items.ids.tolist()
    assert ids[0] == "topic1/sub1/item01"
    for item in (0, 37, 500, 1199):
        topic, subtopic = data.item_topic[item] + 1, data.item_subtopic[item] % 8 + 1
        assert ids[item].startswith(f"topic{topic}/sub{subtopic}/item")
    assert data.interactions.users.ids_at([0, 1999]).tolist() == ["u0001", "u2000"]


def test_same_seed_same_world_and_another_seed_another() -> None:
    small = SyntheticData(n_users=50, n_items=200)
    one, same, other = (small.generate(seed).interactions.fingerprint() for seed in (1, 1, 2))
    assert one == same != other


def test_without_noise_users_keep_to_their_favourites_and_items_nobody_met_are_left_out() -> None:
    data = SyntheticData(n_users=5, n_items=400, interactions_per_user=10, noise=0, fine_share=1).generate(seed=0)
    interactions = data.interactions
    users = np.repeat(np.arange(5), np.diff(interactions.indptr))
    favourites = data.user_subtopics[users]
    assert np.all((data.item_subtopic[interactions.indices][:, None] == favourites).any(axis=1))
    assert 0 < interactions.n_items < 400
    assert len(data.item_topic) == len(data.item_subtopic) == interactions.n_items
    assert np.bincount(interactions.indices).min() == 1


def test_a_user_whose_taste_holds_few_items_gets_no_others() -> None:
    data = SyntheticData(n_users=20, n_items=40, interactions_per_user=10, noise=0, fine_share=1).generate(seed=0)
    assert np.diff(data.interactions.indptr).max() <= 4  # two favourites of one or two items each


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"n_users": 0}, "n_users must be at least 1, got 0"),
        ({"n_topics": 0}, "n_topics must be at least 1, got 0"),
        ({"n_items": 31}, "n_items must be at least 32, one for each subtopic, got 31"),
        ({"n_favourites": 9}, "n_favourites must be at most 8, the subtopics of a topic, got 9"),
        (
            {"interactions_per_user": 301},
            "interactions_per_user must be from 1 to 300, .* got 301",
        ),
        ({"interactions_per_user": float("nan")}, "interactions_per_user must be from 1 .* got nan"),
        ({"noise": 1.5}, "noise must be from 0 to 1, got 1.5"),
        ({"fine_share": -0.1}, "fine_share must be from 0 to 1, got -0.1"),
        ({"popularity_skew": -1}, "popularity_skew must be from 0 to 3, got -1"),
    ],
)
def test_options_are_checked_when_given(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        SyntheticData(**options)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(OptionError, match="seed must be at least 0, got -1"):
        SyntheticData().generate(seed=-1)
