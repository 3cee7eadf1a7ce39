"""Candidates for negatives, drawn from unseen items and scored by a prefix, without gathering them first.

A program takes a run of candidates: it hashes their positions, searches their users' seen items, reads the drawn items'
prefixes and writes a score of each. It moves the prefixes and 12 bytes per candidate. The draws are those of
`scoring.Plain` and of `kernels/training/scored_candidates.py`, bit for bit.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from nestrec.training.autograd.candidates import CandidateRequest, Candidates
from nestrec.training.autograd.counter_rng import on_device
from nestrec.training.autograd.seen_rows import SeenRows

_TILE = 4096  # numbers that a program holds of each side
_WARPS = 4


@triton.jit
def _random_bits(key, positions):
    bits = (positions.to(tl.uint64) + 1) * 0x9E3779B97F4A7C15 + key.to(tl.int64).to(tl.uint64)
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB
    return bits ^ (bits >> 31)


@triton.jit
def _unseen_item(indptr, indices, users, bits, n_items, live, HALVINGS: tl.constexpr):  # noqa: N803
    start = tl.load(indptr + users, mask=live, other=0)
    n_seen = (tl.load(indptr + users + 1, mask=live, other=0) - start).to(tl.int32)
    rank = (((bits >> 32) * (n_items - n_seen).to(tl.uint64)) >> 32).to(tl.int32)
    low = tl.zeros_like(rank)
    high = n_seen
    for _ in range(HALVINGS):  # seen items with at most `rank` unseen ones below them
        middle = (low + high) >> 1
        open_still = live & (low < high)
        passed = open_still & (tl.load(indices + start + middle, mask=open_still, other=0) - middle <= rank)
        low = tl.where(passed, middle + 1, low)
        high = tl.where(open_still, tl.where(passed, high, middle), high)
    return rank + low


@triton.jit
def _draw_and_score(
    user_vectors,
    item_vectors,
    rows,
    indptr,
    indices,
    drawn,
    scores,
    key,  # () int64: in memory, as the next, for a step that is captured once and replayed
    first_position,  # the same
    n_drawn,  # of this level, in all
    level,
    n_levels,
    n_items,
    size,
    CANDIDATES: tl.constexpr,  # noqa: N803
    HALVINGS: tl.constexpr,  # noqa: N803
    WIDTH: tl.constexpr,  # noqa: N803
    PADDED: tl.constexpr,  # noqa: N803
    RUN: tl.constexpr,  # noqa: N803
):
    nth = tl.program_id(0) * RUN + tl.arange(0, RUN)
    live = nth < n_drawn
    row = nth // CANDIDATES
    place = (row.to(tl.int64) * n_levels + level) * CANDIDATES + nth % CANDIDATES
    users = tl.load(rows + row, mask=live, other=0)
    first_candidate = tl.load(first_position) * n_levels * CANDIDATES
    bits = _random_bits(tl.load(key), first_candidate + place)
    items = _unseen_item(indptr, indices, users, bits, n_items, live, HALVINGS).to(tl.int64)
    columns = tl.arange(0, PADDED)
    wanted = live[:, None] & (columns < WIDTH)[None, :]
    of_items = tl.load(item_vectors + items[:, None] * size + columns[None, :], mask=wanted, other=0.0)
    of_users = tl.load(user_vectors + users[:, None] * size + columns[None, :], mask=wanted, other=0.0)
    products = of_items.to(tl.float32) * of_users.to(tl.float32)
    tl.store(drawn + place, items, mask=live)
    tl.store(scores + place, tl.sum(products, axis=1), mask=live)


def draw_and_score(
    users: torch.Tensor,  # (n_users, embedding_size), of any floating type
    items: torch.Tensor,  # (n_items, embedding_size), the same
    seen: SeenRows,
    request: CandidateRequest,
) -> Candidates:
    """Return items and scores; of a pool, fewer than 2^31 in all."""
    rows, n_candidates = request.users, request.n_candidates
    drawn = torch.empty(request.shape, dtype=torch.int64, device=rows.device)
    scores = torch.empty(request.shape, dtype=torch.float32, device=rows.device)
    n_drawn, n_pools = len(rows) * n_candidates, len(request.widths)
    key, first = (on_device(number, rows.device) for number in (request.key, request.first_position))
    for level, width in enumerate(request.widths):
        padded = triton.next_power_of_2(width)
        run = max(1, _TILE // padded)
        _draw_and_score[(triton.cdiv(n_drawn, run),)](
            users, items, rows, seen.indptr, seen.indices, drawn, scores, key, first, n_drawn, level,
            n_pools, len(items), items.shape[1],
            CANDIDATES=n_candidates, HALVINGS=seen.n_halvings, WIDTH=width, PADDED=padded, RUN=run, num_warps=_WARPS,
        )  # fmt: skip
    return Candidates(drawn, scores)
