"""Scores without vectors, ranked: equal to a plain reading, and to the same scores written as vectors."""

from __future__ import annotations

import doctest
from dataclasses import fields

import numpy as np
import pytest
from scipy.sparse import csr_array

from nestrec import item_similarities
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError, OptionError
from nestrec.evaluation import ItemSimilarities, WidthEvaluation, evaluate, full_ranking
from nestrec.widths import Widths
from tests.evaluation.plain import numbered, plain_list, plain_metrics, random_rows

pytestmark = pytest.mark.filterwarnings("ignore::nestrec.errors.DataWarning")  # held-out items may be seen ones

N_USERS, N_ITEMS = 60, 90


def world(seed: int = 0) -> tuple[ItemSimilarities, list[list[int]], list[list[int]]]:
    """Return a model of small whole numbers, hence of many equal scores, seen rows and held-out rows."""
    rng = np.random.default_rng(seed)
    seen, held = random_rows(rng, N_USERS, N_ITEMS, 0.15), random_rows(rng, N_USERS, N_ITEMS, 0.05)
    weights = rng.integers(-1, 3, size=(N_ITEMS, N_ITEMS)).astype(np.float32)
    return ItemSimilarities(weights, numbered(seen, N_ITEMS)), seen, held


@pytest.mark.parametrize("sparse", [False, True])
def test_figures_equal_a_plain_reading(sparse: bool) -> None:
    model, seen, held = world()
    if sparse:
        model = ItemSimilarities(csr_array(model.weights), model.seen)
    found = evaluate(model, numbered(held, N_ITEMS), cutoffs=(5, 20), bootstrap_samples=0, threads=2).at(1)
    scores = model.scores(np.arange(N_USERS))
    assert scores.shape == (N_USERS, N_ITEMS)
    assert scores.dtype == np.float32
    for k in (5, 20):
        users = [user for user in range(N_USERS) if held[user]]
        rows = [plain_metrics(plain_list(scores[user], seen[user]), held[user], k) for user in users]
        for label in rows[0]:
            assert found.means[label] == pytest.approx(np.mean([row[label] for row in rows]), abs=1e-6)


def test_equal_to_the_same_scores_as_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's vector is the row of seen items, an item's the column of weights: every figure, to the last bit."""
    model, _, held = world(1)
    test = numbered(held, N_ITEMS)
    rows, columns = model.seen.to_scipy().toarray(), np.ascontiguousarray(np.asarray(model.weights).T)
    vectors = NestedEmbeddings(rows, columns, Widths([N_ITEMS]), model.users, model.items, model.seen)
    expected = evaluate(vectors, test, cutoffs=(3, 10, 80), bootstrap_samples=50)
    monkeypatch.setattr(full_ranking, "_USERS_AT_ONCE", 25)
    monkeypatch.setattr(item_similarities, "_MOST_USERS", 7)
    for threads in (1, 3):
        found = evaluate(model, test, cutoffs=(3, 10, 80), bootstrap_samples=50, threads=threads)
        assert (found.n_items, found.unmatched) == (expected.n_items, expected.unmatched)
        for field in fields(WidthEvaluation):
            if field.name != "width":
                np.testing.assert_equal(
                    getattr(found.at(1), field.name), getattr(expected.at(N_ITEMS), field.name), field.name
                )


def test_seen_items_are_never_listed_and_short_lists_end_with_nothing() -> None:
    model, seen, _ = world(2)
    held = numbered([[0]] * N_USERS, N_ITEMS)
    evaluation = evaluate(model, held, cutoffs=(N_ITEMS,), bootstrap_samples=0)
    assert evaluation.unmatched.seen_interactions == sum(0 in row for row in seen)
    hits = evaluation.at(1).of_users(f"recall@{N_ITEMS}")
    assert hits.tolist() == [float(0 not in row) for row in seen]


def test_weights_that_do_not_fit_are_refused() -> None:
    model, _, _ = world()
    weights = np.asarray(model.weights)
    with pytest.raises(DataError, match=r"for 90 items, got float32 \(89, 90\)"):
        ItemSimilarities(weights[1:], model.seen)
    with pytest.raises(DataError, match="float64"):
        ItemSimilarities(weights.astype(np.float64), model.seen)
    weights[3, 4] = np.nan
    with pytest.raises(DataError, match="NaN or infinity"):
        ItemSimilarities(weights, model.seen)


def test_it_has_one_width() -> None:
    model, _, held = world()
    with pytest.raises(OptionError, match="width 8 was not trained; choose one of 1"):
        evaluate(model, numbered(held, N_ITEMS), widths=[8])


def test_the_example_runs() -> None:
    assert doctest.testmod(item_similarities).failed == 0
