"""Rerank: full-width scores of the candidates of a coarse scan, until no other item can be among the best, or of all.

Scores are summed dimension after dimension, each product fused to the sum, as in the full scan: the same bits, so equal
vectors tie as they do there. Eight items are summed side by side, since each sum waits for itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.compiled import compiled, compiled_in_order
from nestrec.kernels.search.selection import (
    LOWEST_KEY,
    decode_item,
    decode_score_bits,
    encode_key,
    keep_best,
    write_best,
)
from nestrec.kernels.simd.codes import chained

PRODUCTS_AT_ONCE = 1 << 26  # of a call: a tenth of a second for vectors at random places in memory

_EIGHT = 8


@compiled
def rerank_certified(
    keys: Int64Array,  # (n_queries, room) candidates of the coarse scan: upper bounds with items
    counts: Any,  # (n_queries,) int64: how many of them
    floors: Int64Array,  # (n_queries,) no other item has an upper bound as great
    queries: Float32Array,  # (n_queries, width)
    vectors: Float32Array,  # (n_items, >= width)
    k: int,
    best: Int64Array,  # (n_queries, k), of NO_KEY; overwritten, greatest first
    certified: Any,  # (n_queries,) bool; overwritten: whether no other item can be among the best
) -> int:
    """Score candidates by descending bound until the rest cannot be among the best k; return how many were scored."""
    room = k + max(k, 64) + _EIGHT
    found, exact = np.empty(room, dtype=np.int64), np.empty(_EIGHT, dtype=np.float32)
    n_scored = 0
    for row in range(len(queries)):
        bounds = np.sort(keys[row, : counts[row]])[::-1]
        count, worst = 0, LOWEST_KEY
        at = 0
        while at < len(bounds) and (bounds[at] >> 32) >= (worst >> 32):
            n = min(_EIGHT, len(bounds) - at)
            _score_eight(queries[row], vectors, bounds, at, n, 0, exact)
            count = _add_keys(bounds, at, n, exact, found, count)
            at += n
            if count > room - _EIGHT or (count >= k and (worst == LOWEST_KEY or at % 64 == 0)):
                count, worst = _best_and_worst(found, count, k)
        n_scored += at
        if count >= k:
            count, worst = _best_and_worst(found, count, k)
        certified[row] = floors[row] == LOWEST_KEY or (count >= k and (floors[row] >> 32) < (worst >> 32))
        write_best(found[:count], best[row])
    return n_scored


@compiled
def _best_and_worst(found: Int64Array, count: int, k: int) -> Any:
    """Move the best k to the front; return k and the least of them."""
    if count > k:
        count, _ = keep_best(found, count, k, 0)
    return count, found[:count].min()


@compiled
def rerank(
    keys: Int64Array,  # (n_queries, room) scores of the dimensions before `begin` with items; overwritten
    counts: Any,  # (n_queries,) int64; overwritten
    queries: Float32Array,  # (n_queries, >= end)
    vectors: Float32Array,  # (n_items, >= end)
    begin: int,  # 0: the scores in the keys are not used
    end: int,
    kept: int,
) -> int:
    """Add dimensions begin to end to the scores and keep the best; return the number of items scored."""
    exact = np.empty(_EIGHT, dtype=np.float32)
    n_scored = 0
    for row in range(len(queries)):
        own, count = keys[row], counts[row]
        for at in range(0, count, _EIGHT):
            n = min(_EIGHT, count - at)
            _score_eight(queries[row, :end], vectors, own, at, n, begin, exact)
            _add_keys(own, at, n, exact, own, at)
        n_scored += count
        if count > kept:
            counts[row], _ = keep_best(own, count, kept, 0)
    return n_scored


@compiled
def cut_to_best(keys: Int64Array, counts: Any, kept: int) -> None:
    """Keep the best candidates of each query."""
    for row in range(len(counts)):
        if counts[row] > kept:
            counts[row], _ = keep_best(keys[row], counts[row], kept, 0)


@compiled
def write_ranking(keys: Int64Array, counts: Any, best: Int64Array) -> None:
    """Write the keys of each query, greatest first; entries without one keep their value."""
    for row in range(len(counts)):
        write_best(keys[row, : counts[row]], best[row])


@compiled
def _add_keys(candidates: Int64Array, at: int, n: int, exact: Any, found: Int64Array, count: int) -> int:
    """Put the keys of n scores into `found` from `count` on; return the count."""
    bits = exact.view(np.int32)
    for i in range(n):
        found[count + i] = encode_key(bits[i], np.int32(decode_item(candidates[at + i])))
    return count + n


@compiled_in_order
def _score_eight(
    query: Any,  # (end,)
    vectors: Float32Array,
    keys: Int64Array,  # the n items from `at` on
    at: int,
    n: int,
    begin: int,  # 0: the scores in the keys are not used
    exact: Any,  # (8,) float32
) -> None:
    last = at + n - 1
    a, b = vectors[decode_item(keys[at])], vectors[decode_item(keys[min(at + 1, last)])]
    c, d = vectors[decode_item(keys[min(at + 2, last)])], vectors[decode_item(keys[min(at + 3, last)])]
    e, f = vectors[decode_item(keys[min(at + 4, last)])], vectors[decode_item(keys[min(at + 5, last)])]
    g, h = vectors[decode_item(keys[min(at + 6, last)])], vectors[decode_item(keys[min(at + 7, last)])]
    exact[:] = 0.0
    if begin > 0:
        bits = exact.view(np.int32)
        for i in range(n):
            bits[i] = decode_score_bits(keys[at + i])
    sums = (exact[0], exact[1], exact[2], exact[3], exact[4], exact[5], exact[6], exact[7])
    for j in range(begin, len(query)):
        sums = chained(query[j], (a[j], b[j], c[j], d[j], e[j], f[j], g[j], h[j]), sums)
    exact[0], exact[1], exact[2], exact[3], exact[4], exact[5], exact[6], exact[7] = sums
