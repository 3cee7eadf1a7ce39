"""Accuracy by popularity: bands with a third of the interactions each, metrics over the test items of a band."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from nestrec import Run, Widths, evaluate
from nestrec.baselines import baseline
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.data.synthetic import SyntheticData
from nestrec.evaluation.full_ranking import rank_embeddings
from nestrec.evaluation.popularity_bands import BANDS, assign_bands, describe_bands
from tests.evaluation.plain import numbered

TRAIN, TEST = RandomSplit(0.2).split(
    SyntheticData(n_users=120, n_items=80, interactions_per_user=12).generate(seed=0).interactions
)


def test_the_most_popular_items_with_a_third_of_the_interactions_are_the_head() -> None:
    """Nine interactions: item 2 has four, items 0 and 1 two each, item 3 one."""
    train = numbered([[0, 2], [0, 2], [1, 2], [1, 2, 3]], 4)
    assert assign_bands(train).tolist() == [1, 2, 0, 2]


def test_bands_divide_the_items_and_the_training_interactions() -> None:
    bands = describe_bands(TRAIN, TEST)
    assert [band.name for band in bands] == list(BANDS)
    assert sum(band.items for band in bands) == TRAIN.n_items
    assert sum(band.train_interactions for band in bands) == TRAIN.n_interactions
    largest = int(np.bincount(TRAIN.indices).max())
    assert all(abs(band.train_interactions - TRAIN.n_interactions / 3) <= largest for band in bands)
    assert bands[0].items < bands[1].items < bands[2].items


def only(test: Interactions, kept: np.ndarray) -> Interactions:
    counts = np.concatenate([[0], np.cumsum(kept)])
    return Interactions(test.users, test.items, counts[test.indptr], test.indices[kept])


@pytest.mark.parametrize(("name", "widths"), [("puresvd", [2, 8]), ("ease", [4]), ("popularity", [4])])
def test_the_metrics_of_a_band_are_those_of_its_test_interactions_alone(name: str, widths: list[int]) -> None:
    pytest.importorskip("scipy")
    model = baseline(name).fit(TRAIN, Widths(widths), Run(threads=1))
    found = evaluate(model, TEST, (5, 20), metrics=("recall", "ndcg"), bootstrap_samples=0, by_popularity=True)
    assert found.bands == describe_bands(TRAIN, TEST)
    item_index = model.items.index_of(TEST.items.ids, unknown="mark")[TEST.indices]
    bands = assign_bands(model.seen)
    for band, of_band in enumerate(BANDS):
        alone = evaluate(
            model, only(TEST, (item_index >= 0) & (bands[item_index] == band)), (5, 20), bootstrap_samples=0
        )
        for at, by_band in zip(alone.widths, found.widths, strict=True):
            for label in ("recall@5", "ndcg@5", "recall@20", "ndcg@20"):
                assert by_band.bands[of_band][label] == pytest.approx(at.known_means[label], abs=1e-6)


def test_a_band_without_test_items_has_no_entry() -> None:
    train = numbered([[0, 2], [0, 2], [1, 2], [1, 2, 3]], 4)
    test = numbered([[3], [], [0], []], 4)
    model = baseline("popularity").fit(train, Widths([2]), Run(threads=1))
    found = evaluate(model, test, (1,), metrics=("recall",), bootstrap_samples=0, by_popularity=True)
    assert found.widths[0].bands == {"middle": {"recall@1": 1.0}, "tail": {"recall@1": 0.0}}


def test_bands_are_evaluated_on_request_alone() -> None:
    model = baseline("popularity").fit(TRAIN, Widths([2]), Run(threads=1))
    found = evaluate(model, TEST, 5, bootstrap_samples=0)
    assert found.bands == ()
    assert "bands" not in found.as_dict()
    assert "bands" not in found.as_dict()["widths"][0]
    asked = evaluate(model, TEST, 5, bootstrap_samples=0, by_popularity=True).as_dict()
    assert [band["name"] for band in asked["bands"]] == list(BANDS)
    assert list(asked["widths"][0]["bands"]) == list(BANDS)


def test_bands_take_no_second_ranking(monkeypatch: pytest.MonkeyPatch) -> None:
    module, calls = import_module("nestrec.evaluation.evaluate"), []

    def rank(*arguments: Any) -> Any:
        calls.append(arguments)
        return rank_embeddings(*arguments)

    monkeypatch.setattr(module, "rank_embeddings", rank)
    model = baseline("puresvd").fit(TRAIN, Widths([2, 8]), Run(threads=1))
    found = evaluate(model, TEST, 5, bootstrap_samples=0, by_popularity=True)
    assert len(calls) == 1
    assert found.at(8).means == evaluate(model, TEST, 5, bootstrap_samples=0).at(8).means
