"""Rows of scores, ranked."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.kernels.search.score_rows import rank_rows
from nestrec.kernels.search.selection import NO_KEY, decode_items, decode_scores


@pytest.mark.parametrize("k", [1, 20, 300])
@pytest.mark.parametrize("n_items", [5, 700])
def test_equal_to_sorting(k: int, n_items: int) -> None:
    """Whole numbers, hence ties, which go by item index; rising scores fill the buffer again and again."""
    rng = np.random.default_rng(0)
    scores = rng.integers(-3, 4, size=(6, n_items)).astype(np.float32)
    scores[0] = np.arange(n_items)
    scores[1] = -0.0
    scores[1, ::2] = 0.0
    excluded = [np.flatnonzero(rng.random(n_items) < 0.2).astype(np.int32) for _ in scores]
    best = np.full((len(scores), k), NO_KEY, dtype=np.int64)
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in excluded])]).astype(np.int64)
    rank_rows(scores.copy(), indptr, np.concatenate(excluded), best)
    for row, items, found in zip(scores, excluded, best, strict=True):
        order = [item for item in np.argsort(-row, kind="stable") if item not in items][:k]
        assert decode_items(found).tolist() == order + [-1] * (k - len(order))
        assert decode_scores(found)[: len(order)].tolist() == row[order].tolist()


def test_scores_that_are_not_numbers_are_never_listed() -> None:
    scores = np.array([[np.nan, 1, -np.inf, -np.nan, -5]], dtype=np.float32)
    best = np.full((1, 4), NO_KEY, dtype=np.int64)
    rank_rows(scores, np.zeros(2, np.int64), np.zeros(0, np.int32), best)
    assert decode_items(best).tolist() == [[1, 4, -1, -1]]
