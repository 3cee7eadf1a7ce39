"""The page of a comparison: complete, well formed, one file."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from nestrec.comparison.result import Comparison
from nestrec.report.comparison_page import comparison_page
from nestrec.report.comparison_pictures import looks_of, seconds_chart, width_chart
from tests.report.comparisons import MODELS, comparison, with_failure

ALL = comparison()


def drawn(html: str) -> list[ET.Element]:
    return [ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def test_the_conclusion_comes_before_any_picture_and_the_method_after() -> None:
    html = comparison_page(ALL)
    assert html.index("In ndcg@20") < html.index("<svg") < html.index("How it was measured")


def test_there_are_quality_by_width_and_by_seconds_for_both_metrics() -> None:
    titles = [svg.attrib["aria-label"] for svg in drawn(comparison_page(ALL))]
    assert [title.split(",")[0] for title in titles] == ["ndcg@20 by width", "ndcg@20", "recall@20 by width", "recall@20"]  # fmt: skip # noqa: E501


def test_every_model_is_named_in_every_picture() -> None:
    for svg in drawn(comparison_page(ALL)):
        names = {(text.text or "").split()[0] for text in svg.findall("text") if "name" in text.attrib["class"]}
        assert names == set(MODELS)


def test_no_two_models_look_alike() -> None:
    assert len(set(looks_of(ALL).values())) == len(MODELS)


def test_nothing_is_fetched_and_no_script_runs() -> None:
    html = comparison_page(ALL)
    assert not any(word in html for word in ("http://", "https://", "src=", "@import", "url(", "<script"))


def test_what_came_from_files_is_escaped() -> None:
    assert "&lt;b&gt;" in comparison_page(replace(ALL, skipped={"lightgcn": "needs <b>"}))


def test_a_page_can_be_written_again_from_its_json() -> None:
    assert comparison_page(Comparison.from_dict(ALL.as_dict())) == comparison_page(ALL)


@pytest.mark.parametrize("found", [comparison("nestrec"), comparison("nestrec", "ease"), with_failure("nestrec"), with_failure("ease"), with_failure("ials", 4)])  # fmt: skip # noqa: E501
def test_a_page_is_made_of_few_models_and_of_failed_ones(found: Comparison) -> None:
    assert drawn(comparison_page(Comparison.from_dict(found.as_dict())))


def test_where_no_model_has_figures_there_is_no_picture() -> None:
    found = with_failure("nestrec")
    found = replace(found, models=found.models[:1])
    assert width_chart(found, "ndcg@20") is None
    assert seconds_chart(found, "ndcg@20") is None
    assert "<svg" not in comparison_page(found)


def test_a_model_trained_for_each_width_shows_its_longest_single_fit() -> None:
    chart = seconds_chart(ALL, "ndcg@20")
    assert chart is not None
    of = {spot.name: spot for spot in chart.spots}
    assert of["nestrec"].one_fit is None
    assert of["nestrec-alone"].one_fit == pytest.approx(4.2)
    assert of["nestrec-alone"].seconds == pytest.approx(15.855)
    assert of["ease"].one_fit is None


def test_what_took_no_time_still_has_a_place() -> None:
    chart = seconds_chart(ALL, "ndcg@20")
    assert chart is not None
    assert all(math.isfinite(chart.scale.x(spot.place)) for spot in chart.spots)
    xs = [chart.scale.x(seconds) for seconds in chart.scale.seconds]
    assert all(a < b for a, b in itertools.pairwise(xs))
