"""Rounds of deterministic training of the softmax: their size, and the threads that train them together."""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.kernels.training.block_lanes import DIMENSION_LANES
from nestrec.kernels.training.deterministic_softmax import N_COUNTERS, train_rounds
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.parallel.threads import map_in_threads
from nestrec.training.aligned_rows import new_aligned_rows
from nestrec.training.objective import Objective

_BLOCKS = 16  # of a round: gradients that are a thousand positives old train as well (docs/results/defaults.md)
_ROUNDS = 16  # of an epoch, at least


def round_blocks(n_positives: int, slice_blocks: int) -> int:
    """Return the blocks of a round, the same on every machine: fewer in small data, and no more than a slice has."""
    return max(1, min(_BLOCKS, slice_blocks, n_positives // (_ROUNDS * POOL_BLOCK)))


class Rounds:
    """Memory of a round, about 100 kB a block with 64 candidates and dimensions, and the threads that share it."""

    def __init__(self, objective: Objective, n_blocks: int, threads: int) -> None:
        n_rows = 2 * POOL_BLOCK + objective.n_candidates
        padded = -(-objective.widths.embedding_size // DIMENSION_LANES) * DIMENSION_LANES
        n_masses = len(objective.widths) * objective.n_candidates
        self.n_blocks = n_blocks
        self.threads = min(threads, n_blocks)
        self._buffers = (
            np.empty(n_blocks * n_rows, dtype=np.int64),
            new_aligned_rows(n_blocks * n_rows, padded).reshape(-1),
            new_aligned_rows(n_blocks, n_masses).reshape(-1),
        )

    def train(self, arguments: tuple[Any, ...], start: int, stop: int) -> tuple[float, int]:
        """Train on positions [start, stop), given the kernel's other arguments; return (sum of losses, positives)."""
        n_blocks = -(-(stop - start) // POOL_BLOCK)
        claims = np.zeros(self.n_blocks + self.threads, dtype=np.int64)
        counters = np.zeros(N_COUNTERS, dtype=np.int64)
        losses, counts = np.zeros(n_blocks), np.zeros(n_blocks, dtype=np.int64)
        shared = (self.n_blocks, *self._buffers, claims, counters, losses, counts)
        kernel: Any = train_rounds
        map_in_threads(
            lambda thread: kernel(thread, self.threads, *shared, *arguments, start, stop),
            range(self.threads),
            self.threads,
        )
        return float(losses.sum()), int(counts.sum())
