"""What a screen walks: the first numbers of every item's vector, coded, 64 items side by side on a shelf.

A screen gives each item and query an estimate and, with the `Weights` of an exact search, an upper bound of the score:

    score <= scale * codes.codes + prefix * error + rest * reach + rounding * length + tail * tail of the item + least

The first term is the product of what is stored; the others bound, by Cauchy-Schwarz, what coding the item left out,
what coding the query left out, what float32 sums may be off by, and the numbers that the screen does not hold.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array, Int64Array

SHELF = 64  # items; a word of 64 bits says which of them may be returned


class CodeBlocks(NamedTuple):
    """A place is a position on the shelves; the last shelf may have empty ones."""

    codes: npt.NDArray[Any]  # flat (n_shelves, n_steps, SHELF, per_step); float32, uint16 (bf16) or int8
    names: Int32Array  # (n_places,) item_index, -1 where empty
    tails: Float32Array  # (n_places,) length of the item's numbers that are not on the shelf; (0,) where all are
    scales: Float32Array  # (n_shelves,) what a code of 1 stands for
    errors: Float32Array  # (n_shelves,) the longest difference between an item and its codes
    reaches: Float32Array  # (n_shelves,) the longest item as coded
    lengths: Float32Array  # (n_shelves,) the longest item, all its numbers


class Weights(NamedTuple):
    """What multiplies the parts of the bound, for each query of a block and zero for those that fill up its groups."""

    scales: Float32Array  # what a code of 1 of the query stands for
    tails: Float32Array  # length of the numbers that the shelves do not hold
    prefixes: Float32Array  # length of those that they do
    rests: Float32Array  # length of the difference between the query and its codes
    roundings: Float32Array  # the query's length times the relative error of float32 sums
    lengths: Float32Array  # the query's length: no score is above it times an item's, and the least
    leasts: Float32Array  # what is lost where products are too small for float32, at most


class Barred(NamedTuple):
    """Places that must not be returned."""

    allowed: Int64Array  # (n_shelves,) bit i is 1 where the i-th item may be returned to anyone
    indptr: Int64Array  # (n_queries + 1,)
    places: Int32Array  # ascending within a query
