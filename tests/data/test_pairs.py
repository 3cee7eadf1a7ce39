"""Repeated pairs are joined as a plain loop over groups joins them."""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.pairs import PairStore, RepeatRule

ROW = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.sampled_from([-1.0, 0.5, 1.0, 2.0, 3.0]))


def join_plainly(
    rows: list[tuple[int, int, int, float]], rule: str, minimum: float | None
) -> dict[tuple[int, int], int]:
    """Return the time of each pair that is kept."""
    ordered = sorted(rows, key=lambda row: row[:3])  # stable: equal times stay in the order of the rows
    kept = {}
    for pair, group in groupby(ordered, key=lambda row: row[:2]):
        members = list(group)
        chosen = members[0] if rule == "first" else members[-1]
        rating = math.fsum(member[3] for member in members) if rule == "sum" else chosen[3]
        if minimum is None or rating >= minimum:
            kept[pair] = chosen[2]
    return kept


@pytest.mark.parametrize("rule", ["first", "last", "sum"])
@pytest.mark.parametrize("minimum", [None, 1.0])
@given(rows=st.lists(ROW, max_size=30), memory=st.sampled_from([10, 1 << 20]))
@settings(deadline=None, max_examples=60)
def test_repeats_are_joined_by_the_rule(
    rule: str, minimum: float | None, rows: list[tuple[int, int, int, float]], memory: int
) -> None:
    with PairStore(memory, with_times=True, rule=RepeatRule(rule, minimum)) as store:
        for start in range(0, len(rows), 7):
            users, items, times, ratings = (np.array(column) for column in zip(*rows[start : start + 7], strict=True))
            store.add(users.astype(np.int32), items.astype(np.int32), times.astype(np.float64), ratings)
        ranks = np.arange(4, dtype=np.int32)
        indptr, indices, found_times = store.rows(ranks, ranks, 2)
    assert found_times is not None
    pairs = zip(np.repeat(np.arange(4), np.diff(indptr)).tolist(), indices.tolist(), strict=True)
    assert dict(zip(pairs, found_times.tolist(), strict=True)) == join_plainly(rows, rule, minimum)
    assert store.n_distinct == len({row[:2] for row in rows})


@pytest.mark.parametrize("rule", ["first", "last", "sum"])
@given(rows=st.lists(ROW, max_size=20))
@settings(deadline=None, max_examples=60)
def test_without_times_the_order_of_the_rows_decides(rule: str, rows: list[tuple[int, int, int, float]]) -> None:
    with PairStore(1 << 20, with_times=False, rule=RepeatRule(rule, 1.0)) as store:
        columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.empty(0)] * 4
        store.add(columns[0].astype(np.int32), columns[1].astype(np.int32), None, columns[3].astype(np.float64))
        ranks = np.arange(4, dtype=np.int32)
        indptr, indices, _ = store.rows(ranks, ranks, 1)
    pairs = set(zip(np.repeat(np.arange(4), np.diff(indptr)).tolist(), indices.tolist(), strict=True))
    assert pairs == set(join_plainly([(user, item, 0, rating) for user, item, _, rating in rows], rule, 1.0))
