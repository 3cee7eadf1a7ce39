"""The inverse temperature of the softmax at each width, for training and for folding in."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float64Array
from nestrec.widths import Widths

INVERSE_TEMPERATURE = 3.0  # of the softmax at width 64
INVERSE_TEMPERATURE_POWER = 0.2  # how it grows as the width shrinks


def compute_inverse_temperatures(widths: Widths, temperature: float | None = None) -> Float64Array:
    """Return the factor of the scores in each level's softmax, (n_levels,): one for all where a temperature is given.

    Narrow prefixes have small scores and can separate few items; at a low temperature they concentrate on the items
    near the top.
    """
    if temperature is not None:
        return np.full(len(widths), 1 / temperature)
    narrowness = 64 / np.array(widths.values)
    factors: Float64Array = INVERSE_TEMPERATURE * narrowness**INVERSE_TEMPERATURE_POWER
    return factors
