"""The nested sampled softmax over pools that neighbouring positives share: its loss and the gradients of all rows.

Two kernels, in which a program takes the positives of one pool and loops over chunks of its candidates. Scores of all
levels are the sums of products of blocks of dimensions, one level after the other. `_sum_exponentials` finds seen
candidates and sums the exponentials of each level. `_differentiate` computes the scores once more and, from each
level's shares, the gradients of a tile of dimensions, which have a weight of their own at every level. Scores stay in
registers; three numbers per level and positive and a byte per candidate are in memory between the kernels. A pool
belongs to one program, so there are no atomic additions, and equal input gives equal bits. The plain version is
`nested_loss.NestedLoss` with `losses.SampledSoftmax`, followed by `optimizer_steps.add_l2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
import triton
import triton.language as tl

from nestrec.kernels.training.pool import MASKED_SCORE
from nestrec.training.autograd.seen_rows import SeenRows

PRECISION = "tf32x3"  # of products: three on tensor cores, as exact as float32; "ieee" is float32 without them
_CHUNK = 32  # candidates at once; divides the size of a pool
_STEP = 16  # dimensions of a product, the fewest that it takes
_TILE = 32  # dimensions whose gradients a program sums; of embeddings above `_LARGE`, twice as many
_LARGE = 64
_WARPS = 8
_STAGES = 1


@triton.jit
def _hold(indices, start, n_seen, items, live, HALVINGS: tl.constexpr):  # noqa: N803 - known when compiled
    """Return which of items (1, CHUNK) are in the ascending rows of users (BLOCK, 1)."""
    low = tl.zeros_like(n_seen + items)
    high = n_seen + tl.zeros_like(items)
    for _ in range(HALVINGS):
        middle = (low + high) >> 1
        is_open = live & (low < high)
        is_below = is_open & (tl.load(indices + start + middle, mask=is_open, other=0) < items)
        low = tl.where(is_below, middle + 1, low)
        high = tl.where(is_open, tl.where(is_below, high, middle), high)
    is_inside = live & (low < n_seen)
    return is_inside & (tl.load(indices + start + low, mask=is_inside, other=-1) == items)


@triton.jit
def _add_products(
    scores,
    table,
    of_users,  # (BLOCK,) where their rows start
    of_items,  # (CHUNK,)
    live,
    low,
    high,
    STEP: tl.constexpr,  # noqa: N803
    PRECISION: tl.constexpr,  # noqa: N803
):
    """Add the products of the dimensions from low to high to scores (BLOCK, CHUNK)."""
    first = low
    while first < high:
        columns = first + tl.arange(0, STEP)
        inside = columns < high
        user = tl.load(table + of_users[:, None] + columns[None, :], mask=live[:, None] & inside[None, :], other=0.0)
        item = tl.load(table + of_items[None, :] + columns[:, None], mask=inside[:, None], other=0.0)
        scores = tl.dot(user, item, scores, input_precision=PRECISION)
        first += STEP
    return scores


@triton.jit
def _positives(
    users,
    positives,
    batch,
    size,
    BLOCK: tl.constexpr,  # noqa: N803
):
    """Return a program's rows of the batch, which are live, and where the rows of users and positives start."""
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = rows < batch
    of_users = tl.load(users + rows, mask=live, other=0) * size
    return rows, live, of_users, tl.load(positives + rows, mask=live, other=0) * size


@triton.jit
def _sum_exponentials(
    table,
    users,
    positives,
    pools,
    indptr,
    indices,
    widths,
    inverse_temperatures,
    seen,  # (batch, n_candidates), written
    norms,  # (n_levels, batch), written: the log of a level's denominator
    slopes,  # the same: the share of all candidates
    losses,  # the same
    batch,
    size,
    n_users,
    log_each,
    masked,
    LEVELS: tl.constexpr,  # noqa: N803
    PADDED_LEVELS: tl.constexpr,  # noqa: N803
    CANDIDATES: tl.constexpr,  # noqa: N803
    HALVINGS: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
    CHUNK: tl.constexpr,  # noqa: N803
    STEP: tl.constexpr,  # noqa: N803
    PRECISION: tl.constexpr,  # noqa: N803
):
    rows, live, of_users, of_positives = _positives(users, positives, batch, size, BLOCK)
    user = tl.load(users + rows, mask=live, other=0)
    start = tl.load(indptr + user, mask=live, other=0)
    n_seen = (tl.load(indptr + user + 1, mask=live, other=0) - start).to(tl.int32)
    levels = tl.arange(0, PADDED_LEVELS)[None, :]
    highest = tl.full((BLOCK, PADDED_LEVELS), float("-inf"), tl.float32)
    sums = tl.zeros((BLOCK, PADDED_LEVELS), tl.float32)
    for first in range(0, CANDIDATES, CHUNK):
        lanes = first + tl.arange(0, CHUNK)
        nodes = tl.load(pools + tl.program_id(0) * CANDIDATES + lanes)
        items = (nodes - n_users).to(tl.int32)
        hidden = _hold(indices, start[:, None], n_seen[:, None], items[None, :], live[:, None], HALVINGS)
        tl.store(seen + rows[:, None] * CANDIDATES + lanes[None, :], hidden.to(tl.int8), mask=live[:, None])
        scores = tl.where(hidden, masked, 0.0)  # to which no product makes a difference
        low = 0
        for level in range(LEVELS):
            high = tl.load(widths + level).to(tl.int32)
            scores = _add_products(scores, table, of_users, nodes * size, live, low, high, STEP, PRECISION)
            low = high
            inverse = tl.load(inverse_temperatures + level)
            logits = scores * inverse + log_each
            here = levels == level
            before = tl.max(tl.where(here, highest, float("-inf")), axis=1)
            top = tl.maximum(before, tl.max(logits, axis=1))
            added = tl.sum(tl.where(here, sums, 0.0), axis=1) * tl.exp(before - top)
            added += tl.sum(tl.exp(logits - top[:, None]), axis=1)
            highest = tl.where(here, top[:, None], highest)
            sums = tl.where(here, added[:, None], sums)
    own = tl.zeros((BLOCK,), tl.float32)
    low = 0
    for level in range(LEVELS):
        high = tl.load(widths + level).to(tl.int32)
        while low < high:
            columns = low + tl.arange(0, STEP)[None, :]
            wanted = live[:, None] & (columns < high)
            of_user = tl.load(table + of_users[:, None] + columns, mask=wanted, other=0.0)
            of_positive = tl.load(table + of_positives[:, None] + columns, mask=wanted, other=0.0)
            own += tl.sum(of_user * of_positive, axis=1)
            low += STEP
        low = high
        here = levels == level
        inverse = tl.load(inverse_temperatures + level)
        others = tl.max(tl.where(here, highest, float("-inf")), axis=1)
        others += tl.log(tl.sum(tl.where(here, sums, 0.0), axis=1))
        margin = others - inverse * own
        small = tl.exp(-tl.abs(margin))
        rest = tl.log(1.0 + small)
        place = level * batch + rows
        tl.store(norms + place, tl.maximum(others, inverse * own) + rest, mask=live)
        tl.store(slopes + place, tl.where(margin > 0, 1.0, small) / (1.0 + small), mask=live)
        tl.store(losses + place, (tl.maximum(margin, 0.0) + rest) / inverse, mask=live)


@triton.jit
def _differentiate(
    table,
    users,
    positives,
    pools,
    widths,
    inverse_temperatures,
    weights,  # (n_levels, embedding_size): of a level's loss for a dimension
    l2_weights,  # (embedding_size,)
    seen,
    norms,
    slopes,
    gradients,  # (2 * batch + n_blocks * n_candidates, embedding_size), written: users', positives', candidates'
    batch,
    size,
    log_each,
    masked,
    scale,  # 1 / batch
    LEVELS: tl.constexpr,  # noqa: N803
    CANDIDATES: tl.constexpr,  # noqa: N803
    WHOLE: tl.constexpr,  # noqa: N803 - whether candidates are regularized in full instead of by their shares
    BLOCK: tl.constexpr,  # noqa: N803
    CHUNK: tl.constexpr,  # noqa: N803
    STEP: tl.constexpr,  # noqa: N803
    TILE: tl.constexpr,  # noqa: N803
    PRECISION: tl.constexpr,  # noqa: N803
):
    rows, live, of_users, of_positives = _positives(users, positives, batch, size, BLOCK)
    start = tl.program_id(1) * TILE
    columns = start + tl.arange(0, TILE)
    inside = columns < size
    wanted = live[:, None] & inside[None, :]
    l2 = tl.load(l2_weights + columns, mask=inside, other=0.0)[None, :]
    user = tl.load(table + of_users[:, None] + columns[None, :], mask=wanted, other=0.0)
    of_user = l2 * user
    for first in range(0, CANDIDATES, CHUNK):
        lanes = first + tl.arange(0, CHUNK)
        of_items = tl.load(pools + tl.program_id(0) * CANDIDATES + lanes) * size
        item = tl.load(table + of_items[:, None] + columns[None, :], mask=inside[None, :], other=0.0)
        hidden = tl.load(seen + rows[:, None] * CANDIDATES + lanes[None, :], mask=live[:, None], other=1)
        of_item = tl.zeros((CHUNK, TILE), tl.float32)
        if WHOLE:
            of_item = l2 * item
        scores = tl.where(hidden != 0, masked, 0.0)
        low = 0
        for level in range(LEVELS):
            high = tl.load(widths + level).to(tl.int32)
            scores = _add_products(scores, table, of_users, of_items, live, low, high, STEP, PRECISION)
            low = high
            if high > start:
                inverse = tl.load(inverse_temperatures + level)
                norm = tl.load(norms + level * batch + rows, mask=live, other=0.0)
                shares = tl.exp(scores * inverse + (log_each - norm[:, None]))
                weight = tl.load(weights + level * size + columns, mask=inside, other=0.0)[None, :]
                of_user = tl.dot(shares, item * weight, of_user, input_precision=PRECISION)
                of_item = tl.dot(tl.trans(shares), user * weight, of_item, input_precision=PRECISION)
                if not WHOLE:
                    of_item += tl.sum(shares, axis=0)[:, None] * (weight * l2 * item)
        places = 2 * batch + tl.program_id(0) * CANDIDATES + lanes
        tl.store(
            gradients + places.to(tl.int64)[:, None] * size + columns[None, :], scale * of_item, mask=inside[None, :]
        )
    slope = tl.zeros((BLOCK, TILE), tl.float32)
    for level in range(LEVELS):
        weight = tl.load(weights + level * size + columns, mask=inside, other=0.0)[None, :]
        slope += tl.load(slopes + level * batch + rows, mask=live, other=0.0)[:, None] * weight
    positive = tl.load(table + of_positives[:, None] + columns[None, :], mask=wanted, other=0.0)
    of_user -= slope * positive
    of_positive = l2 * positive - slope * user
    places = rows.to(tl.int64)[:, None] * size + columns[None, :]
    tl.store(gradients + places, scale * of_user, mask=wanted)
    places = (batch + rows).to(tl.int64)[:, None] * size + columns[None, :]
    tl.store(gradients + places, scale * of_positive, mask=wanted)


@dataclass(frozen=True)
class PoolSoftmax:
    """Constants of the loss, on one device."""

    seen: SeenRows
    n_users: int  # rows of the table before the first item's
    n_items: int
    widths: torch.Tensor  # (n_levels,)
    inverse_temperatures: torch.Tensor  # (n_levels,) float32
    weights: torch.Tensor  # (n_levels, embedding_size) float32: of a level's loss for a dimension
    l2_weights: torch.Tensor  # (embedding_size,) float32
    regularizes_whole: bool  # whether candidates are regularized in full instead of by their shares
    block: int  # neighbouring positives that share a pool, a power of 2 from 16 on

    def __call__(
        self,
        table: torch.Tensor,  # (n_nodes, embedding_size) float32
        users: torch.Tensor,  # (batch,) int64 rows of the table
        positives: torch.Tensor,  # the same
        pools: torch.Tensor,  # (n_blocks, n_candidates) int64, the same
        weights: torch.Tensor | None = None,  # (batch,) above 0, of the positives; None: all 1
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (n_levels, batch) losses and the gradients of the batch's mean loss and L2 regularization.

        Gradients are (2 * batch + n_blocks * n_candidates, embedding_size): of users, positives, pools, in this order.
        """
        (batch, size), (n_blocks, n_candidates) = (len(users), table.shape[1]), pools.shape
        n_levels = len(self.widths)
        seen = torch.empty((batch, n_candidates), dtype=torch.int8, device=table.device)
        norms, slopes, losses = table.new_empty((3, n_levels, batch))
        gradients = table.new_empty((2 * batch + n_blocks * n_candidates, size))
        log_each = log(self.n_items / n_candidates)
        common = {
            "LEVELS": n_levels, "CANDIDATES": n_candidates, "BLOCK": self.block, "CHUNK": _CHUNK, "STEP": _STEP,
            "PRECISION": PRECISION, "num_warps": _WARPS, "num_stages": _STAGES,
        }  # fmt: skip
        _sum_exponentials[(n_blocks,)](
            table, users, positives, pools, self.seen.indptr, self.seen.indices, self.widths,
            self.inverse_temperatures, seen, norms, slopes, losses, batch, size, self.n_users, log_each,
            float(MASKED_SCORE),
            PADDED_LEVELS=triton.next_power_of_2(n_levels), HALVINGS=self.seen.n_halvings, **common,
        )  # fmt: skip
        if weights is not None:  # shares are exponentials of differences to the norms
            norms -= weights.log()
            slopes *= weights
            losses *= weights
        tile = min(_TILE if size <= _LARGE else 2 * _TILE, max(_STEP, triton.next_power_of_2(size)))
        _differentiate[(n_blocks, triton.cdiv(size, tile))](
            table, users, positives, pools, self.widths, self.inverse_temperatures, self.weights, self.l2_weights,
            seen, norms, slopes, gradients, batch, size, log_each, float(MASKED_SCORE), 1 / batch,
            WHOLE=self.regularizes_whole, TILE=tile, **common,
        )  # fmt: skip
        return losses, gradients
