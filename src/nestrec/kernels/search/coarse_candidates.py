"""What both coarse scans share: putting items that reach the threshold into the candidate buffers of their queries.

Excluded items are looked up only where an item reaches the threshold, by a cursor that moves along the query's sorted
list as the scan moves along the code blocks.

Functions take single arrays, not tuples: numba counts references to what it takes out of a tuple.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.search.code_blocks import BLOCK
from nestrec.kernels.search.selection import decode_score_bits, encode_key, keep_best
from nestrec.kernels.search.top_k_buffers import Buffers
from nestrec.kernels.simd.lanes import lowest_bit

Codes = npt.NDArray[Any]

_BLOCK_BITS = 6  # log2 of 64


@compiled
def add_candidates(
    reached: int,  # bit i is 1 where scores[i] reaches the threshold of its query
    bits_per_query: int,  # log2 of the bits of a query: 4, of four queries, or 6, of one
    scores: Float32Array,
    first_position: int,  # of the first item
    items: Int32Array,
    allowed: Any,
    excluded: Int32Array,
    indptr: Any,
    first_query: int,
    k: int,
    keys: Int64Array,  # this and the next four: those of the buffers
    counts: Any,
    floors: Int64Array,
    thresholds: Float32Array,
    cursors: Any,
) -> None:
    """Add the allowed items that reach the threshold to the buffers of their queries; cut buffers that are full."""
    bits = scores.view(np.int32)
    while reached != 0:
        at = lowest_bit(reached)
        reached &= reached - 1
        query, position = first_query + (at >> bits_per_query), first_position + (at & ((1 << bits_per_query) - 1))
        if (allowed[position >> _BLOCK_BITS] >> (position & (BLOCK - 1))) & 1 == 0:
            continue
        cursor, end = indptr[query] + cursors[query], indptr[query + 1]
        while cursor < end and excluded[cursor] < position:
            cursor += 1
        cursors[query] = cursor - indptr[query]
        if cursor < end and excluded[cursor] == position:
            continue
        key, count = encode_key(bits[at], items[position]), counts[query]
        if key < floors[query]:
            continue
        keys[query, count] = key
        counts[query] = count + 1
        if count + 1 == keys.shape[1]:
            counts[query], floors[query] = keep_best(keys[query], count + 1, k, k // 16)
            thresholds.view(np.int32)[query] = decode_score_bits(floors[query])


@compiled
def raise_thresholds(sample: Buffers, k: int, buffers: Buffers) -> None:
    """Let buffers refuse from the start what is worse than the k-th best of a sample."""
    keys, counts, _, _, _ = sample
    _, _, floors, thresholds, _ = buffers
    bits = thresholds.view(np.int32)
    for query in range(len(counts)):
        if counts[query] > k:
            _, floor = keep_best(keys[query], counts[query], k, 0)
            floors[query] = (floor >> 32) << 32
            bits[query] = decode_score_bits(floor)
