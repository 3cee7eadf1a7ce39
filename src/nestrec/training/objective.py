"""The objective that both engines minimise, with every option resolved, and the initial parameters."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np

from nestrec.arguments import check_number, check_range
from nestrec.arrays import Float32Array
from nestrec.errors import OptionError
from nestrec.inverse_temperatures import compute_inverse_temperatures
from nestrec.widths import Widths


class DislikeObjective(NamedTuple):
    """The loss of a dislike; the formula is in `kernels/training/dislikes.py`."""

    slope_weights: Float32Array  # (n_levels, n_levels) of level losses (columns) for blocks (rows)
    inverse_temperatures: Float32Array  # (n_levels,)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A nested loss, its L2 regularization and the scale of the initial parameters."""

    widths: Widths
    level_weights: tuple[float, ...]  # sum to 1
    n_candidates: int
    regularization: tuple[float, ...]  # weight of the squared coordinates that each level adds to the one before
    starting_scale: float | None  # standard deviation of normal initial values; None: Xavier uniform
    l2_power: float  # exponent of the level weight that a coordinate has in its regularization
    softmax: bool  # over all candidates; otherwise pairwise, against the hardest of them
    coupling: float  # factor per level of distance on a level's loss for a narrower block of coordinates
    temperature: float | None = None  # of the softmax; None: by the width
    regularize_whole: bool = False  # regularize the full vectors of a triplet alike, as the paper does

    def first_levels(self, n: int) -> Objective:
        """Return the objective of the n narrowest levels: the others have neither a loss nor regularization.

        Of more levels, if none of the n has a weight.
        """
        n = max(n, 1 + min(level for level, weight in enumerate(self.level_weights) if weight > 0))
        if n >= len(self.widths):
            return self
        of_levels, others = self.level_weights[:n], (0.0,) * (len(self.widths) - n)
        weights = (*(weight / sum(of_levels) for weight in of_levels), *others)
        return replace(self, level_weights=weights, regularization=(*self.regularization[:n], *others))

    @property
    def n_levels(self) -> int:
        """Levels up to the widest that has a weight."""
        return 1 + max(level for level, weight in enumerate(self.level_weights) if weight > 0)

    def l2_weights(self) -> Float32Array:
        """Return the weight of each squared coordinate, (embedding_size,): its block's regularization.

        It falls with the sum of the weights of the levels that contain the coordinate, to the power `l2_power`. With 0
        and one loss for all blocks (the paper), the last coordinates, which one level of five contains, shrink to zero;
        with 1, each level is regularized as if alone, and what suits the wide ones is too much for the narrow ones. The
        softmax needs neither: there the gradient weights of all blocks have the same sum. With `regularize_whole` all
        weights are those of the blocks alone.
        """
        widths = np.array(self.widths.values)
        contained = np.arange(widths[-1]) < widths[:, None]  # (n_levels, embedding_size)
        shares = np.array(self.level_weights) @ contained
        of_block = np.repeat(self.regularization, np.diff(widths, prepend=0))
        return (of_block * shares ** (0 if self.regularize_whole else self.l2_power)).astype(np.float32)

    def gradient_weights(self) -> Float32Array:
        """Return the weight of each level's loss (column) for the block of coordinates of each level (row).

        (n_levels, n_levels). A row sums to 1, so that all blocks have gradients of the same size; it is 0 for a block
        that is in no level with a weight. A level has its level weight, times `coupling` for each level that it is
        wider than the block's: with 1 narrow prefixes are trained for the sum of all levels, with 0 each block is
        trained for its own level alone, given the narrower ones.
        """
        levels = np.arange(len(self.widths))
        apart = levels - levels[:, None]
        weights = np.where(apart >= 0, self.coupling ** np.maximum(apart, 0.0) * np.array(self.level_weights), 0.0)
        sums = weights.sum(axis=1, keepdims=True)
        normalised: Float32Array = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
        return normalised.astype(np.float32)

    def of_dislikes(self) -> DislikeObjective:
        """Return the loss of an interaction with a disliked item as its only negative."""
        if self.softmax:
            return DislikeObjective(self.gradient_weights(), self.inverse_temperatures())
        n = len(self.widths)
        weights = np.triu(np.tile(np.array(self.level_weights, dtype=np.float32), (n, 1)))
        return DislikeObjective(weights, np.ones(n, dtype=np.float32))

    def inverse_temperatures(self) -> Float32Array:
        """Return the factor of the scores in each level's softmax, (n_levels,)."""
        return compute_inverse_temperatures(self.widths, self.temperature).astype(np.float32)


def normalize_regularization(regularization: float | Sequence[float], widths: Widths) -> tuple[float, ...]:
    """Return one weight per width; raise OptionError if they do not fit the widths.

    >>> normalize_regularization(0.1, Widths((4, 8))), normalize_regularization((0.1, 0.2), Widths((4, 8)))
    ((0.1, 0.1), (0.1, 0.2))
    """
    if not isinstance(regularization, Sequence) or isinstance(cast("object", regularization), str):
        check_range("regularization", cast("float", regularization), 0, 100, 0.05)
        return (cast("float", regularization),) * len(widths)
    if len(regularization) != len(widths):
        raise OptionError(
            f"regularization must be one number or one per width; got {len(regularization)} for {len(widths)} widths",
            option="regularization",
        )
    for value in regularization:
        check_range("regularization", value, 0, 100, 0.05)
    return tuple(regularization)


def normalize_level_weights(weights: Sequence[float] | None, widths: Widths) -> tuple[float, ...]:
    """Return weights that sum to 1; raise OptionError if they do not fit the widths.

    None gives the l-th narrowest width l^(1/3): the first coordinates serve every level, so narrow widths need less
    weight of their own.

    >>> normalize_level_weights((1, 3), Widths((4, 8)))
    (0.25, 0.75)
    """
    if weights is None:
        weights = [float(level) ** (1 / 3) for level in range(1, len(widths) + 1)]
    rule = "level_weights must be numbers, one per width, finite and not negative, the widest one's above 0"
    if not isinstance(weights, Collection) or isinstance(cast("object", weights), str):
        raise OptionError(f"{rule}; got {weights!r} (for example (1, 1, 2))", option="level_weights")
    for weight in weights:
        check_number("level_weights", weight, 1.0)
    is_valid = all(math.isfinite(weight) and weight >= 0 for weight in weights)
    if len(weights) != len(widths) or not is_valid or weights[-1] <= 0:
        given = ",".join(map(str, weights))
        raise OptionError(f"{rule}; got {given} for {len(widths)} widths", option="level_weights")
    return tuple(weight / sum(weights) for weight in weights)


def starting_values(objective: Objective, n_rows: int, stride: int, seed: int, side: int) -> Float32Array:
    """Return (n_rows, stride) initial parameters of users (side 0) or items (side 1), zero beyond the embedding size.

    Normal, or uniform in +-sqrt(6 / (rows + embedding size)) (Xavier: Glorot & Bengio 2010), as in the paper.
    """
    size, scale = objective.widths.embedding_size, objective.starting_scale
    bound = np.float32(np.sqrt(6 / (n_rows + size)))
    values = np.zeros((n_rows, stride), dtype=np.float32)
    rng = np.random.default_rng([seed, side])
    for begin in range(0, n_rows, 65536):  # in blocks, so that memory holds no second copy
        block = values[begin : begin + 65536, :size]
        if scale is None:
            block[:] = rng.random(block.shape, dtype=np.float32) * (2 * bound) - bound
        else:
            block[:] = rng.standard_normal(block.shape, dtype=np.float32)
            block *= np.float32(scale)
    return values
