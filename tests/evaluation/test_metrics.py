"""Metrics against hand calculation, a plain reading, and the ranx library."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from nestrec.evaluation.metric_registry import format_labels, load_accuracy_metrics
from nestrec.evaluation.metrics import Hits, map_at_k, mrr_at_k, ndcg_at_k, recall_at_k, user_values
from tests.evaluation.plain import csr, plain_metrics, random_rows

CUTOFFS = (1, 5, 20, 50)
METRICS = tuple(load_accuracy_metrics().values())
FUNCTIONS = [metric.function for metric in METRICS]


def hits_of(ranked: list[list[int]], relevant: list[list[int]]) -> Hits:
    indptr, indices = csr(relevant)
    return Hits.of(np.array(ranked, dtype=np.int32), indptr, indices, np.diff(indptr))


def random_lists(rng: np.random.Generator, n_users: int, n_items: int, k: int) -> list[list[int]]:
    """Lists without repeats, some of them cut short by -1."""
    lists = [rng.permutation(n_items)[:k].tolist() for _ in range(n_users)]
    return [row[: len(row) - row[0] % 9] + [-1] * (row[0] % 9) for row in lists]


def test_a_user_worked_out_by_hand() -> None:
    """Held out: items 1, 5, 9. The list 5, 2, 9, 7 hits at ranks 1 and 3."""
    hits = hits_of([[5, 2, 9, 7]], [[1, 5, 9]])
    assert recall_at_k(hits, 4) == pytest.approx([2 / 3])
    assert recall_at_k(hits, 2) == pytest.approx([1 / 3])
    assert mrr_at_k(hits, 4) == pytest.approx([1])
    assert map_at_k(hits, 4) == pytest.approx([(1 + 2 / 3) / 3])
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg_at_k(hits, 4) == pytest.approx([(1 + 1 / math.log2(4)) / ideal])
    assert ndcg_at_k(hits, 1) == pytest.approx([1])  # the ideal list is cut too


def test_equals_a_plain_reading() -> None:
    rng = np.random.default_rng(1)
    relevant = [row or [0] for row in random_rows(rng, 60, 90, 0.1)]
    ranked = random_lists(rng, 60, 90, 50)
    values = user_values(hits_of(ranked, relevant), FUNCTIONS, CUTOFFS)
    expected = [
        [value for k in CUTOFFS for value in plain_metrics(row, held, k).values()]
        for row, held in zip(ranked, relevant, strict=True)
    ]
    assert values.dtype == np.float32
    assert np.allclose(values, expected, atol=1e-6)


def test_labels_go_by_cutoff_then_metric() -> None:
    assert format_labels(METRICS, (10, 20))[:2] == ("recall@10", "ndcg@10")
    assert format_labels(METRICS, (10, 20))[6:] == tuple(plain_metrics([1], [1], 20))


@pytest.mark.filterwarnings("ignore")  # of ranx and what it imports
def test_equals_ranx(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    relevant = [row or [0] for row in random_rows(rng, 40, 80, 0.1)]
    ranked = random_lists(rng, 40, 80, 50)
    hits = hits_of(ranked, relevant)
    own = {f"{metric.name}@{k}": metric.function(hits, k) for metric in METRICS for k in CUTOFFS}
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)  # ranx would compile for a minute
    ranx = pytest.importorskip("ranx")
    judged = {f"u{user:02}": {str(item): 1 for item in row} for user, row in enumerate(relevant)}
    run = {
        f"u{user:02}": {str(item): 1000.0 - rank for rank, item in enumerate(row) if item >= 0}
        for user, row in enumerate(ranked)
    }
    found = ranx.evaluate(ranx.Qrels.from_dict(judged), ranx.Run.from_dict(run), list(own), return_mean=False)
    for label, values in own.items():
        assert np.allclose(values, found[label], atol=1e-6), label


def test_users_without_hits_score_zero_in_every_metric() -> None:
    values = user_values(hits_of([[1, 2], [-1, -1]], [[3], [0, 1]]), FUNCTIONS, (1, 2))
    assert values.shape == (2, 12)
    assert not values.any()
