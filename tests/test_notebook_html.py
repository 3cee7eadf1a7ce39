"""Results in a notebook: escaped, in the notebook's own colours, with what matters by width; and text for consoles."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import nestrec
from nestrec import NestedEmbeddings, SyntheticData, Trainer
from nestrec.comparison.result import Comparison
from tests.report.comparisons import WIDTHS, comparison, with_failure

HOSTILE = "<script>alert('x')</script> & \"quotes\""


@pytest.fixture(scope="module")
def model() -> NestedEmbeddings:
    return NestedEmbeddings.from_arrays(
        [[1.0, 0.0]], [[3.0, 0.0], [2.0, 1.0]], widths=[1, 2], users=["ann"], items=[HOSTILE, "tea"]
    )


@pytest.fixture(scope="module")
def trained() -> NestedEmbeddings:
    data = SyntheticData(n_users=80, n_items=60, interactions_per_user=12).generate(seed=1).interactions
    return Trainer(widths=(2, 4), epochs=3).fit(data)


def cells(html: str) -> list[list[str]]:
    """Return the texts of the table's rows; raises where the HTML is not well formed."""
    root = ET.fromstring(html)
    return [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]


def html_of(value: object) -> str:
    html: str = value._repr_html_()  # type: ignore[attr-defined]
    assert "<script" not in html
    assert not re.search(r"(?<!-)\bcolor:|background", html), "the notebook's own colours, light or dark"
    return html


def test_a_ranking_shows_its_answers_escaped(model: NestedEmbeddings) -> None:
    found = model.recommend(["ann"], k=2)
    assert cells(html_of(found)) == [
        ["query", "id", "rank", "score"],
        ["ann", HOSTILE, "1", "3.0000"],
        ["ann", "tea", "2", "2.0000"],
    ]
    assert repr(found) == "<Ranking: 1 query, at most 2 answers each>"


def test_a_long_table_is_cut_and_says_so(model: NestedEmbeddings) -> None:
    many = NestedEmbeddings.from_arrays(np.ones((1, 16)), np.ones((500, 16)), widths=[16])
    html = html_of(many.recommend([0], k=50))
    assert len(cells(html)) == 21
    assert "30 more rows" in html
    rows = cells(html_of(many.item_vectors()))
    assert rows[1] == ["0", "1, 1, 1, 1, 1, 1, …"]


def test_a_model_shows_its_widths_and_what_it_was_trained_on(trained: NestedEmbeddings) -> None:
    html = html_of(trained)
    rows = cells(html)
    assert [row[0] for row in rows] == ["width", "2", "4"]
    chosen = trained.manifest["training"]["validation_metrics"]["metrics"]
    label = rows[0].index("ndcg@20 (validation)")
    assert [row[label] for row in rows[1:]] == [f"{chosen[width]['ndcg@20']:.4f}" for width in ("2", "4")]
    assert f"{trained.seen.n_interactions:,} training interactions" in html


def test_a_model_without_a_manifest_shows_its_widths(model: NestedEmbeddings) -> None:
    assert cells(html_of(model)) == [["width", "bytes per vector"], ["1", "4"], ["2", "8"]]


def test_an_evaluation_shows_means_with_their_intervals(trained: NestedEmbeddings) -> None:
    held_out = SyntheticData(n_users=80, n_items=60, interactions_per_user=6).generate(seed=5).interactions
    with pytest.warns(nestrec.errors.DataWarning):
        found = nestrec.evaluate(trained, held_out, cutoffs=[5, 10], bootstrap_samples=50)
    rows = cells(html_of(found))
    assert [row[0] for row in rows] == ["width", "2", "4"]
    low, high = found.at(4).intervals["recall@10"]
    recall = rows[0].index("recall@10")
    assert rows[2][recall] == f"{found.at(4).means['recall@10']:.4f} ±{(high - low) / 2:.4f}"


def test_a_comparison_marks_significant_differences_and_failures() -> None:
    rows = cells(html_of(comparison("nestrec", "ease", "popularity")))
    assert rows[0] == ["model", *(f"width {width}" for width in WIDTHS)]
    assert [row[0] for row in rows[1:]] == ["nestrec", "ease", "popularity"]
    assert rows[3][1].endswith("*")
    assert not rows[1][1].endswith("*")
    failing = {row[0]: row for row in cells(html_of(with_failure("ials", 4)))}
    assert failing["ials"][1:3] != ["failed", "failed"]
    assert "failed" in failing["ials"]


def test_a_comparison_without_metrics_is_shown() -> None:
    found: Comparison = with_failure("nestrec")
    assert cells(html_of(replace(found, models=found.models[:1])))[1][1:] == ["failed"] * len(WIDTHS)
