"""Allow- and deny-lists, of all queries and of single ones, against a plain oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec import NestedEmbeddings, Vocabulary
from nestrec.data.interactions import Interactions
from nestrec.data.reading import read_interactions
from nestrec.errors import OptionError, UnknownIdError
from nestrec.retrieval.id_lookup import Unknown, look_up
from nestrec.retrieval.item_filters import Asked, ItemFilters, look_up_filters
from nestrec.retrieval.request import validate_request

USERS, ITEMS = Vocabulary.from_ids(["ann", "bob", "eve"]), Vocabulary.from_ids([10, 20, 30, 40])
N_USERS, N_ITEMS, SIZE = 7, 60, 8


def filters_of(users: Any, allow: Any, deny: Any = None, unknown: Unknown = "raise") -> ItemFilters:
    return look_up_filters(ITEMS, Asked(look_up(USERS, users, "user", unknown), "user", USERS), allow, deny, unknown)


def lists_of(users: Any, allow: Any, unknown: Unknown = "raise") -> list[list[int]]:
    lists = filters_of(users, allow, unknown=unknown).allow_lists
    assert lists is not None
    return [lists.indices[first:last].tolist() for first, last in zip(lists.indptr, lists.indptr[1:], strict=False)]


def test_what_both_lists_leave_ascends_without_repeats_and_without_denied_items() -> None:
    def candidates(allow: list[int] | None, deny: list[int] | None) -> list[int] | None:
        filters = filters_of("ann", allow, deny)
        request = validate_request([[1.0]], 1, None, filters.allow, filters.deny, n_items=4, width=1)
        return None if request.candidates is None else request.candidates.tolist()

    assert candidates([40, 30, 10, 30], [20, 10]) == [2, 3]
    assert candidates(None, [20, 10]) == [2, 3]
    assert candidates(None, None) is None


def test_unknown_ids_of_both_lists_are_joined() -> None:
    assert filters_of("ann", [10, 7], [8], "skip").skipped.tolist() == [7, 8]
    assert filters_of("ann", None, None, "skip").skipped.tolist() == []


@pytest.mark.parametrize(
    "allow",
    [
        [[40, 10], [], [20]],
        [np.array([40, 10]), (), {20}],
        {"eve": 20, "ann": ["40", "10"]},
        read_interactions({"user": ["ann", "ann", "eve", "zoe"], "item": [40, 10, 20, 30]}),
    ],
    ids=["lists", "containers", "dictionary", "interactions"],
)
def test_each_query_has_its_own_list_and_one_without_an_entry_an_empty_one(allow: Any) -> None:
    assert [sorted(row) for row in lists_of(["ann", "bob", "eve"], allow)] == [[0, 3], [], [1]]


def test_lists_by_position_are_those_of_all_ids_given_also_where_some_are_skipped() -> None:
    assert lists_of(["ann", "nobody", "eve"], [[10], [20], [30, 99]], "skip") == [[0], [2]]


def test_lists_by_id_serve_a_query_that_is_asked_for_twice() -> None:
    assert lists_of(["eve", "ann", "eve"], {"eve": [10], "bob": [20]}) == [[0], [], [0]]


def test_mistakes_name_the_argument_and_the_remedy() -> None:
    with pytest.raises(OptionError, match=r"allow must hold one list for each of 2 user ids, got 1.*dictionary"):
        filters_of(["ann", "bob"], [[10]])
    with pytest.raises(UnknownIdError, match="user id 'anna' is unknown"):
        filters_of(["ann"], {"anna": [10]})
    with pytest.raises(UnknownIdError, match="item id 11 is unknown"):
        filters_of(["ann"], {"ann": [10, 11]})
    with pytest.raises(UnknownIdError, match="item id 11 is unknown"):
        filters_of(["ann"], read_interactions({"user": ["ann", "bob"], "item": [10, 11]}))


@pytest.fixture(scope="module")
def model() -> NestedEmbeddings:
    rng = np.random.default_rng(0)
    users, items = (rng.integers(-3, 4, size=(n, SIZE)).astype(np.float32) for n in (N_USERS, N_ITEMS))
    made = NestedEmbeddings.from_arrays(users, items, widths=[2, SIZE])
    rows = np.sort(rng.permuted(np.tile(np.arange(N_ITEMS), (N_USERS, 1)), axis=1)[:, :9], axis=1)
    indptr = np.arange(0, rows.size + 1, 9, dtype=np.int64)
    seen = Interactions(made.users, made.items, indptr, rows.ravel().astype(np.int32))
    return NestedEmbeddings(made.user_embeddings, made.item_embeddings, made.widths, made.users, made.items, seen)


def random_lists(seed: int) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.choice(N_ITEMS, size, replace=False).tolist() for size in (0, 1, 5, 17, 33, 59, 60)]


def best_of(scores: Any, left: set[int], k: int) -> list[int]:
    return sorted(left, key=lambda item: (-scores[item], item))[:k]


@pytest.mark.parametrize("width", [2, SIZE])
@pytest.mark.parametrize("common", [None, list(range(0, N_ITEMS, 2))])
def test_recommendations_equal_a_sort_of_what_each_user_may_get(
    model: NestedEmbeddings, width: int, common: list[int] | None
) -> None:
    own, gone = random_lists(1), random_lists(2)
    given: list[dict[str, Any]] = [
        {"allow": own, "deny": gone},
        {"allow": common, "deny": gone},
        {"allow": own, "deny": common},
    ]
    for filters in given:
        ranking = model.recommend(model.users.ids, 6, width, **filters)
        for user, ids, _ in ranking.rows():
            row = model.seen.indices[model.seen.indptr[user] : model.seen.indptr[user + 1]]
            left = set(range(N_ITEMS)) - set(row.tolist())
            for name, keep in (("allow", set.intersection), ("deny", set.difference)):
                choice: Any = filters[name]
                if choice is not None:
                    own_choice: Any = choice if choice is common else choice[user]
                    left = keep(left, set(own_choice))
            scores = model.item_embeddings[:, :width] @ model.user_embeddings[user, :width]
            assert ids.tolist() == best_of(scores, left, 6)


@pytest.mark.parametrize("own_allow", [True, False])
@pytest.mark.parametrize("own_deny", [True, False])
def test_neighbours_equal_a_sort_of_what_each_item_may_get(
    model: NestedEmbeddings, own_allow: bool, own_deny: bool
) -> None:
    items = [3, 0, 59, 12, 30, 7, 44]
    allow: Any = random_lists(3) if own_allow else random_lists(3)[5]
    deny: Any = dict(zip(items, random_lists(4), strict=True)) if own_deny else random_lists(4)[2]
    plain = model.similar_items(items, N_ITEMS)
    cosines = {item: dict(zip(ids.tolist(), scores, strict=True)) for item, ids, scores in plain.rows()}
    ranking = model.similar_items(items, 5, allow=allow, deny=deny)
    for place, (item, ids, scores) in enumerate(ranking.rows()):
        left = set(allow[place] if own_allow else allow) - set(deny[item] if own_deny else deny) - {item}
        assert ids.tolist() == best_of(cosines[item], left, 5)
        assert scores.tolist() == [cosines[item][one] for one in ids.tolist()]


def test_a_single_query_takes_a_list_of_its_own(model: NestedEmbeddings) -> None:
    assert set(model.recommend(3, 60, allow={3: [1, 2, 3], 4: [9]}, exclude_seen=False).ids.tolist()) == {1, 2, 3}
    assert set(model.recommend(3, 60, allow=[[1, 2]], exclude_seen=False).ids.tolist()) == {1, 2}
    assert model.recommend(3, allow={4: [9]}).ids.tolist() == []


def test_new_users_have_lists_by_the_names_of_their_histories(model: NestedEmbeddings) -> None:
    new = {"new": [1, 2, 3], "other": [4, 5]}
    ranking = model.recommend_for(new, 60, allow={"other": [9, 4], "new": [7], "third": [1]}, deny={"new": [1]})
    assert {query: set(ids.tolist()) for query, ids, _ in ranking.rows()} == {"new": {7}, "other": {9}}
