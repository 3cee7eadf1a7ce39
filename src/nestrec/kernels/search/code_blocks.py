"""Layout of a coarse index: quantized prefixes of all items, 64 items side by side in a code block.

A scan computes an estimate of each score or, with the `BoundTerms` of an exact search, an upper bound:

    score <= scale * (query codes . item codes)
             + prefix norm * quantization error + query quantization error * decoded norm
             + rounding error * max norm + query residual norm * item residual norm + underflow

The other terms bound, by Cauchy-Schwarz, what quantizing the items and the query changes, what float32 sums may be off
by, and the dimensions that the codes leave out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array, Int64Array

BLOCK = 64  # items; the bits of one word say which of them may be returned


class CodeBlocks(NamedTuple):
    """Items by position: 64 to a block, of similar norm; the last block of a cell may have unused positions."""

    codes: npt.NDArray[Any]  # flat (n_blocks, block_steps, BLOCK, per_step); float32, uint16 (bf16) or int8
    items: Int32Array  # (n_positions,) item_index, -1 where unused
    residual_norms: Float32Array  # (n_positions,) norm of the dimensions without codes; (0,) where all have codes
    scales: Float32Array  # (n_blocks,) value of a code of 1
    quantization_errors: Float32Array  # (n_blocks,) largest norm of the difference between an item and its codes
    decoded_norms: Float32Array  # (n_blocks,) largest norm of an item's decoded prefix
    max_norms: Float32Array  # (n_blocks,) largest norm of an item, all dimensions


class BoundTerms(NamedTuple):
    """Coefficients of the score bound, one of each per query of a block; 0 for those that fill up its groups."""

    scales: Float32Array  # value of a query code of 1
    residual_norms: Float32Array  # norm of the dimensions without codes
    prefix_norms: Float32Array  # norm of those with codes
    quantization_errors: Float32Array  # norm of the difference between the query and its codes
    rounding_errors: Float32Array  # norm times the relative error of float32 sums
    norms: Float32Array  # times an item's norm, plus underflow: no score is above it
    underflows: Float32Array  # what products too small for float32 may lose


class ItemFilter(NamedTuple):
    """Positions that may be returned."""

    allowed: Int64Array  # (n_blocks,) bit i is 1 where the i-th item may be returned to any query
    indptr: Int64Array  # (n_queries + 1,)
    excluded: Int32Array  # positions excluded for one query, ascending within a query
