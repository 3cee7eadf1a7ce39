"""Scores of each level's own item, and their gradients, in one pass each.

A program takes some rows of a batch and goes through their levels; of an item's vector it reads the level's prefix.
The plain version is `levels.own_scores`.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

_ROWS = 16  # of a batch, for a program
_WARPS = 4


@triton.jit
def _score(
    users,
    items,
    widths,
    scores,
    batch,
    size,
    LEVELS: tl.constexpr,  # noqa: N803 - known when compiled
    PADDED: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
):
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    live = rows < batch
    columns = tl.arange(0, PADDED)
    whole = live[:, None] & (columns < size)[None, :]
    of_users = tl.load(users + rows[:, None] * size + columns[None, :], mask=whole, other=0.0)
    for level in range(LEVELS):
        held = live[:, None] & (columns < tl.load(widths + level))[None, :]
        places = (rows * LEVELS + level)[:, None] * size + columns[None, :]
        of_items = tl.load(items + places, mask=held, other=0.0)
        tl.store(scores + level * batch + rows, tl.sum(of_users * of_items, axis=1), mask=live)


@triton.jit
def _score_backward(
    users,
    items,
    widths,
    of_scores,
    of_users,
    of_items,
    batch,
    size,
    LEVELS: tl.constexpr,  # noqa: N803
    PADDED: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
):
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    live = rows < batch
    columns = tl.arange(0, PADDED)
    whole = live[:, None] & (columns < size)[None, :]
    own = rows[:, None] * size + columns[None, :]
    user = tl.load(users + own, mask=whole, other=0.0)
    of_user = tl.zeros_like(user)
    for level in range(LEVELS):
        held = live[:, None] & (columns < tl.load(widths + level))[None, :]
        places = (rows * LEVELS + level)[:, None] * size + columns[None, :]
        slope = tl.load(of_scores + level * batch + rows, mask=live, other=0.0)[:, None]
        of_user += slope * tl.load(items + places, mask=held, other=0.0)
        tl.store(of_items + places, tl.where(held, slope * user, 0.0), mask=whole)
    tl.store(of_users + own, of_user, mask=whole)


class _OwnScores(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, users: torch.Tensor, items: torch.Tensor, widths: torch.Tensor) -> torch.Tensor:
        users, items = users.contiguous(), items.contiguous()
        context.save_for_backward(users, items, widths)
        batch, n_levels, size = items.shape
        scores = users.new_empty((n_levels, batch))
        _score[(triton.cdiv(batch, _ROWS),)](
            users, items, widths, scores, batch, size,
            LEVELS=n_levels, PADDED=triton.next_power_of_2(size), ROWS=_ROWS, num_warps=_WARPS,
        )  # fmt: skip
        return scores

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        users, items, widths = context.saved_tensors
        batch, n_levels, size = items.shape
        of_users, of_items = torch.empty_like(users), torch.empty_like(items)
        _score_backward[(triton.cdiv(batch, _ROWS),)](
            users, items, widths, gradients[0].contiguous(), of_users, of_items, batch, size,
            LEVELS=n_levels, PADDED=triton.next_power_of_2(size), ROWS=_ROWS, num_warps=_WARPS,
        )  # fmt: skip
        return of_users, of_items, None


def own_scores(
    users: torch.Tensor,  # (batch, embedding_size) float32
    items: torch.Tensor,  # (batch, n_levels, embedding_size), the same
    widths: torch.Tensor,  # (n_levels,)
) -> torch.Tensor:
    """Return (n_levels, batch), under autograd."""
    scores: torch.Tensor = _OwnScores.apply(users, items, widths)
    return scores
