"""Coarse scan of a single query: score the code blocks cell by cell, best cells first, and keep the best candidates.

A block of 64 items is scored at a time. The scan ends where no further cell can hold an item that is good enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int32Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.search.coarse_candidates import Codes, add_candidates
from nestrec.kernels.search.code_blocks import BLOCK, BoundTerms, CodeBlocks, ItemFilter
from nestrec.kernels.search.top_k_buffers import Buffers
from nestrec.kernels.simd.codes import add_product, as_floats, load_codes, no_sum, splat_codes
from nestrec.kernels.simd.lanes import LANES, load, multiply_add, reaching, splat, store

_BITS = 6  # log2 of the 64 bits of the one query


@compiled
def scan_single(
    queries: Codes,  # flat (n_steps, per_step)
    bound_terms: BoundTerms,  # (1,) each
    blocks: CodeBlocks,
    n_steps: int,
    block_steps: int,  # of a block's codes: n_steps, or more where only a prefix is scanned
    per_step: int,
    item_filter: ItemFilter,  # of the one query
    k: int,
    buffers: Buffers,  # of one query
    begins: Int32Array,  # (n_cells,) first block of each cell to visit, in this order
    ends: Int32Array,  # (n_cells,) the block after its last
    bounds: Float32Array,  # (n_cells,) descending: no item of the cell has a score above it
    most: int,  # blocks to visit
) -> int:
    """Add allowed items to the buffer until no cell can hold one good enough; return the number of items scored."""
    keys, counts, floors, thresholds, cursors = buffers
    codes, items, residual_norms, scales, errors, decoded_norms, max_norms = blocks
    query_scales, query_residuals, prefix_norms, query_errors, roundings, query_norms, underflows = bound_terms
    allowed, indptr, excluded = item_filter
    scores = np.empty(BLOCK, dtype=np.float32)
    size, n_visited = block_steps * per_step, 0
    for cell in range(len(begins)):
        if bounds[cell] < thresholds[0] or n_visited >= most:
            break
        cursors[0] = np.searchsorted(excluded, begins[cell] * BLOCK)
        for block in range(begins[cell], ends[cell]):
            if query_norms[0] * max_norms[block] + underflows[0] < thresholds[0]:
                continue
            n_visited += 1
            slack = (
                prefix_norms[0] * errors[block]
                + query_errors[0] * decoded_norms[block]
                + roundings[0] * max_norms[block]
                + underflows[0]
            )
            scale = query_scales[0] * scales[block]
            _score_block(queries, codes, block * size * BLOCK, n_steps, per_step, scale, slack, scores)
            if len(residual_norms) > 0:
                _add_residuals(scores, residual_norms, block * BLOCK, query_residuals[0])
            reached = _find_reached(scores, thresholds[0])
            if reached != 0:
                add_candidates(
                    reached, _BITS, scores, block * BLOCK, items, allowed, excluded, indptr, 0, k, keys, counts,
                    floors, thresholds, cursors,
                )  # fmt: skip
    return n_visited * BLOCK


@compiled
def _score_block(
    queries: Codes, codes: Codes, item: int, n_steps: int, per_step: int, scale: float, slack: float, scores: Any
) -> None:
    """Score 64 items for one query, without their residual norms."""
    zero, eight = no_sum(codes), LANES * per_step
    sums = (zero, zero, zero, zero, zero, zero, zero, zero)
    for step in range(n_steps):
        items = (
            load_codes(codes, item),
            load_codes(codes, item + eight),
            load_codes(codes, item + 2 * eight),
            load_codes(codes, item + 3 * eight),
            load_codes(codes, item + 4 * eight),
            load_codes(codes, item + 5 * eight),
            load_codes(codes, item + 6 * eight),
            load_codes(codes, item + 7 * eight),
        )
        sums = add_product(splat_codes(queries, step * per_step), items, sums)
        item += BLOCK * per_step
    store(scores, 0, multiply_add(as_floats(sums), splat(np.float32(scale)), splat(np.float32(slack))))


@compiled
def _add_residuals(scores: Float32Array, residual_norms: Float32Array, position: int, query_residual: float) -> None:
    each = splat(query_residual)
    for at in range(0, BLOCK, LANES):
        store(scores, at, multiply_add(load(residual_norms, position + at), each, load(scores, at)))


@compiled
def _find_reached(scores: Float32Array, threshold: float) -> Any:
    least, reached = splat(threshold), 0
    for at in range(0, BLOCK, LANES):
        reached |= reaching(load(scores, at), least) << at
    return reached
