"""Coarse scan of a batch of queries: score all code blocks for them and keep the best candidates of each.

Four queries and sixteen items are scored at a time; their sums stay in registers while the codes are read, and only
those that may be among the best become bounds or estimates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.search.coarse_candidates import Codes, add_candidates
from nestrec.kernels.search.code_blocks import BLOCK, BoundTerms, CodeBlocks, ItemFilter
from nestrec.kernels.search.top_k_buffers import GROUP, Buffers
from nestrec.kernels.simd.codes import add_product, any_reaching, as_floats, least_sums, load_codes, no_sum, splat_codes
from nestrec.kernels.simd.lanes import LANES, load_two, multiply_add, reaching, splat, store

PART = 2 * LANES  # items scored together
_PART_BITS = 4  # log2 of 16
_SLACK, _RESIDUAL = GROUP, 2 * GROUP  # where a group's terms begin, after its scales
_ROUNDINGS = 1e-6  # seventeen half units of float32's last place; a sum becomes a bound with three roundings


@compiled
def scan_batch(
    queries: Codes,  # flat (n_groups, n_steps, GROUP, per_step); float32, or int16 for int8 blocks
    bound_terms: BoundTerms,  # (n_groups * GROUP,) each
    blocks: CodeBlocks,
    n_steps: int,
    block_steps: int,  # of a block's codes: n_steps, or more where only a prefix is scanned
    per_step: int,  # dimensions of an item in a step
    item_filter: ItemFilter,
    k: int,
    buffers: Buffers,  # of one width
    begin: int,  # first block to scan
    end: int,  # the one after the last
    every: int,  # 1: scan all of them; else a sample, this far apart
) -> int:
    """Add all allowed items that reach the thresholds to the buffers; return the number of pairs scored."""
    keys, counts, floors, thresholds, cursors = buffers
    codes, items, residual_norms, scales, errors, decoded_norms, max_norms = blocks
    query_scales, query_residuals, prefix_norms, query_errors, roundings, query_norms, underflows = bound_terms
    allowed, indptr, excluded = item_filter
    scores, terms = np.empty(GROUP * PART, dtype=np.float32), np.empty(3 * GROUP, dtype=np.float32)
    limits = np.empty(GROUP, dtype=np.float64)
    size, block_size, n_scored = n_steps * per_step, block_steps * per_step, 0
    for block in range(begin, end, every):
        max_residual = (
            residual_norms[block * BLOCK : (block + 1) * BLOCK].max() if len(residual_norms) > 0 else np.float32(0.0)
        )
        for first in range(0, len(thresholds), GROUP):
            if not _may_reach(query_norms, underflows, first, max_norms[block], thresholds):
                continue
            for user in range(GROUP):
                query = first + user
                terms[user] = query_scales[query] * scales[block]
                terms[_SLACK + user] = (
                    prefix_norms[query] * errors[block]
                    + query_errors[query] * decoded_norms[block]
                    + roundings[query] * max_norms[block]
                    + underflows[query]
                )
                terms[_RESIDUAL + user] = query_residuals[query]
                limits[user] = _least_sum(terms, user, thresholds[query], max_residual)
            least = least_sums(codes, (limits[0], limits[1], limits[2], limits[3]))
            n_scored += GROUP * BLOCK
            for position in range(block * BLOCK, (block + 1) * BLOCK, PART):
                item = (block * block_size * BLOCK) + (position - block * BLOCK) * per_step
                if not _score_part(queries, first * size, codes, item, n_steps, per_step, least, scores):
                    continue
                reached = _bound_part(scores, terms, residual_norms, position, thresholds, first)
                if reached != 0:
                    add_candidates(
                        reached, _PART_BITS, scores, position, items, allowed, excluded, indptr, first, k, keys, counts,
                        floors, thresholds, cursors,
                    )  # fmt: skip
    return n_scored


@compiled
def _may_reach(
    norms: Float32Array, underflows: Float32Array, first: int, max_norm: float, thresholds: Float32Array
) -> bool:
    """Return whether an item of this norm could reach the threshold of one of four queries."""
    may = False
    for query in range(first, first + GROUP):
        may |= norms[query] * max_norm + underflows[query] >= thresholds[query]
    return may


@compiled
def _least_sum(terms: Float32Array, user: int, threshold: float, max_residual: Any) -> Any:
    """Return what a sum of codes must reach for its bound to reach the threshold, or less to allow for rounding.

    Most of 64 sums are refused by it in their registers and never become bounds.
    """
    scale, slack = np.float64(terms[user]), np.float64(terms[_SLACK + user])
    residual = np.float64(terms[_RESIDUAL + user]) * max_residual
    return (threshold - slack - residual - _ROUNDINGS * (abs(threshold) + slack + residual)) / scale


@compiled
def _score_part(
    queries: Codes,
    query: int,  # offset of the group
    codes: Codes,
    item: int,  # offset of the first of 16
    n_steps: int,
    per_step: int,
    least: Any,  # four vectors: what the sums of each query must reach
    scores: Float32Array,  # (GROUP, PART) overwritten where one of the sums does
) -> Any:
    """Sum the products of 16 items and 4 queries; return whether one of the sums reaches its limit."""
    zero, half, stride = no_sum(codes), LANES * per_step, BLOCK * per_step
    a, b, c, e = (zero, zero), (zero, zero), (zero, zero), (zero, zero)
    for _ in range(n_steps):
        items = load_codes(codes, item), load_codes(codes, item + half)
        a = add_product(splat_codes(queries, query), items, a)
        b = add_product(splat_codes(queries, query + per_step), items, b)
        c = add_product(splat_codes(queries, query + 2 * per_step), items, c)
        e = add_product(splat_codes(queries, query + 3 * per_step), items, e)
        item += stride
        query += GROUP * per_step
    reached = any_reaching(a, least[0]) | any_reaching(b, least[1])
    reached |= any_reaching(c, least[2]) | any_reaching(e, least[3])
    if reached:
        store(scores, 0, as_floats(a + b + c + e))
    return reached


@compiled
def _bound_part(
    scores: Float32Array,  # (GROUP, PART) sums; overwritten by bounds
    terms: Float32Array,  # (3, GROUP) factors of the sums, slack, factors of the residual norms
    residual_norms: Float32Array,
    position: int,  # of the first of 16
    thresholds: Float32Array,
    first: int,  # query
) -> Any:
    """Replace sums by bounds; return a bit for each, 1 where it reaches the query's threshold."""
    all_reached = 0
    for user in range(GROUP):
        at, scale, slack = user * PART, splat(terms[user]), splat(terms[_SLACK + user])
        bounds = multiply_add(load_two(scores, at), scale, slack)
        if len(residual_norms) > 0:
            bounds = multiply_add(load_two(residual_norms, position), splat(terms[_RESIDUAL + user]), bounds)
        store(scores, at, bounds)
        low, high = reaching(bounds, splat(thresholds[first + user]))
        all_reached |= (low | (high << LANES)) << at
    return all_reached
