"""The scan of a single query counts in 64 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nestrec.kernels.search.coarse_single import scan_single
from nestrec.kernels.search.code_blocks import BLOCK, BoundTerms, CodeBlocks, ItemFilter
from nestrec.kernels.search.selection import decode_items, decode_scores
from nestrec.kernels.search.top_k_buffers import empty_buffers

WIDTH = 1_024
N_BLOCKS = 2**31 // (BLOCK * WIDTH) + 2  # codes beyond what 32 bits can count


def test_blocks_beyond_two_billion_codes_are_reached(tmp_path: Path) -> None:
    """The file is nearly all holes: only the last block is written and scanned."""
    codes = np.memmap(tmp_path / "codes", dtype=np.int8, mode="w+", shape=(N_BLOCKS * BLOCK * WIDTH,))
    assert len(codes) > 2**31
    last = codes[-BLOCK * WIDTH :].reshape(WIDTH // 2, BLOCK, 2)
    last[:, :, :] = np.arange(BLOCK, dtype=np.int8)[np.newaxis, :, np.newaxis]
    ones = np.ones(N_BLOCKS, dtype=np.float32)
    items = np.arange(N_BLOCKS * BLOCK, dtype=np.int32)
    blocks = CodeBlocks(np.asarray(codes), items, np.zeros(0, dtype=np.float32), ones, ones, ones, ones * 1e9)
    one, none = np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.float32)
    bound_terms = BoundTerms(one, none, none, none, none, one, none)
    allowed = np.full(N_BLOCKS, -1, dtype=np.int64)
    item_filter = ItemFilter(allowed, np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32))
    buffers = empty_buffers(1, 1, 3)
    begins = np.array([N_BLOCKS - 1], dtype=np.int32)
    query = np.ones(WIDTH, dtype=np.int16)
    n_scored = scan_single(
        query, bound_terms, blocks, WIDTH // 2, WIDTH // 2, 2, item_filter, 3, buffers, begins, begins + np.int32(1),
        np.full(1, np.inf, dtype=np.float32), 10,
    )  # fmt: skip
    kept = np.sort(buffers.keys[0, : buffers.counts[0]])[::-1][:3]
    assert n_scored == BLOCK
    assert decode_items(kept).tolist() == [items[-1], items[-2], items[-3]]
    assert decode_scores(kept).tolist() == [63.0 * WIDTH, 62.0 * WIDTH, 61.0 * WIDTH]
