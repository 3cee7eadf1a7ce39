"""The pool a block shares: uniform, ascending, and without what a user has seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec.kernels.training import pool as kernel
from nestrec.kernels.training.tile_sizes import POOL_BLOCK

DRAW: Any = kernel.draw_ascending
STRIKE: Any = kernel.mask_seen
MARK: Any = kernel.mark_seen
KEY: Any = np.uint64(7)


ROW = 5  # of the positive whose items are masked


def strike(pool: Any, n_items: int, indices: Any, low: int, high: int) -> tuple[int, Any]:
    """Mask two levels of a block's scores, all 1; return how many lanes and (2, pool_size) scores of the positive."""
    n, users, indptr = len(pool), np.array([1] * ROW + [0]), np.array([low, high, high])
    scores, marks = np.ones((2, n, POOL_BLOCK), np.float32), np.zeros(kernel.N_MARKS, np.uint8)
    found = np.zeros(kernel.MANY * n, np.int64)
    STRIKE(scores.reshape(-1), users, ROW + 1, 2, pool, n_items, indptr, indices, marks, found)
    assert not marks.any()
    assert (np.delete(scores, ROW, axis=2) == 1).all()
    return int((scores[0, :, ROW] != 1).sum()), scores[:, :, ROW]


def drawn(size: int, n_items: int, block: int = 0) -> Any:
    pool = np.empty(size, np.int64)
    DRAW(pool, n_items, KEY, block)
    return pool


@pytest.mark.parametrize(
    ("size", "n_items"), [(64, 64), (64, 65), (128, 1000), (128, 100), (64, 3), (64, 1), (64, 10**6)]
)
def test_the_pool_ascends_inside_the_catalogue(size: int, n_items: int) -> None:
    """An item occurs as often as the sizes say, or once more where two stretches share it."""
    pool = drawn(size, n_items)
    assert pool[0] >= 0
    assert pool[-1] < n_items
    assert (np.diff(pool) >= 0).all()
    counts = np.bincount(pool, minlength=1)
    assert counts.max() <= -(-size // n_items) + 1


def test_every_item_is_as_likely_as_any_other() -> None:
    counts = sum(np.bincount(drawn(64, 200, block), minlength=200) for block in range(4000))
    np.testing.assert_allclose(counts, 4000 * 64 / 200, rtol=0.12)


@pytest.mark.parametrize(("size", "n_items"), [(64, 64), (64, 97), (128, 1000), (128, 50), (64, 5), (64, 123_457)])
def test_seen_items_are_masked_at_every_level(size: int, n_items: int) -> None:
    """Exactly the lanes whose item is in the stretch, for every stretch; nothing else is touched."""
    rng = np.random.default_rng(n_items)
    for block in range(50):
        pool = drawn(size, n_items, block)
        others = rng.integers(0, n_items, 20)
        seen = np.unique(np.concatenate([others, rng.choice(pool, 5)])).astype(np.int32)
        indices = np.concatenate([[0], seen, [n_items - 1]]).astype(np.int32)  # neighbours' items around the stretch
        n_masked, scores = strike(pool, n_items, indices, 1, 1 + len(seen))
        expected = np.isin(pool, seen)
        assert n_masked == expected.sum()
        for level in scores:
            np.testing.assert_array_equal(level == kernel.MASKED_SCORE, expected)
            assert (level[~expected] == 1).all()


@pytest.mark.parametrize(("size", "n_items"), [(64, 64), (64, 97), (128, 1000), (128, 50), (64, 5), (64, 123_457)])
def test_seen_items_are_marked_for_each_positive_of_a_block(size: int, n_items: int) -> None:
    """Exactly the lanes that `mask_seen` strikes: by the user's own items, in the block's own pool."""
    rng = np.random.default_rng(n_items)
    pools = np.stack([drawn(size, n_items, block) for block in range(3)])
    sets = [np.unique(np.append(rng.integers(0, n_items, 4), rng.choice(pools.ravel(), 5))) for _ in range(6)]
    sets[2] = sets[2][:0]
    indptr = np.cumsum([0, *map(len, sets)])
    users = rng.integers(0, 6, 10)
    seen = np.zeros((10, size), dtype=np.bool_)
    MARK(pools, n_items, indptr, np.concatenate(sets).astype(np.int32), users, 4, seen)
    for row, user in enumerate(users):
        np.testing.assert_array_equal(seen[row], np.isin(pools[row // 4], sets[user]))


@pytest.mark.parametrize("share", [0.3, 0.97])
def test_lanes_are_looked_up_where_a_user_has_seen_much_of_a_large_catalogue(share: float) -> None:
    """Walking all the items of such a user for each of them made training quadratic in their number."""
    n_items, size = 30_000, 64
    rng = np.random.default_rng(3)
    seen = np.flatnonzero(rng.random(n_items) < share).astype(np.int32)
    indptr = np.array([0, len(seen), len(seen)])
    for block in range(20):
        pool = drawn(size, n_items, block)
        (n_masked, scores), expected = strike(pool, n_items, seen, 0, len(seen)), np.isin(pool, seen)
        assert n_masked == expected.sum()
        np.testing.assert_array_equal(scores == kernel.MASKED_SCORE, np.tile(expected, (2, 1)))
        marks = np.zeros((2, size), dtype=np.bool_)
        MARK(pool[np.newaxis], n_items, indptr, seen, np.array([1, 0]), 4, marks)
        np.testing.assert_array_equal(marks, [np.zeros(size, np.bool_), expected])
