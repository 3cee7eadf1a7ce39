"""Models with folded users and items: their rows, what counts as seen, and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec import Interactions, NestedEmbeddings
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import OptionError, UnknownIdError
from nestrec.retrieval.search_config import CoarseIndexOptions, SearchConfig
from tests.fold_in.test_fold_in import interactions, softmax, some_items

__all__ = ["interactions", "softmax"]  # fixtures


def vectors_of(model: NestedEmbeddings, side: str, ids: Any) -> Any:
    rows = getattr(model, f"{side}s").index_of(ids)
    return getattr(model, f"{side}_embeddings")[rows]


def seen_items(model: NestedEmbeddings, user: Any) -> list[Any]:
    row = int(model.users.index_of([user])[0])
    items: list[Any] = model.items.ids[model.seen.indices[slice(*model.seen.indptr[row : row + 2])]].tolist()
    return items


def test_users_are_added_with_their_vectors_and_histories(softmax: NestedEmbeddings) -> None:
    histories = {"ann": some_items(softmax, 5, 1), "zoe": some_items(softmax, 30, 60, 90), 7: []}
    model = softmax.with_users(histories)
    assert (model.n_users, softmax.n_users) == (303, 300)
    assert np.array_equal(vectors_of(model, "user", list(histories)), softmax.fold_in(histories).vectors)
    assert np.array_equal(vectors_of(model, "user", softmax.users.ids), softmax.user_embeddings)
    for user, items in histories.items():
        assert sorted(seen_items(model, user)) == sorted(items)
    some = softmax.users.ids[[0, 9, 299]].tolist()
    assert [seen_items(model, user) for user in some] == [seen_items(softmax, user) for user in some]
    assert model.seen.n_interactions == softmax.seen.n_interactions + 5
    recommended = model.recommend("zoe", k=5)
    assert recommended.ids.tolist() == softmax.recommend_for(histories["zoe"], k=5).ids.tolist()


def test_items_are_added_with_their_vectors_and_users(softmax: NestedEmbeddings) -> None:
    users = softmax.users.ids[[3, 200, 8]].tolist()
    model = softmax.with_items({"a new one": users, "other": users[:1]})
    folded = softmax.fold_in_items([users, users[:1]]).vectors
    assert np.array_equal(vectors_of(model, "item", ["a new one", "other"]), folded)
    assert np.array_equal(vectors_of(model, "item", softmax.items.ids), softmax.item_embeddings)
    as_known = [str(item) for item in seen_items(softmax, users[0])]
    assert sorted(map(str, seen_items(model, users[0]))) == sorted([*as_known, "a new one", "other"])
    assert "other" not in model.recommend(users[0], k=model.n_items).ids.tolist()
    assert "other" in model.recommend(users[1], k=model.n_items).ids.tolist()


def test_numbers_stay_numbers_beside_numbers_and_become_text_beside_text() -> None:
    model = NestedEmbeddings.from_arrays(np.eye(3), np.eye(3), [1, 3], users=[2, 10, 30])
    assert model.with_users({7: [0]}).users.ids.tolist() == [2, 7, 10, 30]
    mixed = model.with_users({"ann": [0]})
    assert mixed.users.ids.tolist() == ["10", "2", "30", "ann"]
    assert np.array_equal(vectors_of(mixed, "user", [2, 10, 30]), np.eye(3))


def test_the_manifest_counts_them_and_a_saved_model_keeps_them(softmax: NestedEmbeddings, tmp_path: Path) -> None:
    model = softmax.with_users({"ann": some_items(softmax, 1)}).with_users({"bob": some_items(softmax, 2)})
    model = model.with_items({"new": ["ann", "bob"]})
    assert model.manifest["folded_in"] == {"users": 2, "items": 1}
    model.save(tmp_path / "model")
    loaded = NestedEmbeddings.load(tmp_path / "model", verify=True)
    assert loaded.users == model.users
    assert np.array_equal(loaded.item_embeddings, model.item_embeddings)
    assert loaded.recommend("bob").ids.tolist() == model.recommend("bob").ids.tolist()


def test_a_search_config_stays_with_users_and_goes_with_items(softmax: NestedEmbeddings) -> None:
    options = CoarseIndexOptions(2)
    index = options.build(softmax.user_embeddings, softmax.item_embeddings, 16)
    planned = softmax.with_search_config(SearchConfig(16, options, shortlist=20, k=5), index)
    assert planned.with_users({"ann": some_items(softmax, 1)}).search_config == planned.search_config
    changed = planned.with_items({"new": softmax.users.ids[:2]})
    assert (changed.search_config, changed.coarse_index) == (None, None)


def test_other_input_is_an_error(softmax: NestedEmbeddings) -> None:
    known, items = softmax.users.ids[0], some_items(softmax, 1, 2)
    with pytest.raises(OptionError, match=r"got 1 known: [^…]*;"):
        softmax.with_users({known: items})
    with pytest.raises(OptionError, match="known"):
        softmax.with_items({items[0]: [known]})
    lists: list[Any] = [items, [items], None]
    for histories in lists:
        with pytest.raises(OptionError):
            softmax.with_users(histories)
    with pytest.raises(UnknownIdError):
        softmax.with_users({"ann": ["nobody-knows"]})
    skipped = softmax.with_users({"ann": [*items, "nobody-knows"]}, unknown="skip")
    assert sorted(seen_items(skipped, "ann")) == sorted(items)


def test_interactions_name_their_users(softmax: NestedEmbeddings) -> None:
    users = Vocabulary.from_ids(["ann", "bob"])
    indptr, indices = np.array([0, 1, 3]), np.array([4, 0, 9], dtype=np.int32)
    model = softmax.with_users(Interactions(users, softmax.items, indptr, indices))
    assert seen_items(model, "bob") == some_items(softmax, 0, 9)


def test_weights_stay_with_their_pairs(softmax: NestedEmbeddings) -> None:
    weights = np.linspace(1, 2, softmax.seen.n_interactions).astype(np.float32)
    weighted = replace(softmax, seen=replace(softmax.seen, weights=weights))
    grown = weighted.with_users({"a": some_items(softmax, 3, 8)}, {"a": [5.0, 7.0]})
    row = int(grown.users.index_of("a"))
    found, own = grown.seen.weights, slice(*grown.seen.indptr[row : row + 2])
    assert found is not None
    assert found[own].tolist() == [5.0, 7.0]
    assert np.array_equal(np.delete(found, np.arange(own.start, own.stop)), weights)


def test_an_item_table_has_no_values_for_new_items() -> None:
    model = NestedEmbeddings.from_arrays(np.eye(2), np.eye(2), [1, 2], users=["ann", "bob"], items=["jam", "tea"])
    described = model.with_item_table({"id": ["jam", "tea"], "title": ["Jam", "Tea"]})
    grown = described.with_items({"rye": ["ann"]})
    assert grown.item_table is not None
    assert grown.item_table.titles(["jam", "tea"]).tolist() == ["Jam", "Tea"]
    assert grown.recommend("bob", k=3).ids.tolist() == ["tea", "jam", "rye"]
