"""Rows: more numbers of each item than a screen holds, one byte each, read for the few items that pass it.

On a shelf the numbers of one item lie apart, so that many items are read at once; here they lie together, so that one
is. A row takes a quarter of the memory that the vector does, and its products whole numbers, sixteen at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.search.code_blocks import Weights
from nestrec.kernels.search.selection import item_of, key_of
from nestrec.kernels.simd.codes import add_product, load_codes, no_sum, sum_of
from nestrec.kernels.simd.lanes import LANES, prefetch_to_read

PER_STEP = 2 * LANES  # numbers of a row that are multiplied at once; rows are filled up to whole steps
_LINE = 64  # bytes that come from memory at once
_AHEAD = 12  # rows asked for before they are needed
_SCALE, _ERROR, _TAIL, _LENGTH = range(4)


class Rows(NamedTuple):
    """One row for each item, in the order of their indices."""

    codes: npt.NDArray[np.int8]  # flat (n_items, n_steps * PER_STEP)
    parts: Float32Array  # (n_items, 4) scale, coding error, length of what the row lacks, length of the item


@compiled
def refine(
    keys: Int64Array,  # (n_queries, room) bounds or estimates, and items; overwritten by those that the rows give
    counts: Any,  # (n_queries,) int64
    queries: npt.NDArray[np.int16],  # flat (n_queries, n_steps * PER_STEP)
    weights: Weights,  # (n_queries,) each
    rows: Rows,
    n_steps: int,
) -> None:
    """Put the bound or estimate by an item's row in the place of what a screen said of it."""
    codes, parts = rows
    query_scales, query_tails, prefixes, rests, roundings, _, leasts = weights
    size, said = n_steps * PER_STEP, np.empty(1, dtype=np.float32)
    bits, flat_parts = said.view(np.int32), parts.reshape(parts.size)
    for query in range(len(counts)):
        own, count = keys[query], counts[query]
        scale, tail, prefix = query_scales[query], query_tails[query], prefixes[query]
        length, least = rests[query] + roundings[query], leasts[query]
        for at in range(count):
            coming = item_of(own[min(at + _AHEAD, count - 1)])
            prefetch_to_read(flat_parts, coming * 4)
            for line in range(coming * size, coming * size + size, _LINE):
                prefetch_to_read(codes, line)
            item = item_of(own[at])
            summed = np.float32(_product(codes, item * size, queries, query * size, n_steps))
            slack = prefix * parts[item, _ERROR] + tail * parts[item, _TAIL] + length * parts[item, _LENGTH] + least
            said[0] = summed * (scale * parts[item, _SCALE]) + slack
            own[at] = key_of(bits[0], np.int32(item))


@compiled
def _product(codes: Any, item: Any, queries: Any, query: int, n_steps: int) -> Any:
    total = no_sum(codes)
    for step in range(n_steps):
        at = step * PER_STEP
        total = add_product(load_codes(queries, query + at), load_codes(codes, item + at), total)
    return sum_of(total)
