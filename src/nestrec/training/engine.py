"""The CPU engine: parameters, their accumulated squares, and the kernel that updates both in place.

Memory beside the interactions: vectors and accumulators, 2 x 4 x embedding_size x (n_users + n_items) bytes, and
4 bytes per interaction for its user.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.kernels import nested_bpr, nested_softmax
from nestrec.kernels.lanes import LANES
from nestrec.kernels.nested_bpr import BLOCK
from nestrec.kernels.shuffle import random_bits
from nestrec.widths import Widths

FloatMatrix = npt.NDArray[np.float32]

SHARPNESS = 3.0  # of the softmax at width 64
SHARPNESS_POWER = 0.6  # how it rises as the width falls
_FIRST_SQUARE = 1e-8  # accumulators start above 0 so that a coordinate without gradient divides by something


@dataclass(frozen=True)
class Objective:
    """What the kernel minimises, with every choice made."""

    widths: Widths
    level_weights: tuple[float, ...]  # sum to 1
    n_candidates: int
    regularization: float  # weight of a squared coordinate that every level holds
    starting_scale: float  # standard deviation of the starting values
    share_power: float  # how a coordinate's regularization falls with the share of the loss that holds it
    softmax: bool  # over all candidates; or pairwise, against the hardest of them
    coupling: float  # what a level's loss weighs for a narrower block of coordinates, for each level between them

    def decays(self) -> npt.NDArray[np.float32]:
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

    def pulls(self) -> FloatMatrix:
        """Return what each level's loss (column) weighs for the coordinates that each level adds (row).

        (n_levels, n_levels). A row sums to 1, so that all coordinates are pulled, and held back, alike. A level has its
        weight, times `coupling` for each level that it is wider: with 1 the narrow prefixes become what serves the wide
        widths best, with 0 each level's coordinates are trained for that width alone, given the narrower ones.
        """
        levels = np.arange(len(self.widths))
        apart = levels - levels[:, None]
        weights = np.where(apart >= 0, self.coupling ** np.maximum(apart, 0.0) * np.array(self.level_weights), 0.0)
        pulls: FloatMatrix = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return pulls

    def sharpness(self) -> npt.NDArray[np.float32]:
        """Return the factor of the scores in each level's softmax, (n_levels,).

        Narrow prefixes have small scores and can tell few items apart; a sharper softmax makes them spend what they
        have on the items that come near the top.
        """
        narrowness = 64 / np.array(self.widths.values)
        return (SHARPNESS * narrowness**SHARPNESS_POWER).astype(np.float32)


class CpuEngine:
    """A nested loss over one CSR matrix."""

    def __init__(
        self,
        indptr: npt.NDArray[np.int64],  # (n_users + 1,)
        indices: npt.NDArray[np.int32],  # (n_interactions,) ascending per user
        n_items: int,
        objective: Objective,
        seed: int,
        threads: int,
    ) -> None:
        self.objective = objective
        self.seed = seed
        self.threads = threads
        self.indptr, self.indices = indptr, indices
        n_users = len(indptr) - 1
        self._user_of = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(indptr))
        widths = np.array(objective.widths.values, dtype=np.int64)
        self._stride = -(-int(widths[-1]) // LANES) * LANES
        self._widths = widths
        self._inside = (np.arange(self._stride) < widths[:, None]).astype(np.float32).ravel()
        self._level_weights = np.array(objective.level_weights, dtype=np.float32)
        self._pulls = objective.pulls().ravel()
        self._decays = np.zeros(self._stride, dtype=np.float32)
        self._decays[: widths[-1]] = objective.decays()
        self.users = self._starting_values(n_users, 0)
        self.items = self._starting_values(n_items, 1)
        self.user_squares = np.full_like(self.users, _FIRST_SQUARE)
        self.item_squares = np.full_like(self.items, _FIRST_SQUARE)

    @property
    def n_positives(self) -> int:
        """Positives in an epoch."""
        return len(self.indices)

    @property
    def user_embeddings(self) -> FloatMatrix:
        """(n_users, embedding_size), a view of what is being trained."""
        return self.users[:, : self.objective.widths.embedding_size]

    @property
    def item_embeddings(self) -> FloatMatrix:
        """(n_items, embedding_size), a view of what is being trained."""
        return self.items[:, : self.objective.widths.embedding_size]

    def train(self, epoch: int, start: int, stop: int, learning_rate: float) -> tuple[float, int]:
        """Train on positions [start, stop) of the epoch's order; return the sum of losses and the positives trained.

        Returns when all threads have finished: the state is that after `stop`.
        """
        key = np.uint64(random_bits(np.uint64(self.seed), epoch))
        bounds = _shares(start, stop, self.threads)
        with ThreadPoolExecutor(self.threads) as pool:
            shares = [pool.submit(self._slice, key, *bound, learning_rate) for bound in bounds]
        results = [share.result() for share in shares]
        return sum(loss for loss, _ in results), sum(n for _, n in results)

    def state(self) -> dict[str, FloatMatrix]:
        """Return all that training changes, by name: the arrays themselves."""
        return {
            "users": self.users,
            "items": self.items,
            "user_squares": self.user_squares,
            "item_squares": self.item_squares,
        }

    def restore(self, state: dict[str, FloatMatrix]) -> None:
        """Take up what `state` gave."""
        for name, array in self.state().items():
            np.copyto(array, state[name])

    def release(self, *, vectors: bool) -> None:
        """Give back the memory of the accumulators, and of the vectors too where they are not wanted any more."""
        nothing = np.zeros((0, self._stride), dtype=np.float32)
        self.user_squares = self.item_squares = nothing
        if vectors:
            self.users = self.items = nothing

    def _slice(self, key: np.uint64, start: int, stop: int, learning_rate: float) -> tuple[float, int]:
        objective = self.objective
        kernel: Any = nested_softmax.train_slice if objective.softmax else nested_bpr.train_slice
        by_level = (self._pulls, objective.sharpness()) if objective.softmax else (self._inside,)
        result: tuple[float, int] = kernel(  # its numbers are numpy's: the kernel is compiled for their types
            self.users.reshape(-1),
            self.items.reshape(-1),
            self.user_squares.reshape(-1),
            self.item_squares.reshape(-1),
            self.indptr,
            self.indices,
            self._user_of,
            self._widths,
            self._level_weights,
            *by_level,
            self._stride,
            objective.n_candidates,
            np.float32(learning_rate),
            self._decays,
            key,
            start,
            stop,
        )
        return result

    def _starting_values(self, n_rows: int, side: int) -> FloatMatrix:
        size = self.objective.widths.embedding_size
        values = np.zeros((n_rows, self._stride), dtype=np.float32)
        rng = np.random.default_rng([self.seed, side])
        for begin in range(0, n_rows, 65536):  # in steps, so that memory holds no second copy
            block = values[begin : begin + 65536, :size]
            block[:] = rng.standard_normal(block.shape, dtype=np.float32)
            block *= np.float32(self.objective.starting_scale)
        return values


def _shares(start: int, stop: int, threads: int) -> list[tuple[int, int]]:
    """Cut [start, stop) into one stretch a thread, at multiples of BLOCK from the start."""
    blocks = -(-(stop - start) // BLOCK)
    cuts = [min(stop, start + BLOCK * (blocks * k // threads)) for k in range(threads + 1)]
    return [(low, high) for low, high in pairwise(cuts) if low < high]
