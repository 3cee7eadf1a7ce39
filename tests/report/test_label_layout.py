"""Labels: none covers another, each near what it names."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestrec.report.label_layout import Box, place_around, place_in_column

SHEET = Box(0, 0, 600, 400)


@given(st.lists(st.floats(0, 400), min_size=1, max_size=20))
def test_a_column_keeps_the_gap_the_bounds_and_the_order(wanted: list[float]) -> None:
    places = place_in_column(wanted, 15, 0, 400)
    assert all(-1e-6 <= place <= 400 + 1e-6 for place in places)
    assert all(b - a >= 15 - 1e-6 for a, b in itertools.pairwise(sorted(places)))
    assert [wanted[at] for at in sorted(range(len(wanted)), key=lambda at: places[at])] == sorted(wanted)


def test_labels_with_room_stay_at_the_desired_heights() -> None:
    assert place_in_column([10, 100, 50], 15, 0, 400) == pytest.approx([10, 100, 50])


def test_labels_that_do_not_fit_are_set_closer() -> None:
    assert place_in_column([5, 5, 5], 15, 0, 20) == pytest.approx([0, 10, 20])


def test_names_around_a_cluster_cover_neither_each_other_nor_a_point() -> None:
    points = [(300 + 8 * (place % 3), 200 + 7 * (place // 3)) for place in range(6)]
    boxes = place_around(points, [f"itemknn-{place}" for place in range(6)], [], SHEET)
    assert all(a.overlap(b) == 0 for a, b in itertools.combinations(boxes, 2))
    assert all(box.overlap(Box(x - 3, y - 3, x + 3, y + 3)) == 0 for box in boxes for x, y in points)


def test_a_name_stays_inside_at_the_edge() -> None:
    (box,) = place_around([(598, 398)], ["popularity"], [], SHEET)
    assert box.right <= 600
    assert box.bottom <= 400
