"""Coarse scans of the first steps of wider codes: the sums are those of the prefix, in every block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.kernels.search.coarse_batch import scan_batch
from nestrec.kernels.search.coarse_single import scan_single
from nestrec.kernels.search.code_blocks import BLOCK, BoundTerms, CodeBlocks, ItemFilter
from nestrec.kernels.search.selection import decode_items, decode_scores
from nestrec.kernels.search.top_k_buffers import GROUP, Buffers, empty_buffers

N_BLOCKS, N_ITEMS, K = 3, 3 * BLOCK, 5
WIDTH, PER_STEP = 10, 2
PREFIXES = (2, 6, WIDTH)


def generate_codes() -> npt.NDArray[np.int8]:
    return np.random.default_rng(0).integers(-127, 128, size=(N_ITEMS, WIDTH)).astype(np.int8)


def arrange_in_blocks(codes: npt.NDArray[np.int8]) -> CodeBlocks:
    """Return blocks of items in their order, whose bounds are the sums of codes."""
    steps = codes.reshape(N_BLOCKS, BLOCK, WIDTH // PER_STEP, PER_STEP).transpose(0, 2, 1, 3)
    ones, zeros = np.ones(N_BLOCKS, dtype=np.float32), np.zeros(N_BLOCKS, dtype=np.float32)
    items = np.arange(N_ITEMS, dtype=np.int32)
    flat = np.ascontiguousarray(steps).ravel()
    return CodeBlocks(flat, items, np.zeros(0, dtype=np.float32), ones, zeros, zeros, ones * np.float32(1e9))


def terms_of(n_queries: int) -> BoundTerms:
    ones, zeros = np.ones(n_queries, dtype=np.float32), np.zeros(n_queries, dtype=np.float32)
    return BoundTerms(ones, zeros, zeros, zeros, zeros, ones, zeros)


def filter_of(n_queries: int) -> ItemFilter:
    none = np.zeros(n_queries + 1, dtype=np.int64), np.zeros(0, dtype=np.int32)
    return ItemFilter(np.full(N_BLOCKS, -1, dtype=np.int64), *none)


def check(buffers: Buffers, query: int, expected: npt.NDArray[np.int64]) -> None:
    kept = np.sort(buffers.keys[query, : buffers.counts[query]])[::-1][:K]
    best = np.argsort(-expected, kind="stable")[:K]
    assert decode_items(kept).tolist() == best.tolist()
    assert decode_scores(kept).tolist() == expected[best].tolist()


@pytest.mark.parametrize("width", PREFIXES)
def test_a_single_query(width: int) -> None:
    codes, query = generate_codes(), np.arange(1, width + 1, dtype=np.int16)
    buffers, begins = empty_buffers(1, 1, K), np.arange(N_BLOCKS, dtype=np.int32)
    scan_single(
        query, terms_of(1), arrange_in_blocks(codes), width // PER_STEP, WIDTH // PER_STEP, PER_STEP, filter_of(1), K,
        buffers, begins, begins + np.int32(1), np.full(N_BLOCKS, np.inf, dtype=np.float32), N_BLOCKS,
    )  # fmt: skip
    check(buffers, 0, codes[:, :width].astype(np.int64) @ query)


@pytest.mark.parametrize("width", PREFIXES)
def test_a_group_of_queries(width: int) -> None:
    codes = generate_codes()
    queries = np.random.default_rng(1).integers(-9, 10, size=(GROUP, width)).astype(np.int16)
    steps = np.ascontiguousarray(queries.reshape(GROUP, width // PER_STEP, PER_STEP).transpose(1, 0, 2)).ravel()
    buffers = empty_buffers(GROUP, 1, K)
    scan_batch(
        steps, terms_of(GROUP), arrange_in_blocks(codes), width // PER_STEP, WIDTH // PER_STEP, PER_STEP,
        filter_of(GROUP), K, buffers, 0, N_BLOCKS, 1,
    )  # fmt: skip
    for query in range(GROUP):
        check(buffers, query, codes[:, :width].astype(np.int64) @ queries[query])
