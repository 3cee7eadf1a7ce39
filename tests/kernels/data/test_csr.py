"""Pairs to rows: the kernel against sorting a set in Python."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.kernels.data import csr

_PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(-9, 9)), min_size=1, max_size=60)


@settings(deadline=None)  # the first call compiles
@given(_PAIRS, st.booleans())
def test_rows_hold_each_item_once_in_order_with_its_latest_time(
    pairs: list[tuple[int, int, int]], with_times: bool
) -> None:
    users, items = (np.array([pair[place] for pair in pairs], dtype=np.int32) for place in range(2))
    times = np.array([pair[2] for pair in pairs if with_times], dtype=np.float64)
    # Entries are numbered backwards, so that a rank differs from its entry.
    user_ranks, item_ranks = np.arange(5, dtype=np.int32)[::-1].copy(), np.arange(7, dtype=np.int32)[::-1].copy()
    counts = np.zeros(5, dtype=np.int64)
    csr.count_rows(users, user_ranks, counts)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices, placed, none = np.empty(len(pairs), dtype=np.int32), np.empty(len(times)), np.empty(0)
    cursor = indptr[:-1].copy()
    csr.place_pairs(users, items, times, none, none, user_ranks, item_ranks, cursor, indices, placed, none, none)
    csr.sort_rows(indptr, indices, placed, none, none, 0, 5)
    n_kept, n_pairs = csr.join_repeats(indptr, indices, placed, none, none, csr.LAST, 0.0)
    assert n_kept == n_pairs

    latest: dict[tuple[int, int], int] = {}
    for user, item, time in pairs:
        key = (4 - user, 6 - item)
        latest[key] = max(latest.get(key, time), time)
    expected = sorted(latest)
    rows = np.repeat(np.arange(5), np.diff(indptr)).tolist()
    assert list(zip(rows, indices[:n_kept].tolist(), strict=True)) == expected
    if with_times:
        assert placed[:n_kept].tolist() == [latest[key] for key in expected]
