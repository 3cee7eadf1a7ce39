"""Search configs as a table and as a chart."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest

from nestrec.report.frontier import frontier_chart, search_configs_table
from nestrec.report.label_layout import Box, text_width
from nestrec.retrieval.funnel import Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.search_config import CoarseIndexOptions, Measurements, SearchConfig


def measured(plan: SearchConfig, recall: float, p50_ms: float) -> SearchConfig:
    return plan.with_measurements(10, Measurements(recall, p50_ms, 2 * p50_ms, 12_345.6, 28.25, 0.98765, 2))


SCAN = measured(SearchConfig(64), 1.0, 9.0)
SHORT = measured(SearchConfig(64, CoarseIndexOptions(8, Storage.INT8), 125), 0.91234, 0.5)
STAGED = measured(SearchConfig(64, CoarseIndexOptions(8, Storage.INT8, rotate=True), 800, (Stage(16, 30),)), 0.99, 0.8)
PROVEN = measured(SearchConfig(64, CoarseIndexOptions(64)), 1.0, 1.5)
PLANS = (SCAN, SHORT, STAGED, PROVEN)


def test_a_row_shows_what_was_measured_and_which_was_chosen() -> None:
    table = search_configs_table(PLANS, PROVEN, "title")
    assert table.rows[1] == ("int8 8, shortlist 125, 64", "0.9123", "0.5", "1", "12,346", "28.2", "98.77%", "")
    assert [row[-1] for row in table.rows] == ["", "", "", "chosen"]


def test_a_plan_that_was_not_measured_has_no_row() -> None:
    assert search_configs_table((SearchConfig(64), SCAN), SCAN, "title").rows[0][0] == "full scan, 64"
    assert len(search_configs_table((SearchConfig(64), SCAN), SCAN, "title").rows) == 1


@pytest.mark.parametrize("chosen", PLANS, ids=lambda config: config.name)
def test_the_chosen_config_is_ringed(chosen: SearchConfig) -> None:
    chart = frontier_chart("a model", PLANS, chosen, 0.99)
    assert chosen.measurements is not None
    assert chart.ring is not None
    assert (chart.ring.x, chart.ring.y) == (chosen.measurements.p50_ms, chosen.measurements.recall)
    ET.fromstring(chart.svg())


def drawn(*configs: SearchConfig, chosen: SearchConfig) -> set[str]:
    chart = frontier_chart("a model", configs, chosen, 0.99)
    return {point.tip.partition(":")[0] for series in chart.series for point in series.points}


def test_the_storage_that_is_drawn_is_the_chosen_one() -> None:
    """The first storage was always drawn, and the ring of the chosen one was around nothing."""
    halves = measured(SearchConfig(64, CoarseIndexOptions(64, Storage.BF16)), 1.0, 1.2)
    assert drawn(*PLANS, halves, chosen=halves) == {SCAN.name, halves.name}


def test_names_of_configs_with_equal_recall_do_not_overlap() -> None:
    """Certified configs all have recall 1, so their names were in one place and could not be read."""
    times = {8: 1.0, 16: 1.02, 32: 1.04, 64: 1.3}
    certified = [measured(SearchConfig(64, CoarseIndexOptions(width)), 1.0, ms) for width, ms in times.items()]
    root = ET.fromstring(frontier_chart("a model", (SCAN, *certified), certified[0], 0.99).svg())
    names = [text for text in root.iter("{http://www.w3.org/2000/svg}text") if "name" in text.attrib["class"]]
    boxes = []
    for name in names:
        x, y, half = float(name.attrib["x"]), float(name.attrib["y"]), text_width(name.text or "") / 2
        boxes.append(Box(x - half, y - 12, x + half, y))
    assert len(boxes) == 5
    assert all(a.overlap(b) == 0 for a, b in itertools.combinations(boxes, 2))


def test_a_certified_config_that_takes_most_of_a_scan_is_not_drawn() -> None:
    slow = measured(SearchConfig(64, CoarseIndexOptions(4)), 1.0, 8.0)
    assert drawn(*PLANS, slow, chosen=PROVEN) == {SCAN.name, SHORT.name, PROVEN.name}
