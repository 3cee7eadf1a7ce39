"""The screening kernels count in 64 bits, and keys made at once are those made one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nestrec.kernels.search.coarse_scan import begin_above, screen_one
from nestrec.kernels.search.code_blocks import SHELF, Barred, CodeBlocks, Weights
from nestrec.kernels.search.selection import LOWEST_KEY, items_of, key_of, keys_of, scores_of
from nestrec.kernels.search.top_k_buffers import empty_buffers

WIDTH = 1_024
N_SHELVES = 2**31 // (SHELF * WIDTH) + 2  # codes beyond what 32 bits can count


def test_shelves_beyond_two_billion_codes_are_reached(tmp_path: Path) -> None:
    """The file is nearly all holes: only the last shelf is written and visited."""
    codes = np.memmap(tmp_path / "codes", dtype=np.int8, mode="w+", shape=(N_SHELVES * SHELF * WIDTH,))
    assert len(codes) > 2**31
    last = codes[-SHELF * WIDTH :].reshape(WIDTH // 2, SHELF, 2)
    last[:, :, :] = np.arange(SHELF, dtype=np.int8)[np.newaxis, :, np.newaxis]
    ones = np.ones(N_SHELVES, dtype=np.float32)
    names = np.arange(N_SHELVES * SHELF, dtype=np.int32)
    shelves = CodeBlocks(np.asarray(codes), names, np.zeros(0, dtype=np.float32), ones, ones, ones, ones * 1e9)
    one, none = np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.float32)
    weights = Weights(one, none, none, none, none, one, none)
    allowed = np.full(N_SHELVES, -1, dtype=np.int64)
    barred = Barred(allowed, np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32))
    buffers = empty_buffers(1, 1, 3)
    begins = np.array([N_SHELVES - 1], dtype=np.int32)
    query = np.ones(WIDTH, dtype=np.int16)
    n_scored = screen_one(
        query, weights, shelves, WIDTH // 2, 2, barred, 3, buffers, begins, begins + np.int32(1),
        np.full(1, np.inf, dtype=np.float32), 10,
    )  # fmt: skip
    kept = np.sort(buffers.keys[0, : buffers.counts[0]])[::-1][:3]
    assert n_scored == SHELF
    assert items_of(kept).tolist() == [names[-1], names[-2], names[-3]]
    assert scores_of(kept).tolist() == [63.0 * WIDTH, 62.0 * WIDTH, 61.0 * WIDTH]


def test_keys_made_at_once_are_those_made_one_by_one() -> None:
    scores = np.array([0.0, -0.0, 1.5, -2.25, 3e38, -3e38, 1e-40], dtype=np.float32)
    items = np.array([0, 1, 5, 2**31 - 1, 7, 9, 3], dtype=np.int64)
    one_by_one = [key_of(bits, np.int32(item)) for bits, item in zip(scores.view(np.int32), items, strict=True)]
    keys = keys_of(scores, items)
    assert keys.tolist() == one_by_one
    assert items_of(keys).tolist() == items.tolist()


@pytest.mark.parametrize("n_sampled", [4, 9])
def test_buffers_begin_above_the_kth_best_of_a_sample(n_sampled: int) -> None:
    sample, buffers = empty_buffers(1, 1, 5), empty_buffers(1, 1, 5)
    scores = np.arange(n_sampled, dtype=np.float32)
    sample.keys[0, :n_sampled] = keys_of(scores, np.arange(n_sampled))
    sample.counts[0] = n_sampled
    begin_above(sample, 5, buffers)
    if n_sampled < 5:
        assert buffers.floors[0] == LOWEST_KEY
    else:
        assert 3.0 < buffers.thresholds[0] <= 4.0
        assert LOWEST_KEY < buffers.floors[0] <= sample.keys[0, 4]
