"""The marking kernels on rows small enough to read."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.kernels.data import splitting
from nestrec.kernels.data.splitting import count_marked, mark_last, mark_random

INDPTR = np.array([0, 0, 1, 4, 9], dtype=np.int64)  # rows of 0, 1, 3 and 5


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_exactly_n_are_marked_and_one_of_each_row_is_not(n: int) -> None:
    for seed in range(200):
        marks = np.zeros(9, dtype=np.bool_)
        mark_random(INDPTR, seed, n, marks)
        assert marks.sum() == n
        assert not marks[0], "the only one of its row"
        assert not marks[1:4].all()
        assert not marks[4:9].all()


def test_marks_grow_with_n_in_one_order() -> None:
    """What is held out for a smaller share is held out for a larger one too."""
    before = np.zeros(9, dtype=np.bool_)
    for n in range(1, 7):
        marks = np.zeros(9, dtype=np.bool_)
        mark_random(INDPTR, 3, n, marks)
        assert marks[before].all()
        before = marks


def test_the_last_are_those_of_latest_time_and_of_equal_times_the_later_positions() -> None:
    marks = np.zeros(9, dtype=np.bool_)
    mark_last(INDPTR, np.array([5.0, 3, 3, 1, 9, 7, 7, 9, 7]), 2, marks)
    assert np.flatnonzero(marks).tolist() == [1, 2, 4, 7]
    marks[:] = False
    mark_last(INDPTR, np.zeros(9), 3, marks)
    assert np.flatnonzero(marks).tolist() == [6, 7, 8], "rows of three or fewer stay whole"


def test_marked_positions_are_counted_row_by_row() -> None:
    marked_indptr = np.empty(5, dtype=np.int64)
    count_marked(INDPTR, np.array([1, 0, 1, 1, 0, 0, 0, 0, 1], dtype=np.bool_), marked_indptr)
    assert marked_indptr.tolist() == [0, 0, 1, 3, 4]


@pytest.mark.parametrize("n", [1, 3, 7, 200])
def test_the_latest_of_a_long_row_are_those_of_a_sorted_one(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    rng = np.random.default_rng(n)
    indptr = np.array([0, 50, 50, 53, 150], dtype=np.int64)
    times = rng.integers(0, 9, 150).astype(np.float64)
    sorted_, found = np.zeros(150, dtype=np.bool_), np.zeros(150, dtype=np.bool_)
    mark_last(indptr, times, n, sorted_)
    monkeypatch.setattr(splitting, "_SORTED_AT_ONCE", 8)
    mark_last(indptr, times, n, found)
    np.testing.assert_array_equal(found, sorted_)
