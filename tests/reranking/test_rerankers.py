"""Rerankers, against plain greedy searches over all candidates, and what their lists guarantee."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec import Interactions, NestedEmbeddings
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import OptionError
from nestrec.reranking import Calibrate, Categories, Diversify, Quota, Topics

N_USERS, N_ITEMS = 7, 90


@pytest.fixture(scope="module")
def model() -> NestedEmbeddings:
    rng = np.random.default_rng(0)
    users, items = Vocabulary(np.arange(N_USERS)), Vocabulary(np.arange(N_ITEMS))
    rows = [np.sort(rng.choice(N_ITEMS, size, replace=False)) for size in (3, 8, 0, 5, 20, 1, 2)]
    indptr = np.cumsum([0, *map(len, rows)])
    seen = Interactions(users, items, indptr, np.concatenate(rows).astype(np.int32))
    plain = NestedEmbeddings.from_arrays(rng.normal(size=(N_USERS, 8)), rng.normal(size=(N_ITEMS, 8)), [2, 4, 8])
    made = NestedEmbeddings(plain.user_embeddings, plain.item_embeddings, plain.widths, users, items, seen)
    genres = [["red"], ["blue", "green"], None, ["green"], ["red", "blue"]] * (N_ITEMS // 5)
    return made.with_item_table({"id": list(range(N_ITEMS)), "genre": ["|".join(one or []) for one in genres]})


def scaled_scores(model: NestedEmbeddings, user: int, n: int) -> tuple[list[int], dict[int, float]]:
    ids, scores = model.recommend(user, k=n)
    gains = (scores.astype(float) - scores[-1]) / (float(scores[0]) - float(scores[-1]))
    return ids.tolist(), dict(zip(ids.tolist(), gains.tolist(), strict=True))


def cosine(model: NestedEmbeddings, one: int, other: int, width: int) -> float:
    a, b = (model.item_embeddings[item, :width].astype(float) for item in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("width", [2, 8])
def test_diversify_is_maximal_marginal_relevance(model: NestedEmbeddings, width: int) -> None:
    found = model.recommend(range(N_USERS), k=6, rerank=Diversify(0.4, width, candidates=5))
    for user in range(N_USERS):
        left, gains = scaled_scores(model, user, 30)
        chosen: list[int] = []
        while len(chosen) < 6:
            nearest = {item: max([cosine(model, item, one, width) for one in chosen], default=0) for item in left}
            best = max(left, key=lambda item: 0.6 * gains[item] - 0.4 * nearest[item])
            chosen.append(best)
            left.remove(best)
        assert found.ids[user].tolist() == chosen


def test_calibrate_chooses_by_divergence_from_the_history(model: NestedEmbeddings) -> None:
    groups = Topics(5, width=4)
    shares = groups.shares(model._catalogue)
    found = model.recommend(range(N_USERS), k=6, rerank=Calibrate(0.6, groups, candidates=4))
    for user in range(N_USERS):
        left, gains = scaled_scores(model, user, 24)
        history = model.seen.indices[slice(*model.seen.indptr[user : user + 2])]
        target = shares[history].mean(axis=0) if len(history) else np.zeros(shares.shape[1])
        chosen: list[int] = []

        def value(item: int) -> float:
            mixed = 0.99 * shares[[*chosen, item]].mean(axis=0) + 0.01 * target  # noqa: B023
            some = target > 0  # noqa: B023
            divergence = (target[some] * np.log(target[some] / mixed[some])).sum()  # noqa: B023
            return float(0.4 * gains[item] - 0.6 * divergence)  # noqa: B023

        while len(chosen) < 6:
            best = max(left, key=value)
            chosen.append(best)
            left.remove(best)
        assert found.ids[user].tolist() == chosen


def test_a_quota_keeps_the_best_of_each_group(model: NestedEmbeddings) -> None:
    shares = Topics(6).shares(model._catalogue)
    found = model.recommend(range(N_USERS), k=8, rerank=Quota(2, Topics(6)))
    for user, row in enumerate(found.ids):
        kept: list[int] = []
        for item in model.recommend(user, k=80).ids.tolist():
            if len(kept) < 8 and shares[kept].sum(axis=0)[shares[item].argmax()] < 2:
                kept.append(item)
        assert [item for item in row.tolist() if item >= 0] == kept


def test_categories_are_the_values_of_a_column(model: NestedEmbeddings) -> None:
    shares = Categories("genre").shares(model._catalogue)  # in order: blue, green, red
    assert shares[:5].tolist() == [[0, 0, 1], [0.5, 0.5, 0], [0, 0, 0], [0, 1, 0], [0.5, 0, 0.5]]
    ids = model.recommend(1, k=10, rerank=Quota(1, Categories("genre"), candidates=9)).ids
    counted = (shares[ids] > 0).sum(axis=0)
    assert (counted <= 1).all()
    assert (shares[ids].sum(axis=1) == 0).sum() == len(ids) - (shares[ids].sum(axis=1) > 0).sum()


@pytest.mark.parametrize("rerank", [Diversify(0.0), Calibrate(0.0), Quota(N_ITEMS)])
def test_without_strength_the_list_is_that_of_the_scores(model: NestedEmbeddings, rerank: Any) -> None:
    plain = model.recommend(range(N_USERS), k=5)
    found = model.recommend(range(N_USERS), k=5, rerank=rerank)
    assert np.array_equal(found.ids, plain.ids)
    assert np.array_equal(found.scores, plain.scores)


@pytest.mark.parametrize("rerank", [Diversify(0.5), Calibrate(0.5), Quota(1)])
def test_filters_hold_and_lists_are_cut_where_items_run_out(model: NestedEmbeddings, rerank: Any) -> None:
    one = model.recommend(3, k=9, allow=[1, 2, 3, 4], deny=[4], exclude_seen=False, rerank=rerank)
    assert set(one.ids.tolist()) <= {1, 2, 3}
    many = model.recommend([3, 0], k=9, allow=[1, 2, 3, 4], exclude_seen=False, rerank=rerank)
    assert ((many.ids == -1) == (many.scores == -np.inf)).all()
    assert len(model.recommend(3, k=2, allow=[], rerank=rerank).ids) == 0
    assert len(model.recommend_for([5, 6], k=4, rerank=rerank).ids) == 4


def test_a_popularity_penalty_is_subtracted_from_every_score(model: NestedEmbeddings) -> None:
    counts = np.bincount(model.seen.indices, minlength=N_ITEMS)
    ids, scores = model.recommend(4, k=N_ITEMS, width=4, popularity_penalty=0.7)
    expected = model.score(4, ids, width=4) - 0.7 * np.log1p(counts[ids])
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    assert len(ids) == N_ITEMS - 20
    plain = model.recommend([1, 4], k=5, popularity_penalty=0)
    assert np.array_equal(plain.scores, model.recommend([1, 4], k=5).scores)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Diversify(-0.1),
        lambda: Diversify(1.5),
        lambda: Diversify("much"),  # type: ignore[arg-type]
        lambda: Diversify(candidates=0),
        lambda: Calibrate(2.0),
        lambda: Quota(0),
        lambda: Topics(0),
    ],
)
def test_values_out_of_range_are_errors(make: Any) -> None:
    with pytest.raises(OptionError):
        make()


def test_other_arguments_are_errors(model: NestedEmbeddings) -> None:
    rerankers: list[Any] = ["mmr", Diversify, 0.3, Diversify(width=3), Quota(1, Categories("colour"))]
    for rerank in rerankers:
        with pytest.raises(OptionError):
            model.recommend(1, rerank=rerank)
    with pytest.raises(OptionError):
        model.recommend(1, popularity_penalty=-1)
    plain = NestedEmbeddings.from_arrays(np.eye(2), np.eye(2), [2])
    with pytest.raises(OptionError, match="item table"):
        plain.recommend(0, rerank=Quota(1, Categories("genre")))
