"""The page of a comparison: complete, well formed, one file."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from nestrec.baselines import BASELINES
from nestrec.comparison.result import Comparison
from nestrec.report import comparison_charts as charts
from nestrec.report.comparison_charts import assign_looks, comparison_charts
from nestrec.report.comparison_page import comparison_page
from nestrec.report.comparison_view import ComparisonView
from tests.report.comparisons import MODELS, comparison, with_failure

ALL = comparison()


def drawn(html: str) -> list[ET.Element]:
    return [
        ET.fromstring(svg)
        for svg in re.findall(r"<svg.*?</svg>", html.replace(' xmlns="http://www.w3.org/2000/svg"', ""), re.DOTALL)
    ]


def test_the_conclusion_comes_before_any_picture_and_the_method_after() -> None:
    html = comparison_page(ComparisonView(ALL))
    assert html.index("ndcg@20: compared") < html.index("<svg") < html.index("<h2>Method</h2>")


def test_there_are_quality_by_width_and_by_seconds_for_both_metrics() -> None:
    titles = [svg.attrib["aria-label"] for svg in drawn(comparison_page(ComparisonView(ALL)))]
    assert [title.split(",")[0] for title in titles] == ["ndcg@20 by width", "ndcg@20", "recall@20 by width", "recall@20"]  # fmt: skip # noqa: E501


def test_every_model_is_named_in_every_picture() -> None:
    for svg in drawn(comparison_page(ComparisonView(ALL))):
        names = {(text.text or "").split()[0] for text in svg.findall("text") if "name" in text.attrib["class"]}
        assert names == set(MODELS)


def test_no_two_models_look_alike() -> None:
    assert len(set(assign_looks(ComparisonView(ALL)).values())) == len(MODELS)


def test_nothing_is_fetched_and_no_script_runs() -> None:
    html = comparison_page(ComparisonView(ALL)).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not any(word in html for word in ("http://", "https://", "src=", "@import", "url(", "<script"))


def test_what_came_from_files_is_escaped() -> None:
    assert "&lt;b&gt;" in comparison_page(ComparisonView(replace(ALL, skipped={"lightgcn": "needs <b>"})))


def test_a_page_can_be_written_again_from_its_json() -> None:
    assert comparison_page(ComparisonView(Comparison.from_dict(ALL.as_dict()))) == comparison_page(ComparisonView(ALL))


@pytest.mark.parametrize("found", [comparison("nestrec"), comparison("nestrec", "ease"), with_failure("nestrec"), with_failure("ease"), with_failure("ials", 4)])  # fmt: skip # noqa: E501
def test_a_page_is_made_of_few_models_and_of_failed_ones(found: Comparison) -> None:
    assert drawn(comparison_page(ComparisonView(Comparison.from_dict(found.as_dict()))))


def test_without_results_there_is_no_chart() -> None:
    found = with_failure("nestrec")
    found = replace(found, models=found.models[:1])
    assert list(comparison_charts(ComparisonView(found), "ndcg@20")) == []
    assert "<svg" not in comparison_page(ComparisonView(found))


def test_a_model_trained_for_each_width_shows_its_longest_single_fit() -> None:
    _, chart = comparison_charts(ComparisonView(ALL), "ndcg@20")
    of = {series.name: series for series in chart.series}
    assert of["nestrec"].starts_at is None
    assert of["nestrec-alone"].starts_at == pytest.approx(4.2)
    assert of["nestrec-alone"].points[0].x == pytest.approx(15.855)
    assert of["ease"].starts_at is None


def test_what_took_no_time_still_has_a_place() -> None:
    _, chart = comparison_charts(ComparisonView(ALL), "ndcg@20")
    assert all(math.isfinite(chart.x_scale.x(series.points[0].x)) for series in chart.series)
    xs = [chart.x_scale.x(seconds) for seconds in chart.x_ticks]
    assert all(a < b for a, b in itertools.pairwise(xs))


def test_the_key_names_only_kinds_that_are_drawn() -> None:
    html = comparison_page(ComparisonView(comparison("nestrec", "ease")))
    key = html.partition('<ul class="key">')[2].partition("</ul>")[0]
    assert re.sub("<[^>]*>", "|", key).strip("|").split("||||") == ["nestrec", "no widths"]
    assert "one fit per width" not in html.partition("<h2>")[0]


def test_no_two_models_of_a_kind_have_the_same_marker() -> None:
    kinds = Counter(BASELINES[name].kind for name in BASELINES if name != "nestrec")
    assert max(kinds.values()) <= len(charts._MARKERS)
