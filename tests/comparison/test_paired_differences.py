"""Differences to nestrec: their sign, and Holm's correction within a metric."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.comparison.paired_differences import Pair, compute_differences, correct_holm


def test_holm_by_hand() -> None:
    """Ascending, 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1: the last may not be below the one before."""
    assert correct_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_ends_at_one_and_leaves_a_single_value() -> None:
    assert correct_holm([0.9, 0.8]) == [1.0, 1.0]
    assert correct_holm([0.02]) == [0.02]
    assert correct_holm([]) == []


def test_a_difference_is_above_zero_where_nestrec_is_better() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(400)
    pairs = [Pair("worse", 4, base, base - rng.normal(0.05, 0.02, 400)), Pair("same", 4, base, base)]
    found = compute_differences({"ndcg@20": pairs}, samples=2000)
    (worse,), (same,) = found["worse"], found["same"]
    assert worse.low < 0.05 < worse.high
    assert worse.low > 0
    assert worse.corrected_p_value == pytest.approx(2 * worse.p_value)
    assert (same.mean, same.p_value, same.corrected_p_value) == (0.0, 1.0, 1.0)


def test_each_metric_is_corrected_by_itself() -> None:
    rng = np.random.default_rng(1)
    pair = Pair("other", 4, rng.normal(0.1, 1, 100), np.zeros(100))
    alone = compute_differences({"ndcg@20": [pair]}, samples=500)["other"][0]
    both = compute_differences({"ndcg@20": [pair], "recall@20": [pair] * 5}, samples=500)["other"]
    assert both[0].corrected_p_value == alone.corrected_p_value == alone.p_value
    assert both[1].corrected_p_value == pytest.approx(min(1.0, 5 * alone.p_value))


def test_false_differences_are_rare_over_a_whole_comparison() -> None:
    """Where nothing differs, at most about 5% of comparisons of ten models name any difference."""
    rng = np.random.default_rng(2)
    named = 0
    for _ in range(100):
        pairs = [Pair(f"m{n}", 4, rng.normal(size=60), np.zeros(60)) for n in range(10)]
        found = compute_differences({"ndcg@20": pairs}, samples=1000)
        named += any(one.corrected_p_value < 0.05 for differences in found.values() for one in differences)
    assert named <= 13
