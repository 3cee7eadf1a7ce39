"""Plans as a table and as a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestrec.report import frontier
from nestrec.report.frontier import plans_table, write_frontier
from nestrec.retrieval.funnel import Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.search_config import CoarseIndexOptions, Measurements, SearchConfig

PNG = b"\x89PNG"


def measured(plan: SearchConfig, recall: float, p50_ms: float) -> SearchConfig:
    return plan.with_measurements(10, Measurements(recall, p50_ms, 2 * p50_ms, 12_345.6, 28.25, 0.98765, 2))


SCAN = measured(SearchConfig(64), 1.0, 9.0)
SHORT = measured(SearchConfig(64, CoarseIndexOptions(8, Storage.INT8), 125), 0.91234, 0.5)
STAGED = measured(SearchConfig(64, CoarseIndexOptions(8, Storage.INT8, rotate=True), 800, (Stage(16, 30),)), 0.99, 0.8)
PROVEN = measured(SearchConfig(64, CoarseIndexOptions(64)), 1.0, 1.5)
PLANS = (SCAN, SHORT, STAGED, PROVEN)


def test_a_row_tells_what_was_measured_and_which_was_chosen() -> None:
    table = plans_table(PLANS, PROVEN, "title")
    assert table.rows[1] == ("int8 8, shortlist 125, 64", "0.9123", "0.5", "1", "12,346", "28.2", "98.77%", "")
    assert [row[-1] for row in table.rows] == ["", "", "", "chosen"]


def test_a_plan_that_was_not_measured_has_no_row() -> None:
    assert plans_table((SearchConfig(64), SCAN), SCAN, "title").rows[0][0] == "full scan, 64"
    assert len(plans_table((SearchConfig(64), SCAN), SCAN, "title").rows) == 1


@pytest.mark.parametrize("chosen", PLANS, ids=lambda plan: plan.name)
def test_the_picture_is_a_png_whatever_was_chosen(tmp_path: Path, chosen: SearchConfig) -> None:
    write_frontier(tmp_path / "frontier.png", "a model", PLANS, chosen, 0.99)
    assert (tmp_path / "frontier.png").read_bytes().startswith(PNG)


def test_the_storage_that_is_drawn_is_the_chosen_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first storage was drawn whatever was chosen, and the ring stood around nothing."""
    drawn: list[SearchConfig] = []
    monkeypatch.setattr(frontier, "_draw_screen", lambda axes, options, own, names: drawn.extend(own))
    halves = measured(SearchConfig(64, CoarseIndexOptions(64, Storage.BF16)), 1.0, 1.2)
    write_frontier(tmp_path / "frontier.png", "a model", (*PLANS, halves), halves, 0.99)
    assert drawn == [halves]


def test_names_that_would_touch_are_written_one_over_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs all find everything, so their names stood in one place and could not be read."""
    lifts: dict[str, float] = {}
    monkeypatch.setattr(frontier, "_write", lambda axes, text, at, away, tone: lifts.update({text: away[1]}))
    names = frontier._Names(
        [(1.0, 1.0, "64", ""), (1.01, 1.0, "32+rows", ""), (1.02, 1.0, "32", ""), (9.0, 1.0, "8", "")]
    )
    assert names.write(None) == 3  # type: ignore[arg-type]
    assert lifts["64"] < lifts["32+rows"] < lifts["32"]
    assert lifts["8"] == lifts["64"]


def test_a_proof_that_takes_most_of_a_scan_is_not_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[SearchConfig] = []
    monkeypatch.setattr(frontier, "_draw_screen", lambda axes, options, own, names: drawn.extend(own))
    slow = measured(SearchConfig(64, CoarseIndexOptions(4)), 1.0, 8.0)
    write_frontier(tmp_path / "frontier.png", "a model", (*PLANS, slow), PROVEN, 0.99)
    assert drawn == [SHORT, STAGED, PROVEN]
