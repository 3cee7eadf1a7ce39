"""Charts: where points lie, which ticks and labels there are, that text is escaped."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestrec.report.chart import Chart, Line, Point, Scale, ticks_to


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
    scale = Scale.over([line((4, 0.1), (8, 0.2), (16, 0.3))])
    assert scale.x(8) - scale.x(4) == pytest.approx(scale.x(16) - scale.x(8))


def test_a_single_width_stands_in_the_middle() -> None:
    scale = Scale.over([line((16, 0.1))])
    wide = Scale.over([line((4, 0.1), (16, 0.1), (64, 0.1))])
    assert scale.x(16) == pytest.approx(wide.x(16))


def test_higher_values_stand_higher_and_0_on_the_ground() -> None:
    scale = Scale.over([line((4, 0.1), (8, 0.2))])
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
