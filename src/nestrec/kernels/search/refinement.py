"""Refinement codes: more int8 dimensions of each item than a coarse index has, read for the candidates of its scan.

In a code block the dimensions of one item lie apart, so that many items are scored at once; here those of one item lie
together, so that a single item is. They take a quarter of the vector's memory, and sixteen are multiplied at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.search.code_blocks import BoundTerms
from nestrec.kernels.search.selection import decode_item, encode_key
from nestrec.kernels.simd.codes import add_product, load_codes, no_sum, sum_of
from nestrec.kernels.simd.lanes import LANES, prefetch_to_read

PER_STEP = 2 * LANES  # dimensions of an item multiplied at once; items are padded to whole steps
_LINE = 64  # bytes of a cache line
_AHEAD = 12  # items prefetched
_SCALE, _ERROR, _RESIDUAL, _NORM = range(4)


class ItemCodes(NamedTuple):
    """Codes and bound terms of all items, by item_index."""

    codes: npt.NDArray[np.int8]  # flat (n_items, n_steps * PER_STEP)
    terms: Float32Array  # (n_items, 4) scale, quantization error, residual norm, norm


@compiled
def refine(
    keys: Int64Array,  # (n_queries, room) bounds or estimates with items; overwritten by refined ones
    counts: Any,  # (n_queries,) int64
    queries: npt.NDArray[np.int16],  # flat (n_queries, n_steps * PER_STEP)
    bound_terms: BoundTerms,  # (n_queries,) each
    item_codes: ItemCodes,
    n_steps: int,
) -> None:
    """Replace the bounds or estimates of the coarse scan by those of the refinement codes."""
    codes, terms = item_codes
    query_scales, query_residuals, prefix_norms, query_errors, roundings, _, underflows = bound_terms
    size, refined = n_steps * PER_STEP, np.empty(1, dtype=np.float32)
    bits, flat_terms = refined.view(np.int32), terms.reshape(terms.size)
    for query in range(len(counts)):
        own, count = keys[query], counts[query]
        scale, residual, prefix = query_scales[query], query_residuals[query], prefix_norms[query]
        norm, underflow = query_errors[query] + roundings[query], underflows[query]
        for at in range(count):
            ahead = decode_item(own[min(at + _AHEAD, count - 1)])
            prefetch_to_read(flat_terms, ahead * 4)
            for line in range(ahead * size, ahead * size + size, _LINE):
                prefetch_to_read(codes, line)
            item = decode_item(own[at])
            summed = np.float32(_product(codes, item * size, queries, query * size, n_steps))
            error, residual_norm, item_norm = terms[item, _ERROR], terms[item, _RESIDUAL], terms[item, _NORM]
            slack = prefix * error + residual * residual_norm + norm * item_norm + underflow
            refined[0] = summed * (scale * terms[item, _SCALE]) + slack
            own[at] = encode_key(bits[0], np.int32(item))


@compiled
def _product(codes: Any, item: Any, queries: Any, query: int, n_steps: int) -> Any:
    total = no_sum(codes)
    for step in range(n_steps):
        at = step * PER_STEP
        total = add_product(load_codes(queries, query + at), load_codes(codes, item + at), total)
    return sum_of(total)
