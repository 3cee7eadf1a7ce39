"""Drawing candidates and scoring them with the prefix of their level; nothing here is differentiated.

Kernels read each prefix where it stands, a compiled one on a CPU in float32, a fused one on CUDA devices; elsewhere,
and as their oracle, torch gathers and multiplies. All draw the same candidates.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from nestrec.kernels.nested_bpr import BLOCK
from nestrec.kernels.pool import mark_seen
from nestrec.kernels.scored_candidates import score_candidates
from nestrec.training.autograd import fused
from nestrec.training.autograd.counter import random_bits
from nestrec.training.autograd.unseen import SeenItems

_LEAST_SHARE = 256  # positives worth a thread of their own


@dataclass(frozen=True)
class Candidates:
    """Drawn items and their scores, each (batch, n_pools, n_candidates)."""

    items: torch.Tensor  # int64
    scores: torch.Tensor  # float32


class Drawing(Protocol):
    """Draws and scores candidates over one CSR matrix of seen items."""

    def __call__(
        self,
        users: torch.Tensor,  # (n_users, embedding_size)
        items: torch.Tensor,  # (n_items, embedding_size)
        rows: torch.Tensor,  # (batch,) the users of the batch
        widths: tuple[int, ...],  # one for each pool
        n_candidates: int,
        key: int,
        first_position: int,
    ) -> Candidates:
        """Return `n_candidates` for each row and width, and their scores."""

    def seen_lanes(self, users: torch.Tensor, pools: torch.Tensor) -> torch.Tensor:
        """Return (batch, n_candidates): which items of its block's pool (n_blocks, n_candidates) each user has seen."""


def drawing_for(
    indptr: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int32],
    n_items: int,
    device: torch.device,
    threads: int,
    *,
    mixed: bool,
) -> Drawing:
    """Return the fastest there is for a device, and for vectors in float32 or, `mixed`, in bfloat16."""
    if fused.serves(device):
        return Fused(indptr, indices, n_items, device)
    if device.type == "cpu" and not mixed:
        return Compiled(indptr, indices, n_items, threads)
    return Plain(indptr, indices, n_items, device)


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


class Plain:
    """Plain torch, on any device."""

    def __init__(
        self, indptr: npt.NDArray[np.int64], indices: npt.NDArray[np.int32], n_items: int, device: torch.device
    ) -> None:
        self._csr, self._n_items, self._device = (indptr, indices), n_items, device

    def __call__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        rows: torch.Tensor,
        widths: tuple[int, ...],
        n_candidates: int,
        key: int,
        first_position: int,
    ) -> Candidates:
        """Draw and score."""
        return gathered(users, items, rows, self._seen, widths, n_candidates, key, first_position)

    def seen_lanes(self, users: torch.Tensor, pools: torch.Tensor) -> torch.Tensor:
        """Look each pair up."""
        spread = pools.repeat_interleave(BLOCK, dim=0)[: len(users)]
        return self._seen.holds(users[:, None].expand_as(spread), spread)

    @cached_property
    def _seen(self) -> SeenItems:
        return SeenItems(*self._csr, self._n_items, self._device)


class Fused(Plain):
    """The kernel for CUDA devices; plain torch looks up pools."""

    def __init__(
        self, indptr: npt.NDArray[np.int64], indices: npt.NDArray[np.int32], n_items: int, device: torch.device
    ) -> None:
        super().__init__(indptr, indices, n_items, device)
        self._indptr = torch.from_numpy(np.ascontiguousarray(indptr)).to(device)
        self._indices = torch.from_numpy(np.ascontiguousarray(indices)).to(device)
        self._n_halvings = int(np.diff(indptr).max(initial=0)).bit_length()

    def __call__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        rows: torch.Tensor,
        widths: tuple[int, ...],
        n_candidates: int,
        key: int,
        first_position: int,
    ) -> Candidates:
        """Draw and score as `gathered` does; sums are float32's for vectors in bfloat16 too."""
        from nestrec.training.autograd.fused.candidates import draw_and_score

        seen = self._indptr, self._indices, self._n_halvings
        return Candidates(*draw_and_score(users, items, rows, *seen, widths, n_candidates, key, first_position))


@dataclass(frozen=True)
class Compiled:
    """The compiled kernel; `threads` share a batch."""

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    n_items: int
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

    def seen_lanes(self, users: torch.Tensor, pools: torch.Tensor) -> torch.Tensor:
        """Search the seen items of each user."""
        seen = torch.zeros((len(users), pools.shape[1]), dtype=torch.bool)
        mark_seen(pools.numpy(), self.n_items, self.indptr, self.indices, users.numpy(), BLOCK, seen.numpy())
        return seen
