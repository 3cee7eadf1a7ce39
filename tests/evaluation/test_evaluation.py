"""Results of an evaluation are shown short."""

from __future__ import annotations

import numpy as np

from nestrec.evaluation import WidthEvaluation


def test_a_width_is_shown_by_its_means() -> None:
    means = {"recall@5": 0.25, "ndcg@5": 0.12346}
    figures = WidthEvaluation(
        width=4,
        means=means,
        intervals={},
        known_means=means,
        known_intervals={},
        beyond_accuracy={},
        per_user=np.zeros((3, 2), dtype=np.float32),
    )
    assert repr(figures) == "<WidthEvaluation: width 4, recall@5 0.2500, ndcg@5 0.1235>"
