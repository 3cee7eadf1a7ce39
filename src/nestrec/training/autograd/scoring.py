"""Drawing candidates and scoring them with the prefix of their level; nothing here is differentiated.

On a CPU in float32 a compiled kernel reads each prefix where it stands; elsewhere, and as its oracle, torch gathers and
multiplies. Both draw the same candidates.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nestrec.kernels.nested_bpr import BLOCK
from nestrec.kernels.pool import mark_seen
from nestrec.kernels.scored_candidates import score_candidates
from nestrec.training.autograd.counter import random_bits
from nestrec.training.autograd.unseen import SeenItems

_LEAST_SHARE = 256  # positives worth a thread of their own


@dataclass(frozen=True)
class Candidates:
    """Drawn items and their scores, each (batch, n_pools, n_candidates)."""

    items: torch.Tensor  # int64
    scores: torch.Tensor  # float32


def gathered(
    users: torch.Tensor,  # (n_users, embedding_size), of any floating type
    items: torch.Tensor,  # (n_items, embedding_size), the same
    rows: torch.Tensor,  # (batch,) the users of the batch
    seen: SeenItems,
    widths: tuple[int, ...],  # one for each pool
    n_candidates: int,
    key: int,
    first_position: int,
) -> Candidates:
    """Draw and score in plain torch."""
    shape = len(rows), len(widths), n_candidates
    each = len(widths) * n_candidates
    positions = torch.arange(first_position * each, (first_position + len(rows)) * each, device=rows.device).view(shape)
    drawn = seen.draw(rows, random_bits(key, positions))
    vectors = users[rows]
    scores = [
        (items[:, :width][drawn[:, level]] @ vectors[:, :width, None])[..., 0] for level, width in enumerate(widths)
    ]
    return Candidates(drawn, torch.stack(scores, dim=1).float())


@dataclass(frozen=True)
class Kernel:
    """The compiled kernel over one CSR matrix; `threads` share a batch."""

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    threads: int

    def __call__(
        self,
        users: torch.Tensor,  # (n_users, embedding_size) float32 on the CPU
        items: torch.Tensor,
        rows: torch.Tensor,
        widths: tuple[int, ...],
        n_candidates: int,
        key: int,
        first_position: int,
    ) -> Candidates:
        """Draw and score as `gathered` does."""
        shape = len(rows), len(widths), n_candidates
        drawn, scores = torch.empty(shape, dtype=torch.int64), torch.empty(shape, dtype=torch.float32)
        vectors, matrix = users.numpy(), items.numpy()
        wanted, prefixes = rows.numpy(), np.array(widths)
        bits: Any = np.uint64(key)  # numpy's: the kernel is compiled for its type
        outputs = drawn.numpy(), scores.numpy()

        def fill(start: int, stop: int) -> None:
            score_candidates(
                vectors,
                matrix,
                self.indptr,
                self.indices,
                wanted,
                prefixes,
                bits,
                first_position,
                start,
                stop,
                *outputs,
            )

        shares = max(1, min(self.threads, len(rows) // _LEAST_SHARE))
        cuts = [len(rows) * share // shares for share in range(shares + 1)]
        if shares == 1:
            fill(0, len(rows))
        else:
            with ThreadPoolExecutor(shares) as pool:
                list(pool.map(fill, cuts, cuts[1:]))
        return Candidates(drawn, scores)

    def seen_lanes(self, users: torch.Tensor, pools: torch.Tensor, n_items: int) -> torch.Tensor:
        """Return (batch, n_candidates): which items of its block's pool (n_blocks, n_candidates) each user has seen."""
        seen = torch.zeros((len(users), pools.shape[1]), dtype=torch.bool)
        mark_seen(pools.numpy(), n_items, self.indptr, self.indices, users.numpy(), BLOCK, seen.numpy())
        return seen
