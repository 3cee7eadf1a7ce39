"""Drawing candidates and scoring them with the prefix of their level, without autograd.

Kernels read each prefix in place: a compiled one on a CPU in float32, a fused one on CUDA devices. Elsewhere, and as
the reference in tests, torch gathers and multiplies. All draw the same candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch

from nestrec.arrays import Int32Array, Int64Array
from nestrec.kernels.training.pool import mark_seen
from nestrec.kernels.training.scored_candidates import score_candidates
from nestrec.parallel.threads import map_in_threads
from nestrec.training.autograd import fused
from nestrec.training.autograd.candidates import CandidateRequest, Candidates
from nestrec.training.autograd.counter_rng import random_bits
from nestrec.training.autograd.seen_rows import SeenRows
from nestrec.training.autograd.unseen import SeenItems

_LEAST_SHARE = 256  # positives per thread, at least
_PRODUCTS_AT_ONCE = 1 << 28  # in a kernel call: about a tenth of a second


class Drawing(Protocol):
    """Draws and scores candidates, given the CSR matrix of seen items."""

    def __call__(self, users: torch.Tensor, items: torch.Tensor, request: CandidateRequest) -> Candidates:
        """Draw, and score by users (n_users, embedding_size) and items (n_items, embedding_size)."""

    def seen_lanes(self, users: torch.Tensor, pools: torch.Tensor, block: int) -> torch.Tensor:
        """Return (batch, n_candidates): the items that each user has seen of pools (n_blocks, n_candidates).

        `block` neighbouring users share a pool.
        """


def drawing_for(
    indptr: Int64Array,
    indices: Int32Array,
    n_items: int,
    device: torch.device,
    threads: int,
    *,
    mixed: bool,
) -> Drawing:
    """Return the fastest implementation for a device and vectors in float32 or, with `mixed`, in bfloat16."""
    if fused.serves(device):
        return Fused(indptr, indices, n_items, device)
    if device.type == "cpu" and not mixed:
        return Compiled(indptr, indices, n_items, threads)
    return Plain(indptr, indices, n_items, device)


class Plain:
    """Plain torch, on any device, by vectors of any floating type."""

    def __init__(self, indptr: Int64Array, indices: Int32Array, n_items: int, device: torch.device) -> None:
        self._csr, self._n_items, self._device = (indptr, indices), n_items, device

    def __call__(self, users: torch.Tensor, items: torch.Tensor, request: CandidateRequest) -> Candidates:
        """Gather and multiply."""
        n, n_pools, n_candidates = request.shape
        each = n_pools * n_candidates
        positions = torch.arange(n * each, device=self._device).view(request.shape) + request.first_position * each
        drawn = self._seen.draw(request.users, random_bits(request.key, positions))
        vectors = users[request.users]
        scores = [
            (items[:, :width][drawn[:, level]] @ vectors[:, :width, None])[..., 0]
            for level, width in enumerate(request.widths)
        ]
        return Candidates(drawn, torch.stack(scores, dim=1).float())

    def seen_lanes(self, users: torch.Tensor, pools: torch.Tensor, block: int) -> torch.Tensor:
        """Look up each pair."""
        spread = pools.repeat_interleave(block, dim=0)[: len(users)]
        return self._seen.holds(users[:, None].expand_as(spread), spread)

    @cached_property
    def _seen(self) -> SeenItems:
        return SeenItems(*self._csr, self._n_items, self._device)


class Fused(Plain):
    """The kernel for CUDA devices; plain torch looks up the pools of losses without a kernel.

    Sums are in float32 for vectors in bfloat16 too.
    """

    def __init__(self, indptr: Int64Array, indices: Int32Array, n_items: int, device: torch.device) -> None:
        super().__init__(indptr, indices, n_items, device)
        self.seen_rows = SeenRows.on_device(indptr, indices, device)

    def __call__(self, users: torch.Tensor, items: torch.Tensor, request: CandidateRequest) -> Candidates:
        """Read each prefix in place."""
        from nestrec.training.autograd.fused.candidates import draw_and_score

        return draw_and_score(users, items, self.seen_rows, request)


@dataclass(frozen=True)
class Compiled:
    """The compiled kernel for vectors in float32 on the CPU; threads share a batch."""

    indptr: Int64Array
    indices: Int32Array
    n_items: int
    threads: int

    def __call__(self, users: torch.Tensor, items: torch.Tensor, request: CandidateRequest) -> Candidates:
        """Read each prefix in place."""
        drawn, scores = (torch.empty(request.shape, dtype=kind) for kind in (torch.int64, torch.float32))
        vectors, matrix = users.numpy(), items.numpy()
        rows, prefixes = request.users.numpy(), np.array(request.widths)
        bits: Any = np.uint64(int(request.key))  # numpy's: the kernel is compiled for its type
        outputs = drawn.numpy(), scores.numpy()

        def fill(start: int, stop: int) -> None:
            score_candidates(
                vectors,
                matrix,
                self.indptr,
                self.indices,
                rows,
                prefixes,
                bits,
                int(request.first_position),
                start,
                stop,
                *outputs,
            )

        threads = max(1, min(self.threads, len(rows) // _LEAST_SHARE))
        of_a_row = request.n_candidates * sum(request.widths)
        shares = max(threads, -(-len(rows) * of_a_row // _PRODUCTS_AT_ONCE))
        cuts = [len(rows) * share // shares for share in range(shares + 1)]
        map_in_threads(lambda share: fill(*share), pairwise(cuts), threads)
        return Candidates(drawn, scores)

    def seen_lanes(self, users: torch.Tensor, pools: torch.Tensor, block: int) -> torch.Tensor:
        """Search the seen items of each user."""
        seen = torch.zeros((len(users), pools.shape[1]), dtype=torch.bool)
        mark_seen(pools.numpy(), self.n_items, self.indptr, self.indices, users.numpy(), block, seen.numpy())
        return seen
