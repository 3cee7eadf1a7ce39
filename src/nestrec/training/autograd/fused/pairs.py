"""Pairs of a positive and a negative per level: their scores, and the gradients of their rows, read from the table.

A program takes some positives of a batch and loops over their levels. It reads each row once for the scores and once
more for the gradients. In between, autograd differentiates a loss of two scores per level and positive. The plain
version is `nested_loss.NestedLoss` followed by `optimizer_steps.add_l2`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl

_TILE = 1024  # coordinates of each row of a pair in a program
_WARPS = 4


@triton.jit
def _pairs(
    table,
    users,
    positives,
    batch,
    size,
    PADDED: tl.constexpr,  # noqa: N803 - known when compiled
    ROWS: tl.constexpr,  # noqa: N803
):
    """Return a program's rows of the batch, which are live, columns, which numbers are there, users and positives."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    live = rows < batch
    columns = tl.arange(0, PADDED)[None, :]
    whole = live[:, None] & (columns < size)
    of_users = tl.load(users + rows, mask=live, other=0)[:, None] * size
    of_positives = tl.load(positives + rows, mask=live, other=0)[:, None] * size
    user = tl.load(table + of_users + columns, mask=whole, other=0.0)
    positive = tl.load(table + of_positives + columns, mask=whole, other=0.0)
    return rows, live, columns, whole, user, positive


@triton.jit
def _score_pairs(
    table,
    users,
    positives,
    negatives,
    widths,
    scores,  # (2, n_levels, batch)
    batch,
    size,
    LEVELS: tl.constexpr,  # noqa: N803
    POOLS: tl.constexpr,  # noqa: N803
    PADDED: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
):
    rows, live, columns, whole, user, positive = _pairs(table, users, positives, batch, size, PADDED, ROWS)
    of_positive = user * positive
    of_negative = tl.zeros_like(user)
    for level in range(LEVELS):
        held = live[:, None] & (columns < tl.load(widths + level))
        if POOLS > 1 or level == 0:
            of_negatives = tl.load(negatives + rows * POOLS + level, mask=live, other=0)[:, None] * size
            wanted = held if POOLS > 1 else whole
            of_negative = user * tl.load(table + of_negatives + columns, mask=wanted, other=0.0)
        tl.store(scores + level * batch + rows, tl.sum(tl.where(held, of_positive, 0.0), axis=1), mask=live)
        tl.store(scores + (LEVELS + level) * batch + rows, tl.sum(tl.where(held, of_negative, 0.0), axis=1), mask=live)


@triton.jit
def _pair_gradients(
    table,
    users,
    positives,
    negatives,
    widths,
    slopes,  # (2, n_levels, batch), of the scores
    weights,  # (2 + n_pools, embedding_size), of the rows themselves
    gradients,  # ((2 + n_pools) * batch, embedding_size): users', positives', negatives'
    batch,
    size,
    LEVELS: tl.constexpr,  # noqa: N803
    POOLS: tl.constexpr,  # noqa: N803
    PADDED: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
):
    rows, live, columns, whole, user, positive = _pairs(table, users, positives, batch, size, PADDED, ROWS)
    inside = columns < size
    of_user = tl.load(weights + columns, mask=inside, other=0.0) * user
    of_positive = tl.load(weights + size + columns, mask=inside, other=0.0) * positive
    negative = tl.zeros_like(user)
    of_negative = tl.zeros_like(user)
    for level in range(LEVELS):
        held = live[:, None] & (columns < tl.load(widths + level))
        slope = tl.load(slopes + level * batch + rows, mask=live, other=0.0)[:, None]
        of_user += tl.where(held, slope * positive, 0.0)
        of_positive += tl.where(held, slope * user, 0.0)
        slope = tl.load(slopes + (LEVELS + level) * batch + rows, mask=live, other=0.0)[:, None]
        pool = level if POOLS > 1 else 0
        if POOLS > 1 or level == 0:
            of_negatives = tl.load(negatives + rows * POOLS + pool, mask=live, other=0)[:, None] * size
            weight = tl.load(weights + (2 + pool) * size + columns, mask=inside, other=0.0)
            wanted = held | (whole & (weight != 0.0)) if POOLS > 1 else whole
            negative = tl.load(table + of_negatives + columns, mask=wanted, other=0.0)
            of_negative = weight * negative
        of_user += tl.where(held, slope * negative, 0.0)
        of_negative += tl.where(held, slope * user, 0.0)
        if POOLS > 1 or level == LEVELS - 1:
            places = (2 * batch + rows * POOLS + pool).to(tl.int64)[:, None] * size
            tl.store(gradients + places + columns, of_negative, mask=whole)
    tl.store(gradients + rows.to(tl.int64)[:, None] * size + columns, of_user, mask=whole)
    tl.store(gradients + (batch + rows).to(tl.int64)[:, None] * size + columns, of_positive, mask=whole)


@dataclass(frozen=True)
class Pairs:
    """The rows of a table that are in a batch of pairs, on one device."""

    table: torch.Tensor  # (n_nodes, embedding_size) float32
    users: torch.Tensor  # (batch,) int64
    positives: torch.Tensor  # (batch,) int64
    negatives: torch.Tensor  # (batch, n_pools) int64: a pool per level, or one for all
    widths: torch.Tensor  # (n_levels,)

    def scores(self) -> torch.Tensor:
        """Return (2, n_levels, batch): those of positives, then those of negatives."""
        scores = self.table.new_empty((2, len(self.widths), len(self.users)))
        self._launch(_score_pairs, scores)
        return scores

    def gradients(self, slopes: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return ((2 + n_pools) * batch, embedding_size): of users, positives, negatives, in this order.

        `slopes` are the gradients of the scores; weights (2 + n_pools, embedding_size) times its own numbers are added
        to each row's.
        """
        n_rows = 2 * len(self.users) + self.negatives.numel()
        gradients = self.table.new_empty((n_rows, self.table.shape[1]))
        self._launch(_pair_gradients, slopes.contiguous(), weights, gradients)
        return gradients

    def _launch(self, kernel, *arguments) -> None:
        size = self.table.shape[1]
        padded = triton.next_power_of_2(size)
        rows = max(1, _TILE // padded)
        kernel[(triton.cdiv(len(self.users), rows),)](
            self.table, self.users, self.positives, self.negatives, self.widths, *arguments, len(self.users), size,
            LEVELS=len(self.widths), POOLS=self.negatives.shape[1], PADDED=padded, ROWS=rows, num_warps=_WARPS,
        )  # fmt: skip
