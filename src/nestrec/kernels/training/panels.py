"""Registers of dimensions that blocks of dimensions share, as the gradients of a pool's items need them.

A register holds DIMENSION_LANES dimensions, and the blocks that levels add can be narrower than that. A panel is a pair
of a level and a register that have dimensions in common, with the level's own marked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.training.block_lanes import DIMENSION_LANES


class Panels(NamedTuple):
    """All panels, in the order of levels and dimensions."""

    levels: Int64Array  # (n_panels,)
    dimensions: Int64Array  # (n_panels,) first of the register, ascending
    masks: Float32Array  # (n_panels * DIMENSION_LANES,) 1 for the level's own dimensions, 0 for others
    decays: Float32Array  # (n_panels * DIMENSION_LANES,) weights of squared coordinates, 0 for others'


@compiled
def lay_out_panels(widths: Int64Array, l2_weights: Float32Array) -> Any:
    """Return the panels of widths (n_levels,) with l2_weights (stride,)."""
    n, begin = 0, 0
    for level in range(len(widths)):
        n += (widths[level] - 1) // DIMENSION_LANES - begin // DIMENSION_LANES + 1
        begin = widths[level]
    levels, dimensions = np.empty(n, np.int64), np.empty(n, np.int64)
    masks = np.zeros(n * DIMENSION_LANES, np.float32)
    decays = np.zeros(n * DIMENSION_LANES, np.float32)
    panel, begin = 0, 0
    for level in range(len(widths)):
        end = widths[level]
        for first in range(begin - begin % DIMENSION_LANES, end, DIMENSION_LANES):
            levels[panel], dimensions[panel] = level, first
            for d in range(max(begin, first), min(end, first + DIMENSION_LANES)):
                masks[panel * DIMENSION_LANES + d - first] = np.float32(1)
                decays[panel * DIMENSION_LANES + d - first] = l2_weights[d]
            panel += 1
        begin = end
    return Panels(levels, dimensions, masks, decays)
