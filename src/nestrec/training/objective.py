"""What both engines minimise, with every choice made, and the values they start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.widths import Widths

SHARPNESS = 3.0  # of the softmax at width 64
SHARPNESS_POWER = 0.6  # how it rises as the width falls


@dataclass(frozen=True)
class Objective:
    """A nested loss, how vectors are held back, and how they start."""

    widths: Widths
    level_weights: tuple[float, ...]  # sum to 1
    n_candidates: int
    regularization: float  # weight of a squared coordinate that every level holds
    starting_scale: float | None  # standard deviation of normal starting values; None: Xavier's uniform ones
    share_power: float  # how a coordinate's regularization falls with the share of the loss that holds it
    softmax: bool  # over all candidates; or pairwise, against the hardest of them
    coupling: float  # what a level's loss weighs for a narrower block of coordinates, for each level between them
    temperature: float | None = None  # of the softmax; None: by the width
    whole: bool = False  # hold back the whole vectors of a triplet alike, as the paper does

    def decays(self) -> Float32Array:
        """Return the weight of each squared coordinate, (embedding_size,).

        It falls with the share of the loss that holds the coordinate, to the power `share_power`. With 0 and one loss
        for all (the paper) the last coordinates, which one level of five holds, are held down to nothing; with 1 each
        level would be as if regularised alone, and what is enough for the wide ones is too much for the narrow. The
        softmax needs none of it: there the pull on all coordinates is the same (`pulls`).
        """
        widths = np.array(self.widths.values)
        held = np.arange(widths[-1]) < widths[:, None]  # (n_levels, embedding_size)
        shares = np.array(self.level_weights) @ held
        return (self.regularization * shares**self.share_power).astype(np.float32)

    def pulls(self) -> Float32Array:
        """Return what each level's loss (column) weighs for the coordinates that each level adds (row).

        (n_levels, n_levels). A row sums to 1, so that all coordinates are pulled, and held back, alike. A level has its
        weight, times `coupling` for each level that it is wider: with 1 the narrow prefixes become what serves the wide
        widths best, with 0 each level's coordinates are trained for that width alone, given the narrower ones.
        """
        levels = np.arange(len(self.widths))
        apart = levels - levels[:, None]
        weights = np.where(apart >= 0, self.coupling ** np.maximum(apart, 0.0) * np.array(self.level_weights), 0.0)
        pulls: Float32Array = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return pulls

    def sharpness(self) -> Float32Array:
        """Return the factor of the scores in each level's softmax, (n_levels,): the inverse of its temperature.

        Narrow prefixes have small scores and can tell few items apart; a sharper softmax makes them spend what they
        have on the items that come near the top.
        """
        if self.temperature is not None:
            return np.full(len(self.widths), 1 / self.temperature, dtype=np.float32)
        narrowness = 64 / np.array(self.widths.values)
        return (SHARPNESS * narrowness**SHARPNESS_POWER).astype(np.float32)


def starting_values(objective: Objective, n_rows: int, stride: int, seed: int, side: int) -> Float32Array:
    """Return (n_rows, stride) values of users (side 0) or items (side 1); those beyond the embedding size are zero.

    Normal ones, or uniform in +-sqrt(6 / (rows + embedding size)) (Glorot & Bengio 2010), which the paper starts from.
    """
    size, scale = objective.widths.embedding_size, objective.starting_scale
    bound = np.float32(np.sqrt(6 / (n_rows + size)))
    values = np.zeros((n_rows, stride), dtype=np.float32)
    rng = np.random.default_rng([seed, side])
    for begin in range(0, n_rows, 65536):  # in steps, so that memory holds no second copy
        block = values[begin : begin + 65536, :size]
        if scale is None:
            block[:] = rng.random(block.shape, dtype=np.float32) * (2 * bound) - bound
        else:
            block[:] = rng.standard_normal(block.shape, dtype=np.float32)
            block *= np.float32(scale)
    return values
