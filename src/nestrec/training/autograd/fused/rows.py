"""Optimizer steps on the rows of a batch in one pass: sum the gradients of a row, update its state and itself.

Rows are sorted, so that those of one node are adjacent. The program at the first of them sums their gradients in the
order of the batch and updates the row: there are no atomic additions, and equal input gives equal bits. The plain
versions are in `optimizer_steps.py`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

_CHUNK = 8  # gradients of a node that are read at once


@triton.jit
def _touched(
    gradients,
    ordered,
    order,
    node,
    start,
    n,
    size,
    PADDED: tl.constexpr,  # noqa: N803 - known when compiled
    CHUNK: tl.constexpr,  # noqa: N803
):
    """Return where a node's row lies, which of it is inside, and the sum of its gradients from `start` in the order."""
    columns = tl.arange(0, PADDED)
    inside = columns < size
    total = tl.zeros((PADDED,), tl.float32)
    at = start
    n_found = CHUNK
    while n_found == CHUNK:
        places = at + tl.arange(0, CHUNK)
        found = tl.load(ordered + places, mask=places < n, other=-1) == node
        rows = tl.load(order + places, mask=found, other=0)
        wanted = found[:, None] & inside[None, :]
        total += tl.sum(tl.load(gradients + rows[:, None] * size + columns[None, :], mask=wanted, other=0.0), axis=0)
        n_found = tl.sum(found.to(tl.int32), axis=0)
        at += CHUNK
    return node.to(tl.int64) * size + columns, inside, total


@triton.jit
def _adagrad(
    table,
    squares,
    gradients,
    ordered,
    order,
    n,
    size,
    rate,
    PADDED: tl.constexpr,  # noqa: N803
    CHUNK: tl.constexpr,  # noqa: N803
):
    at = tl.program_id(0)
    node = tl.load(ordered + at)
    if node != tl.load(ordered + at - 1, mask=at > 0, other=-1):
        row, inside, gradient = _touched(gradients, ordered, order, node, at, n, size, PADDED, CHUNK)
        square = tl.load(squares + row, mask=inside, other=1.0) + gradient * gradient
        tl.store(squares + row, square, mask=inside)
        step = tl.load(rate).to(tl.float32) * gradient / tl.sqrt(square)
        moved = tl.load(table + row, mask=inside, other=0.0) - step
        tl.store(table + row, moved, mask=inside)


@triton.jit
def _sparse_adam(
    table,
    means,
    squares,
    gradients,
    ordered,
    order,
    n,
    size,
    scale,
    MEAN: tl.constexpr,  # noqa: N803
    SQUARE: tl.constexpr,  # noqa: N803
    TINY: tl.constexpr,  # noqa: N803
    PADDED: tl.constexpr,  # noqa: N803
    CHUNK: tl.constexpr,  # noqa: N803
):
    at = tl.program_id(0)
    node = tl.load(ordered + at)
    if node != tl.load(ordered + at - 1, mask=at > 0, other=-1):
        row, inside, gradient = _touched(gradients, ordered, order, node, at, n, size, PADDED, CHUNK)
        mean = tl.load(means + row, mask=inside, other=0.0)
        mean += (1 - MEAN) * (gradient - mean)
        square = SQUARE * tl.load(squares + row, mask=inside, other=0.0) + (1 - SQUARE) * gradient * gradient
        tl.store(means + row, mean, mask=inside)
        tl.store(squares + row, square, mask=inside)
        step = tl.load(scale).to(tl.float32) * mean / (tl.sqrt(square) + TINY)
        moved = tl.load(table + row, mask=inside, other=0.0) - step
        tl.store(table + row, moved, mask=inside)


def adagrad(
    table: torch.Tensor,  # (n_nodes, embedding_size) float32, moved in place
    squares: torch.Tensor,  # the same
    nodes: torch.Tensor,  # (n,) int64, which may repeat
    gradients: torch.Tensor,  # (n, embedding_size) float32
    rate: torch.Tensor,  # () float64, in memory for a step that is captured once and replayed
) -> None:
    """Update the rows as `optimizer_steps.AdagradSteps` does; fewer than 2^31 gradients."""
    _launch(_adagrad, (table, squares), nodes, gradients, rate)


def sparse_adam(
    table: torch.Tensor,
    means: torch.Tensor,
    squares: torch.Tensor,
    nodes: torch.Tensor,
    gradients: torch.Tensor,
    scale: torch.Tensor,  # () float64: the learning rate with bias correction
    constants: tuple[float, float, float],  # how means and squares decay, and what is added to the root
) -> None:
    """Update the rows as `optimizer_steps.SparseAdamSteps` does."""
    mean, square, tiny = constants
    _launch(_sparse_adam, (table, means, squares), nodes, gradients, scale, MEAN=mean, SQUARE=square, TINY=tiny)


def _launch(
    kernel,
    tables: tuple[torch.Tensor, ...],
    nodes: torch.Tensor,
    gradients: torch.Tensor,
    rate: torch.Tensor,
    **constants,
) -> None:
    n_nodes, size = tables[0].shape
    keys = nodes.to(torch.int32) if n_nodes < 2**31 else nodes  # 32 bits halve the passes of the sort
    ordered, order = keys.sort(stable=True)
    kernel[(len(nodes),)](
        *tables, gradients.contiguous(), ordered, order, len(nodes), size, rate,
        **constants, PADDED=triton.next_power_of_2(size), CHUNK=_CHUNK, num_warps=1,
    )  # fmt: skip
