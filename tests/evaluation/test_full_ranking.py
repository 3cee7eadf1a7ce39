"""The protocol on arrays against a plain reading and the published oracle, ties included."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from nestrec.errors import DataError
from nestrec.evaluation import full_ranking
from nestrec.evaluation.full_ranking import evaluate_arrays
from tests.evaluation.plain import csr, plain_list, plain_metrics, random_rows

WIDTHS = (2, 3, 8)


def test_means_equal_a_plain_reading_ties_included(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken nine users at a time too, some of whom have nothing held out."""
    rng = np.random.default_rng(0)
    users, items = (rng.integers(-1, 2, size=(n, 8)).astype(np.float32) for n in (40, 70))
    seen, held = random_rows(rng, 40, 70, 0.2), random_rows(rng, 40, 70, 0.03)
    metrics = ("recall", "ndcg", "precision", "hit_rate", "mrr", "map")
    arguments = (users, items, WIDTHS, *csr(seen), *csr(held))
    found = evaluate_arrays(*arguments, metrics=metrics, cutoffs=(5, 20), threads=2)
    for level, width in enumerate(WIDTHS):
        scores = users[:, :width] @ items[:, :width].T
        lists = [plain_list(scores[user], seen[user]) for user in range(40)]
        for k in (5, 20):
            rows = [plain_metrics(lists[user], held[user], k) for user in range(40) if held[user]]
            for label in rows[0]:
                assert found[level][label] == pytest.approx(np.mean([row[label] for row in rows]), abs=1e-6)
    monkeypatch.setattr(full_ranking, "_USERS_AT_ONCE", 9)
    in_parts = evaluate_arrays(*arguments, metrics=metrics, cutoffs=(5, 20))
    assert [level == pytest.approx(part) for level, part in zip(found, in_parts, strict=True)] == [True] * 3


def test_nothing_held_out_is_refused() -> None:
    nothing = csr([[], []])
    with pytest.raises(DataError, match="no held-out interactions"):
        evaluate_arrays(np.ones((2, 8), np.float32), np.ones((3, 8), np.float32), WIDTHS, *nothing, *nothing)


def test_equals_the_oracle_beside_the_data(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MovieLens 100K with whole-number vectors: exact scores, hence many ties, and every figure to 1e-6."""
    peers = shared_data.parent / "peers"
    if not (peers / "ranking.py").is_file():
        pytest.skip("the oracle is not beside this checkout (../shared/peers)")
    monkeypatch.syspath_prepend(str(peers))
    oracle = import_module("ranking")
    monkeypatch.delitem(sys.modules, "ranking")
    train, test = oracle.load(shared_data / "ml100k")
    for matrix in (train, test):
        matrix.sort_indices()
    rng = np.random.default_rng(0)
    users, items = (rng.integers(-3, 4, size=(n, 8)).astype(np.float32) for n in train.shape)
    ranked = evaluate_arrays(
        users,
        items,
        WIDTHS,
        train.indptr.astype(np.int64),
        train.indices.astype(np.int32),
        test.indptr.astype(np.int64),
        test.indices.astype(np.int32),
        cutoffs=(10, 20, 50),
    )
    for width, found in zip(WIDTHS, ranked, strict=True):
        expected = oracle.evaluate(lambda block, d=width: users[block, :d] @ items[:, :d].T, train, test)
        assert found == pytest.approx(expected, abs=1e-6)
