"""Charts: scales that fit the data, series and labels that do not overlap, well-formed SVG."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestrec.report.chart import Chart, Labels, Marker, Point, Series, write_picture
from nestrec.report.scales import SMALL, LinearScale, LogScale, linear_ticks, log_ticks, visible_low

SVG = "{http://www.w3.org/2000/svg}"


def series(*values: tuple[int, float], name: str = "recall@20", tone: int = 0) -> Series:
    points = tuple(
        Point(width, value, value - 0.01, value + 0.01, f"width {width}: {value}") for width, value in values
    )
    return Series(name, points, tone)


def chart(*lines: Series, labels: Labels = Labels.VALUES, percent: bool = False) -> Chart:
    widths = tuple(sorted({point.x for line in lines for point in line.points}))
    return Chart("recall@20 by width", "width", "recall@20", lines, widths, labels, percent)


def parse(drawn: Chart) -> ET.Element:
    return ET.fromstring(drawn.svg())


def texts(root: ET.Element, css: str) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text") if css in text.attrib["class"].split()]


@given(st.floats(1e-6, 1e6), st.floats(0, 0.999))
def test_ticks_enclose_the_values_in_few_steps(high: float, share: float) -> None:
    ticks = linear_ticks(high * share, high)
    assert ticks[0] <= high * share * (1 + 1e-6)
    assert ticks[-1] >= high * (1 - 1e-6)
    assert 2 <= len(ticks) <= 8


def test_an_axis_starts_at_0_only_if_that_takes_little_room() -> None:
    assert linear_ticks(0.05, 0.37)[0] == 0
    assert linear_ticks(0.20, 0.24)[0] == 0.2


def test_nothing_to_show_still_has_a_scale() -> None:
    assert linear_ticks(0.0, 0.0) == (0.0, 1.0)


@given(st.floats(1e-4, 1e5), st.floats(1, 1e5))
def test_log_ticks_enclose_the_values(low: float, factor: float) -> None:
    ticks = log_ticks(low, low * factor)
    assert ticks[0] <= low * (1 + 1e-9)
    assert ticks[-1] >= low * factor * (1 - 1e-9)
    assert all(a < b for a, b in itertools.pairwise(ticks))


def test_an_outlier_below_is_clipped_and_a_line_never() -> None:
    assert visible_low([0.20, 0.24], [0.06, 0.19]) == 0.19
    assert visible_low([0.06, 0.24], [0.19]) == 0.06
    assert visible_low([], [0.1, 0.12, 0.14]) == 0.1


def test_equal_ratios_have_equal_distances() -> None:
    scale = LogScale(4, 16, SMALL)
    assert scale.x(8) - scale.x(4) == pytest.approx(scale.x(16) - scale.x(8))
    assert LogScale(16, 16, SMALL).x(16) == pytest.approx(scale.x(8))


def test_higher_values_are_higher() -> None:
    scale = LinearScale((0.1, 0.2, 0.3), SMALL)
    assert scale.y(0.3) == SMALL.top < scale.y(0.2) < scale.y(0.1) == SMALL.plot_bottom


def test_a_single_series_has_points_values_and_a_band() -> None:
    root = parse(chart(series((4, 0.1), (8, 0.2), (16, 0.25))))
    assert len(root.findall(f"{SVG}path")) == 3
    assert texts(root, "value") == ["0.100", "0.200", "0.250"]
    band = root.find(f"{SVG}polygon")
    assert band is not None
    assert len(band.attrib["points"].split()) == 6
    assert "width 8: 0.2" in ET.tostring(root, "unicode")


def test_an_axis_that_does_not_start_at_0_says_where() -> None:
    assert "recall@20 (axis from 0.20)" in texts(parse(chart(series((4, 0.22), (8, 0.28)))), "label")
    assert "recall@20" in texts(parse(chart(series((4, 0.02), (8, 0.28)))), "label")


def test_several_series_have_a_legend_instead_of_values() -> None:
    root = parse(chart(series((4, 0.5), (8, 1.0)), series((4, 0.6), (8, 1.0), name="ndcg"), percent=True))
    assert texts(root, "value") == []
    assert texts(root, "left") == ["recall@20", "ndcg"]
    assert "100%" in texts(root, "tick")


def test_labels_of_many_widths_do_not_touch() -> None:
    svg = chart(series(*((width, 0.1) for width in range(2, 60)))).svg()
    places = sorted(float(x) for x in re.findall(r'class="tick" x="([\d.]+)"', svg))
    assert 3 <= len(places) < 20
    assert min(b - a for a, b in itertools.pairwise(places)) >= 29


def test_text_is_escaped() -> None:
    svg = Chart("<b>", "x", "a & b", (series((4, 0.1), name="<i>"), series((4, 0.1))), (4,)).svg()
    ET.fromstring(svg)
    assert "<b>" not in svg
    assert "&lt;i&gt;" in svg


def test_many_series_are_named_at_their_ends_without_overlap() -> None:
    lines = tuple(series((4, 0.1), (8, 0.2 + at / 5000), name=f"model {at}") for at in range(12))
    root = parse(chart(*lines, labels=Labels.ENDS))
    names = [text for text in root.iter(f"{SVG}text") if "name" in text.attrib["class"]]
    assert {(text.text or "").rpartition(" ")[0] for text in names} == {each.name for each in lines}
    heights = sorted(float(text.attrib["y"]) for text in names)
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 15.9


def test_a_level_is_one_line_across_and_an_outlier_below_the_axis_has_an_arrow() -> None:
    level = Series("ease", (Point(4, 0.2), Point(8, 0.2)), line="dashed", level=True)
    far = Series("popularity", (Point(4, 0.01), Point(8, 0.01)), line="dashed", level=True)
    root = parse(chart(series((4, 0.19), (8, 0.22)), level, far, labels=Labels.ENDS))
    (across,) = (line for line in root.findall(f"{SVG}polyline") if "dashed" in line.attrib["class"])
    (x1, y1), (x2, y2) = (place.split(",") for place in across.attrib["points"].split())
    assert y1 == y2
    assert float(x2) - float(x1) == SMALL.plot_right - SMALL.left
    assert "popularity 0.010 ↓" in texts(root, "name")


def test_legends_have_only_what_is_drawn_and_each_entry_once() -> None:
    points = [Series("", (Point(at, at),), at % 2, Marker.SQUARE, legend="certified exact") for at in (1, 2, 3)]
    root = parse(chart(*points, labels=Labels.POINTS))
    assert texts(root, "left") == ["certified exact"]


def test_the_data_are_described_in_words_too() -> None:
    root = parse(chart(series((4, 0.1), (8, 0.2), name="ease")))
    assert root.attrib["aria-label"] == "recall@20 by width"
    assert root.findtext(f"{SVG}desc") == "recall@20 by width: ease 0.100 to 0.200."


def test_a_picture_is_one_svg_file_with_charts_below_each_other(tmp_path: Path) -> None:
    one = chart(series((4, 0.1), (8, 0.2)))
    write_picture(tmp_path / "quality.svg", [one, one])
    root = ET.parse(tmp_path / "quality.svg").getroot()
    assert [float(inner.attrib.get("y", 0)) for inner in root.findall(f"{SVG}svg")] == [0, one.height]
    assert float(root.attrib["height"]) == 2 * one.height
    assert "prefers-color-scheme: dark" in (tmp_path / "quality.svg").read_text()
