"""The CPU engine: parameters, their sums of squared gradients, and the kernel that updates both in place.

Memory beside the interactions: parameters and sums, 2 x 4 x embedding_size x (n_users + n_items) bytes, and
4 bytes per interaction for its user, 4 more where interactions have weights.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.counter_rng import random_bits
from nestrec.kernels.simd.lanes import LANES
from nestrec.kernels.training import dislikes, nested_bpr, nested_softmax
from nestrec.kernels.training.tile_sizes import BLOCK, POOL_BLOCK
from nestrec.parallel.threads import map_in_threads
from nestrec.training.aligned_rows import align_rows, new_aligned_rows
from nestrec.training.level_arrays import LevelArrays
from nestrec.training.objective import Objective, starting_values
from nestrec.training.optimizers import FIRST_SQUARE
from nestrec.training.rounds import Rounds, round_blocks
from nestrec.training.signals import Signals

_SLICE = 65_536  # positives between two checks of the clock: about a tenth of a second with `_USUAL` work
_USUAL = 64 * 64  # candidates times dimensions
_DISLIKES = 2**40  # the random number of an epoch from which that of its dislikes comes


class CpuEngine:
    """A nested loss over the CSR matrix of interactions."""

    def __init__(
        self,
        indptr: Int64Array,  # (n_users + 1,)
        indices: Int32Array,  # (n_interactions,) ascending per user
        n_items: int,
        objective: Objective,
        seed: int,
        threads: int,
        *,
        deterministic: bool = False,
        signals: Signals = Signals(),  # noqa: B008 - a tuple
    ) -> None:
        self.objective = objective
        self.seed = seed
        self.threads = 1 if deterministic and not objective.softmax else threads
        self.indptr, self.indices = indptr, indices
        n_users = len(indptr) - 1
        self._signals = signals
        self._weights = np.zeros(0, dtype=np.float32) if signals.weights is None else signals.weights
        self._user_of = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(indptr))
        self._stride = -(-objective.widths.embedding_size // LANES) * LANES
        self._levels = LevelArrays.of(objective, self._stride)
        self.users = align_rows(starting_values(objective, n_users, self._stride, seed, 0))
        self.items = align_rows(starting_values(objective, n_items, self._stride, seed, 1))
        self.user_squares = new_aligned_rows(n_users, self._stride)
        self.item_squares = new_aligned_rows(n_items, self._stride)
        self.user_squares[:] = self.item_squares[:] = FIRST_SQUARE
        self._rounds: Rounds | None = None
        if deterministic and objective.softmax:
            self._rounds = Rounds(objective, round_blocks(self.n_positives, self.slice_size // POOL_BLOCK), threads)

    @property
    def n_positives(self) -> int:
        """Positives in an epoch."""
        return len(self.indices)

    @property
    def slice_size(self) -> int:
        """Positives to train between two checks of the clock: fewer if each is more work, whole blocks or rounds."""
        block = _block(self.objective) * (self._rounds.n_blocks if self._rounds else 1)
        return max(1, _SLICE * _USUAL // _work(self.objective) // block) * block

    @property
    def user_embeddings(self) -> Float32Array:
        """(n_users, embedding_size), a view of the parameters."""
        return self.users[:, : self.objective.widths.embedding_size]

    @property
    def item_embeddings(self) -> Float32Array:
        """(n_items, embedding_size), a view of the parameters."""
        return self.items[:, : self.objective.widths.embedding_size]

    def use_levels(self, n: int) -> None:
        """Train the n narrowest levels from the next step on; dimensions of none of them keep their values."""
        self._levels = LevelArrays.of(self.objective.first_levels(n), self._stride)

    def train(self, epoch: int, start: int, stop: int, learning_rate: float) -> tuple[float, int]:
        """Train on positions [start, stop) of the epoch's order; return the sum of losses and the positives trained.

        Returns when all threads have finished: the state is that after `stop`. A deterministic run trains an epoch in
        slices of `slice_size`.
        """
        key = np.uint64(random_bits(np.uint64(self.seed), epoch))
        of_dislikes = 0.0
        if self._signals.n_dislikes:
            of_dislikes = self._train_dislikes(key, start, stop, learning_rate)
        if self._rounds is not None:
            loss, n_trained = self._rounds.train(self._arguments(key, learning_rate), start, stop)
            return loss + of_dislikes, n_trained
        bounds = _thread_ranges(start, stop, self.threads, _block(self.objective))
        results = map_in_threads(lambda bound: self._slice(key, *bound, learning_rate), bounds, self.threads)
        return sum(loss for loss, _ in results) + of_dislikes, sum(n for _, n in results)

    def state(self) -> dict[str, Float32Array]:
        """Return parameters and optimizer state by name, not copied."""
        return {
            "users": self.users,
            "items": self.items,
            "user_squares": self.user_squares,
            "item_squares": self.item_squares,
        }

    def restore(self, state: dict[str, Float32Array]) -> None:
        """Restore the result of `state`."""
        for name, array in self.state().items():
            np.copyto(array, state[name])

    def release(self, *, vectors: bool) -> None:
        """Free the sums of squared gradients, and with `vectors` the parameters."""
        empty = np.zeros((0, self._stride), dtype=np.float32)
        self.user_squares = self.item_squares = empty
        if vectors:
            self.users = self.items = empty

    def _slice(self, key: np.uint64, start: int, stop: int, learning_rate: float) -> tuple[float, int]:
        kernel: Any = nested_softmax.train_slice if self.objective.softmax else nested_bpr.train_slice
        result: tuple[float, int] = kernel(*self._arguments(key, learning_rate), start, stop)
        return result

    def _train_dislikes(self, epoch_key: np.uint64, start: int, stop: int, learning_rate: float) -> float:
        """Train the dislikes that belong to a slice of the epoch, in order, on one thread; return the sum of losses."""
        kernel: Any = dislikes.train_slice
        levels = self._levels
        loss: float = kernel(
            self.users.reshape(-1),
            self.items.reshape(-1),
            self.user_squares.reshape(-1),
            self.item_squares.reshape(-1),
            self.indptr,
            self.indices,
            self._signals.disliking,
            self._signals.disliked,
            levels.widths,
            levels.weights,
            levels.dislike_slope_weights,
            levels.dislike_inverse_temperatures,
            self._stride,
            np.float32(learning_rate),
            np.uint64(random_bits(epoch_key, _DISLIKES)),
            *self._signals.dislikes_of_slice(start, stop, self.n_positives),
        )
        return loss

    def _arguments(self, key: np.uint64, learning_rate: float) -> tuple[Any, ...]:
        """Return what kernels take before the positions; NumPy scalars, for whose types they are compiled."""
        levels, is_softmax = self._levels, self.objective.softmax
        by_level = (levels.gradient_weights, levels.inverse_temperatures) if is_softmax else (levels.mask,)
        return (
            self.users.reshape(-1),
            self.items.reshape(-1),
            self.user_squares.reshape(-1),
            self.item_squares.reshape(-1),
            self.indptr,
            self.indices,
            self._user_of,
            self._weights,
            levels.widths,
            levels.weights,
            *by_level,
            self._stride,
            self.objective.n_candidates,
            np.float32(learning_rate),
            levels.l2_weights,
            key,
        )


def _work(objective: Objective) -> int:
    """Return about how many products a positive takes at most."""
    size, n_levels, n_candidates = objective.widths.embedding_size, len(objective.widths), objective.n_candidates
    scored = max(64, size) * max(64, n_candidates)
    if objective.softmax:  # every level's shares are mixed for every narrower one
        return scored + max(0, n_candidates * n_levels * (n_levels - 16) // 8)
    return scored + n_levels * n_candidates * max(0, n_candidates - 64) // 8  # of a user who has seen all candidates


def _block(objective: Objective) -> int:
    """Return the positives that share candidates."""
    return POOL_BLOCK if objective.softmax else BLOCK


def _thread_ranges(start: int, stop: int, threads: int, block: int) -> list[tuple[int, int]]:
    """Split [start, stop) into one range per thread, at multiples of block from the start."""
    blocks = -(-(stop - start) // block)
    cuts = [min(stop, start + block * (blocks * k // threads)) for k in range(threads + 1)]
    return [(low, high) for low, high in pairwise(cuts) if low < high]
