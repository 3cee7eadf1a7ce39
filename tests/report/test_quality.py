"""Quality against width as rows."""

from __future__ import annotations

import pytest

from nestrec.report.quality import Estimate, WidthQuality, compute_share, find_narrowest, quality_table, read_qualities
from nestrec.report.training import validation_table

ROWS = tuple(WidthQuality(width, {"ndcg@20": Estimate(v, v - 0.01, v + 0.01)}) for width, v in ((4, 0.1), (8, 0.19), (16, 0.2)))  # fmt: skip # noqa: E501


def test_rows_come_from_the_evaluation_s_values() -> None:
    entries = [{"width": 4, "ndcg@20": 0.1, "novelty@20": None, "intervals": {"ndcg@20": [0.08, 0.13]}}]
    (row,) = read_qualities({"widths": entries})
    assert row.metrics == {"ndcg@20": Estimate(0.1, 0.08, 0.13)}
    assert str(row.metrics["ndcg@20"]) == "0.1000 ±0.0250"


def test_without_intervals_only_the_mean_is_shown() -> None:
    (row,) = read_qualities({"widths": [{"width": 4, "ndcg@20": 0.1}]})
    assert str(row.metrics["ndcg@20"]) == "0.1000"


def test_the_share_is_of_the_widest() -> None:
    assert compute_share(ROWS[1], ROWS[-1], "ndcg@20") == pytest.approx(0.95)
    assert find_narrowest(ROWS, 0.9, "ndcg@20") is ROWS[1]
    assert find_narrowest(ROWS, 0.99, "ndcg@20") is ROWS[-1]


def test_a_full_width_that_hits_nothing_has_no_share_to_keep() -> None:
    nothing = WidthQuality(8, {"ndcg@20": Estimate(0.0, 0.0, 0.0)})
    assert compute_share(nothing, nothing, "ndcg@20") == 0.0


def test_the_table_has_memory_and_share() -> None:
    table = quality_table(ROWS, ["ndcg@20"])
    assert table.headers == ("width", "per million items", "ndcg@20", "share of full ndcg@20")
    assert table.rows[0] == ("4", "16 MB", "0.1000 ±0.0100", "50.0%")


def test_training_without_validation_has_no_table() -> None:
    assert validation_table({"validation_metrics": None}) is None


def test_training_s_table_goes_by_the_metric_that_chose_the_epoch() -> None:
    metrics = {"4": {"recall@20": 0.1, "ndcg@20": 0.3}, "8": {"recall@20": 0.2, "ndcg@20": 0.4}}
    training = {"options": {"metric": "ndcg@20"}, "validation_metrics": {"epoch": 7, "metrics": metrics}}
    table = validation_table(training)
    assert table is not None
    assert table.headers[-1] == "share of full ndcg@20"
    assert [row[-1] for row in table.rows] == ["75.0%", "100.0%"]
    assert table.title == "On the validation part, epoch 7"
