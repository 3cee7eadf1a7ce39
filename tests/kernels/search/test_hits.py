"""Lookups in CSR rows."""

from __future__ import annotations

import numpy as np

from nestrec.kernels.search.hits import count_common, find_hits


def test_hits_come_row_by_row_best_first() -> None:
    ranked = np.array([[4, 2, 7], [9, -1, -1], [0, 5, 1]], dtype=np.int32)
    indptr, indices = np.array([0, 3, 3, 5], dtype=np.int64), np.array([2, 4, 8, 1, 5], dtype=np.int32)
    rows, positions = find_hits(ranked, indptr, indices)
    assert list(zip(rows.tolist(), positions.tolist(), strict=True)) == [(0, 0), (0, 1), (2, 1), (2, 2)]


def test_rows_may_be_a_stretch_of_a_longer_matrix() -> None:
    rows, positions = find_hits(
        np.array([[3, 1]], dtype=np.int32), np.array([2, 4], dtype=np.int64), np.array([3, 9, 1, 5], dtype=np.int32)
    )
    assert (rows.tolist(), positions.tolist()) == ([0], [1])


def test_common_entries_are_counted_and_rows_without_a_partner_are_not() -> None:
    indptr, indices = np.array([0, 2, 4, 5], dtype=np.int64), np.array([1, 2, 1, 3, 0], dtype=np.int32)
    other_indptr, other = np.array([0, 2, 3], dtype=np.int64), np.array([1, 3, 2], dtype=np.int32)
    assert count_common(indptr, indices, np.array([1, 0, -1]), other_indptr, other) == 3
