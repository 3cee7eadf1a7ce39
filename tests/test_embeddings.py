"""What is asked of a model, in a world small enough to know the answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec import Interactions, NestedEmbeddings, Vocabulary, Widths
from nestrec.errors import DataError, OptionError, UnknownIdError

USERS = ["ann", "bob", "cyd", "dee"]
ITEMS = ["jam", "oil", "rye", "tea"]
# width 1: cyd and dee like nothing; width 2 tells them apart
USER_VECTORS = np.array([[1, 0], [2, 0], [0, 1], [0, -1]], dtype=np.float32)
ITEM_VECTORS = np.array([[3, 0], [2, 1], [0, 2], [2, -5]], dtype=np.float32)
SEEN = {"ann": ["jam"], "bob": ["jam", "oil", "rye", "tea"], "cyd": ["oil", "tea"], "dee": []}


@pytest.fixture
def model() -> NestedEmbeddings:
    users, items = Vocabulary.from_ids(USERS), Vocabulary.from_ids(ITEMS)
    rows = [items.index_of(SEEN[user]) for user in USERS]
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    seen = Interactions(users, items, indptr, np.concatenate(rows).astype(np.int32))
    return NestedEmbeddings(USER_VECTORS, ITEM_VECTORS, Widths((1, 2)), users, items, seen, {"options": {"seed": 7}})


def test_one_user_gets_one_dimension_best_first_and_ties_in_item_order(model: NestedEmbeddings) -> None:
    ids, scores = model.recommend("ann", k=2)
    assert ids.tolist() == ["oil", "tea"]
    assert scores.tolist() == [2.0, 2.0]


def test_one_user_gets_only_what_is_left(model: NestedEmbeddings) -> None:
    assert [part.tolist() for part in model.recommend("cyd", k=10)] == [["rye", "jam"], [2.0, 0.0]]
    assert [part.tolist() for part in model.recommend("bob", k=10)] == [[], []]


def test_many_users_get_a_row_each_in_the_order_asked_filled_up(model: NestedEmbeddings) -> None:
    ranking = model.recommend(["cyd", "bob", "ann"], k=3)
    assert ranking.ids.tolist() == [["rye", "jam", ""], ["", "", ""], ["oil", "tea", "rye"]]
    assert ranking.scores.tolist() == [[2.0, 0.0, -np.inf], [-np.inf] * 3, [2.0, 2.0, 0.0]]
    assert ranking.queries.tolist() == ["cyd", "bob", "ann"]


def test_k_beyond_the_catalogue_still_gives_k_columns(model: NestedEmbeddings) -> None:
    ids, scores = model.recommend(["dee"], k=9)
    assert ids.shape == scores.shape == (1, 9)
    assert ids[0, :4].tolist() == ["tea", "jam", "oil", "rye"]


def test_seen_items_come_back_on_request(model: NestedEmbeddings) -> None:
    assert model.recommend("bob", k=1, exclude_seen=False).ids.tolist() == ["jam"]


def test_only_and_without_bound_what_is_returned(model: NestedEmbeddings) -> None:
    assert model.recommend("ann", allow=["tea", "jam", "rye"]).ids.tolist() == ["tea", "rye"]
    assert model.recommend("ann", deny={"oil"}).ids.tolist() == ["tea", "rye"]
    assert model.recommend("ann", allow=("tea", "rye"), deny="rye").ids.tolist() == ["tea"]
    assert model.recommend(["ann"], k=2, allow=[]).ids.tolist() == [["", ""]]


def test_a_narrower_width_scores_with_the_prefix(model: NestedEmbeddings) -> None:
    assert [part.tolist() for part in model.recommend("dee", k=4, width=1)] == [ITEMS, [0.0] * 4]
    assert model.recommend("dee", k=1, width=2).ids.tolist() == ["tea"]


def test_at_is_the_same_model_narrower_without_copies(model: NestedEmbeddings) -> None:
    narrow = model.at(1)
    assert isinstance(narrow, NestedEmbeddings)
    assert narrow.embedding_size == 1
    assert narrow.widths == Widths((1,))
    assert np.shares_memory(narrow.user_embeddings, model.user_embeddings)
    assert np.shares_memory(narrow.item_embeddings, model.item_embeddings)
    np.testing.assert_array_equal(narrow.recommend(USERS).ids, model.recommend(USERS, width=1).ids)
    with pytest.raises(OptionError, match="width 2 was not trained; choose one of 1"):
        narrow.recommend("ann", width=2)


def test_similar_items_are_ordered_by_cosine_without_the_item_itself(model: NestedEmbeddings) -> None:
    ids, scores = model.similar_items("jam", k=5)
    assert ids.tolist() == ["oil", "tea", "rye"]
    np.testing.assert_allclose(scores, [2 / 5**0.5, 2 / 29**0.5, 0.0], rtol=1e-6)
    assert model.similar_items(["jam", "rye"], k=1).ids.tolist() == [["oil"], ["oil"]]


def test_a_zero_prefix_is_as_similar_to_everything(model: NestedEmbeddings) -> None:
    """At width 1 rye is the zero vector: cosine 0, never NaN."""
    assert model.similar_items("rye", k=3, width=1).scores.tolist() == [0.0, 0.0, 0.0]


def test_similar_users_are_ordered_by_cosine(model: NestedEmbeddings) -> None:
    ids, scores = model.similar_users("ann", k=3)
    assert ids.tolist() == ["bob", "cyd", "dee"]
    assert scores.tolist() == [1.0, 0.0, 0.0]


def test_score_pairs_lists_or_one_with_many(model: NestedEmbeddings) -> None:
    assert model.score(["ann", "dee"], ["jam", "tea"]).tolist() == [3.0, 5.0]
    assert model.score("ann", ITEMS).tolist() == [3.0, 2.0, 0.0, 2.0]
    assert model.score(USERS, "tea", width=1).tolist() == [2.0, 4.0, 0.0, 0.0]
    assert float(model.score("bob", "jam")) == 6.0
    with pytest.raises(OptionError, match=r"same length.*got 2 and 3"):
        model.score(["ann", "bob"], ["jam", "oil", "tea"])


def test_scores_of_recommend_and_score_agree() -> None:
    rng = np.random.default_rng(0)
    model = NestedEmbeddings.from_arrays(rng.normal(size=(30, 16)), rng.normal(size=(50, 16)), [4, 16])
    ids, scores = model.recommend(7, k=50, width=4)
    np.testing.assert_allclose(model.score(7, ids, width=4), scores, rtol=1e-5, atol=1e-6)


def test_unknown_ids_raise_and_are_named(model: NestedEmbeddings) -> None:
    with pytest.raises(UnknownIdError, match=r"user id 'eve' is unknown .* 4 users, such as 'ann'; .*unknown=\"skip\""):
        model.recommend(["ann", "eve"])
    with pytest.raises(UnknownIdError, match=r"item ids 'q0', .*'q4' and 2 more are unknown"):
        model.similar_items([f"q{number}" for number in range(7)])
    for call in (
        lambda: model.recommend("ann", allow=["salt"]),
        lambda: model.recommend("ann", deny="salt"),
        lambda: model.score("ann", "salt"),
    ):
        with pytest.raises(UnknownIdError, match="item id 'salt'"):
            call()


def test_unknown_ids_are_skipped_and_reported_on_request(model: NestedEmbeddings) -> None:
    ranking = model.recommend(["eve", "ann", 5], k=1, allow=["tea", "salt"], deny=["pepper"], unknown="skip")
    assert ranking.ids.tolist() == [["tea"]]
    assert ranking.queries.tolist() == ["ann"]
    assert ranking.skipped.tolist() == ["eve", "5"]
    assert ranking.skipped_items.tolist() == ["salt", "pepper"]
    alone = model.recommend("eve", unknown="skip")
    assert (alone.ids.tolist(), alone.scores.tolist(), alone.skipped.tolist()) == ([], [], ["eve"])


@pytest.mark.parametrize("k", [0, -3, 2.5, "ten"])
def test_a_k_that_is_not_a_positive_whole_number_is_refused(model: NestedEmbeddings, k: Any) -> None:
    with pytest.raises(OptionError, match=f"k.*{k!r}"):
        model.recommend("ann", k=k)


def test_other_bad_options_are_refused(model: NestedEmbeddings) -> None:
    with pytest.raises(OptionError, match="width 3 was not trained; choose one of 1, 2"):
        model.at(3)
    with pytest.raises(OptionError, match="got 'drop'"):
        model.recommend("ann", unknown="drop")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="2 dimensions"):
        model.recommend([["ann"]])
    with pytest.raises(OptionError, match="threads must be at least 1, got 0"):
        model.recommend("ann", threads=0)


def test_numbers_as_ids_find_their_text_and_are_filled_with_minus_one() -> None:
    model = NestedEmbeddings.from_arrays([[1.0]], [[1.0], [2.0]], [1], users=["42"], items=[10, 20])
    assert model.recommend([42], k=3).ids.tolist() == [[20, 10, -1]]
    assert model.recommend("42", k=3).ids.tolist() == [20, 10]
    negative = NestedEmbeddings.from_arrays([[1.0]], [[1.0]], [1], items=[-1])
    assert negative.recommend([0], k=2).ids.tolist() == [[-1, np.iinfo(np.int64).min]]


def test_rows_given_in_any_order_keep_their_ids() -> None:
    model = NestedEmbeddings.from_arrays([[1.0]], [[5.0], [9.0]], [1], items=["zoe", "abe"])
    assert model.score(0, ["abe", "zoe"]).tolist() == [9.0, 5.0]
    with pytest.raises(DataError, match="got 2, 1 of them different"):
        NestedEmbeddings.from_arrays([[1.0]], [[5.0], [9.0]], [1], items=["abe", "abe"])


def test_parts_that_do_not_fit_are_refused(model: NestedEmbeddings) -> None:
    good = [model.user_embeddings, model.item_embeddings, model.widths, model.users, model.items, model.seen]

    def build(place: int, part: Any) -> None:
        NestedEmbeddings(*[*good[:place], part, *good[place + 1 :]])

    with pytest.raises(DataError, match=r"user_embeddings must be float32 \(4, 2\).* got float64"):
        build(0, USER_VECTORS.astype(np.float64))
    with pytest.raises(DataError, match=r"item_embeddings must be float32.*4 items.*\(3, 2\)"):
        build(1, ITEM_VECTORS[:3])
    with pytest.raises(DataError, match="embedding size 4"):
        build(2, Widths((2, 4)))
    with pytest.raises(DataError, match="NaN or infinite"):
        build(1, np.where(ITEM_VECTORS == 3, np.float32(np.nan), ITEM_VECTORS))
    other = Interactions(Vocabulary.from_ids(["x"]), model.items, np.zeros(2, np.int64), np.zeros(0, np.int32))
    with pytest.raises(DataError, match="seen interactions must be of the model's 4 users and 4 items, got 1"):
        build(5, other)
    with pytest.raises(DataError, match="at least one user"):
        NestedEmbeddings.from_arrays(np.zeros((0, 1)), [[1.0]], [1])
