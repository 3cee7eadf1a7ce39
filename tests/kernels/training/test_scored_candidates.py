"""Candidates and their scores against brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec.kernels.counter_rng import below
from nestrec.kernels.training.scored_candidates import score_candidates
from tests.kernels.test_counter_rng import bits_of

SCORE: Any = score_candidates
KEY: Any = np.uint64(2**63 + 77)
SEEN: tuple[list[int], ...] = ([0, 2, 5], [], [0, 1, 2, 3, 4, 5, 7])
N_ITEMS = 8


def filled(widths: tuple[int, ...], users: list[int], first: int = 0, start: int = 0, stop: int | None = None) -> Any:
    rng = np.random.default_rng(1)
    vectors = tuple(rng.standard_normal((n, widths[-1]), dtype=np.float32) for n in (len(SEEN), N_ITEMS))
    shape = len(users), len(widths), 4
    candidates, scores = np.full(shape, -1, dtype=np.int64), np.full(shape, np.nan, dtype=np.float32)
    indptr = np.cumsum([0, *map(len, SEEN)])
    indices = np.concatenate([np.array(items, dtype=np.int32) for items in SEEN])
    SCORE(
        *vectors, indptr, indices, np.array(users), np.array(widths), KEY, first, start,
        len(users) if stop is None else stop, candidates, scores,
    )  # fmt: skip
    return vectors, candidates, scores


@pytest.mark.parametrize("widths", [(1,), (3, 8), (2, 16, 33)])
def test_each_is_the_unseen_item_of_its_rank_and_scored_by_its_prefix(widths: tuple[int, ...]) -> None:
    """The rank comes of the position's bits; a user with one unseen item gets that one."""
    users, first = [0, 1, 2, 1], 5
    (of_users, of_items), candidates, scores = filled(widths, users, first)
    for row, user in enumerate(users):
        unseen = [item for item in range(N_ITEMS) if item not in SEEN[user]]
        for level, width in enumerate(widths):
            for m in range(4):
                at = ((first + row) * len(widths) + level) * 4 + m
                item = unseen[below(bits_of(KEY, at), len(unseen))]
                assert candidates[row, level, m] == item
                expected = of_users[user, :width].astype(float) @ of_items[item, :width].astype(float)
                assert scores[row, level, m] == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert set(candidates[2].ravel()) == {6}


def test_only_the_rows_asked_for_are_filled_and_the_cut_changes_nothing() -> None:
    users = [0, 1, 2, 1, 0]
    _, whole, of_whole = filled((2, 5), users)
    _, part, of_part = filled((2, 5), users, start=1, stop=3)
    np.testing.assert_array_equal(part[1:3], whole[1:3])
    np.testing.assert_array_equal(of_part[1:3], of_whole[1:3])
    assert (part[[0, 3, 4]] == -1).all()
    _, behind, _ = filled((2, 5), users[2:], first=2)
    np.testing.assert_array_equal(behind, whole[2:])
