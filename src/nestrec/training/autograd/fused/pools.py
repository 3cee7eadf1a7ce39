"""Pools of candidates that neighbouring positives share, drawn in one pass: the bits of `negatives.BatchMaker`'s."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from nestrec.training.autograd.counter_rng import Number, on_device
from nestrec.training.autograd.fused.candidates import _random_bits

_RUN = 256  # candidates of a program
_WARPS = 4


@triton.jit(do_not_specialize=["n_items"])
def _draw_pools(
    pools,  # (n_blocks * n_candidates,), written
    key,
    position,
    n_drawn,
    n_items,
    CANDIDATES: tl.constexpr,  # noqa: N803 - known when compiled
    BLOCK: tl.constexpr,  # noqa: N803
    RUN: tl.constexpr,  # noqa: N803
):
    nth = tl.program_id(0) * RUN + tl.arange(0, RUN)
    lane = (nth % CANDIDATES).to(tl.int64)
    block = tl.load(position) // BLOCK + nth // CANDIDATES
    bits = _random_bits(tl.load(key), block * CANDIDATES + lane)
    below = (((bits >> 32) * n_items.to(tl.uint64)) >> 32).to(tl.int64)
    tl.store(pools + nth, (lane * n_items + below) // CANDIDATES, mask=nth < n_drawn)


def draw_pools(
    key: Number,  # random key of the epoch's candidates
    position: Number,  # of the batch in the epoch's order
    shape: tuple[int, int],  # blocks, candidates
    n_items: int,
    block: int,  # neighbouring positives that share a pool
    device: torch.device,
) -> torch.Tensor:
    """Return (n_blocks, n_candidates) item indices, int64: one of each equal range of the catalogue."""
    pools = torch.empty(shape, dtype=torch.int64, device=device)
    held = (on_device(number, device) for number in (key, position))
    _draw_pools[(triton.cdiv(pools.numel(), _RUN),)](
        pools, *held, pools.numel(), n_items, CANDIDATES=shape[1], BLOCK=block, RUN=_RUN, num_warps=_WARPS
    )
    return pools
