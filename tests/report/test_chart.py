"""Charts: where points lie, which ticks and labels there are, that text is escaped."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestrec.report.chart import Chart, Line, Point
from nestrec.report.scales import Scale, ticks_to


def line(*values: tuple[int, float], name: str = "recall@20") -> Line:
    return Line(name, tuple(Point(width, value, value - 0.01, value + 0.01) for width, value in values))


@given(st.floats(1e-6, 1e6))
def test_ticks_begin_at_0_and_reach_the_highest_value_with_few_steps(highest: float) -> None:
    ticks = ticks_to(highest)
    assert ticks[0] == 0
    assert ticks[-1] >= highest * (1 - 1e-6)
    assert 2 <= len(ticks) <= 7


def test_nothing_to_show_still_has_a_scale() -> None:
    assert ticks_to(0.0) == (0.0, 1.0)


def test_widths_stand_at_equal_distances_for_equal_ratios() -> None:
    scale = Scale.over([(4, 0.1), (8, 0.2), (16, 0.3)])
    assert scale.x(8) - scale.x(4) == pytest.approx(scale.x(16) - scale.x(8))


def test_a_single_width_stands_in_the_middle() -> None:
    scale = Scale.over([(16, 0.1)])
    wide = Scale.over([(4, 0.1), (16, 0.1), (64, 0.1)])
    assert scale.x(16) == pytest.approx(wide.x(16))


def test_higher_values_stand_higher_and_0_on_the_ground() -> None:
    scale = Scale.over([(4, 0.1), (8, 0.2)])
    assert scale.y(0.2) < scale.y(0.1) < scale.y(0.0)


def test_the_svg_is_well_formed_with_a_point_a_value_and_a_band_for_each_width() -> None:
    svg = Chart("recall@20 by width", "recall@20", (line((4, 0.1), (8, 0.2), (16, 0.25)),)).svg()
    root = ET.fromstring(svg)
    assert len(root.findall("circle")) == 3
    assert [text.text for text in root.findall("text[@class='value']")] == ["0.100", "0.200", "0.250"]
    band = root.find("polygon")
    assert band is not None
    assert len(band.attrib["points"].split()) == 6
    assert "width 8: 0.2000 (95%: 0.1900 to 0.2100)" in svg


def test_several_lines_have_a_legend_instead_of_values() -> None:
    svg = Chart("kept", "share", (line((4, 0.5), (8, 1.0)), line((4, 0.6), (8, 1.0), name="ndcg")), percent=True).svg()
    assert "value" not in svg
    assert ">ndcg<" in svg
    assert ">100%<" in svg


def test_labels_of_many_widths_do_not_touch() -> None:
    many = line(*((width, 0.1) for width in range(2, 60)))
    svg = Chart("t", "y", (many,)).svg()
    places = sorted(float(x) for x in re.findall(r'class="tick" x="([\d.]+)"', svg))
    assert 3 <= len(places) < 20
    assert min(b - a for a, b in itertools.pairwise(places)) >= 25


def test_text_is_escaped() -> None:
    svg = Chart("<b>", "a & b", (line((4, 0.1), name="<i>"), line((4, 0.1)))).svg()
    ET.fromstring(svg)
    assert "<b>" not in svg
    assert "&lt;i&gt;" in svg


def test_many_lines_are_named_beside_their_ends_and_no_name_covers_another() -> None:
    lines = tuple(line((4, 0.1), (8, 0.2 + place / 5000), name=f"model {place}") for place in range(12))
    root = ET.fromstring(Chart("t", "y", lines, named_at_end=True).svg())
    names = [text for text in root.findall("text") if "name" in text.attrib["class"]]
    assert {(text.text or "").rpartition(" ")[0] for text in names} == {each.name for each in lines}
    heights = sorted(float(text.attrib["y"]) for text in names)
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 14.9


def test_a_value_without_width_is_one_line_across() -> None:
    level = Line("ease", tuple(Point(width, 0.2, 0.2, 0.2) for width in (4, 8)), level=True, banded=False)
    root = ET.fromstring(Chart("t", "y", (line((4, 0.1), (8, 0.2)), level), named_at_end=True).svg())
    (across,) = (part for part in root.findall("line") if "level" in part.attrib["class"])
    assert across.attrib["y1"] == across.attrib["y2"]


def test_the_drawing_is_told_in_words_too() -> None:
    root = ET.fromstring(Chart("ndcg by width", "ndcg", (line((4, 0.1), (8, 0.2), name="ease"),)).svg())
    assert root.attrib["aria-label"] == "ndcg by width"
    assert root.findtext("desc") == "ndcg from width 4 to width 8: ease 0.100 to 0.200."
