"""What an objective is at each level that is trained, as arrays for the kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.training.objective import Objective


@dataclass(frozen=True)
class LevelArrays:
    """Arrays of the levels up to the widest that has a weight; l2_weights are 0 for what these do not contain."""

    widths: Int64Array  # (n_levels,)
    weights: Float32Array  # (n_levels,)
    gradient_weights: Float32Array  # (n_levels * n_levels,) of level losses (columns) for blocks (rows)
    inverse_temperatures: Float32Array  # (n_levels,)
    mask: Float32Array  # (n_levels * stride,) 1 for the dimensions that a level contains
    l2_weights: Float32Array  # (stride,)
    dislike_slope_weights: Float32Array  # (n_levels * n_levels,)
    dislike_inverse_temperatures: Float32Array  # (n_levels,)

    @classmethod
    def of(cls, objective: Objective, stride: int) -> LevelArrays:
        """Return the arrays of an objective, for rows of `stride` numbers."""
        n = objective.n_levels
        widths = np.array(objective.widths.values[:n], dtype=np.int64)
        slope_weights, inverse_temperatures = objective.of_dislikes()
        l2_weights = np.zeros(stride, dtype=np.float32)
        l2_weights[: objective.widths.embedding_size] = objective.l2_weights()
        return cls(
            widths=widths,
            weights=np.array(objective.level_weights[:n], dtype=np.float32),
            gradient_weights=objective.gradient_weights()[:n, :n].ravel(),
            inverse_temperatures=objective.inverse_temperatures()[:n],
            mask=(np.arange(stride) < widths[:, None]).astype(np.float32).ravel(),
            l2_weights=l2_weights,
            dislike_slope_weights=slope_weights[:n, :n].ravel(),
            dislike_inverse_temperatures=inverse_temperatures[:n],
        )
