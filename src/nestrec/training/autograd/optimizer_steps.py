"""Optimizer steps on the embedding table, L2 regularization, and optimizer state as arrays.

A batch of a local backbone has gradients in few rows. Adagrad and sparse Adam update these alone, at a cost in
proportion (torch's own sparse optimizers do the same through sparse tensors, several times slower; tests compare the
results). Adam updates all rows in one fused pass. The gradient of a graph is dense for any batch.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from nestrec.arrays import Float32Array
from nestrec.training.autograd import fused
from nestrec.training.optimizers import FIRST_SQUARE, Adagrad, Adam, Optimizer

Arrays = dict[str, Float32Array]
Rate = float | torch.Tensor  # a learning rate; a tensor () float64 on the device in a step that is captured

_MODULE_RATE = 1e-3  # learning rate of a sampler's parameters, by Adam, as in the paper
_MEAN, _SQUARE, _TINY = 0.9, 0.999, 1e-8  # Adam's constants, torch's defaults


class Steps(Protocol):
    """Updates a table and keeps the optimizer state."""

    def step_rows(self, nodes: torch.Tensor, gradients: torch.Tensor, rate: Rate) -> None:
        """Step by gradients (n, embedding_size) of the rows at nodes (n,), which may repeat."""

    def step_all(self, gradient: torch.Tensor, rate: Rate) -> None:
        """Step by the gradient of the whole table."""

    def state(self) -> Arrays:
        """Return the optimizer state by name."""

    def restore(self, arrays: Arrays) -> None:
        """Restore the result of `state`."""


def steps_for(optimizer: Optimizer, table: torch.Tensor, batch_size: int) -> Steps:
    """Return the optimizer of a table, which it updates in place."""
    is_fused = fused.serves(table.device)
    if isinstance(optimizer, Adagrad):
        return (FusedAdagradSteps if is_fused else AdagradSteps)(table, batch_size)
    if isinstance(optimizer, Adam) and optimizer.sparse:
        return (FusedSparseAdamSteps if is_fused else SparseAdamSteps)(table)
    return AdamSteps(table)


def add_l2(
    gradients: list[torch.Tensor], vectors: list[torch.Tensor], weights: list[torch.Tensor], batch_size: int
) -> None:
    """Add the gradient of the L2 penalty, averaged over the batch, in place.

    The penalty is half of the weighted squared coordinates. The lists are those of users, positives and negatives.
    """
    for gradient, own, weight in zip(gradients, vectors, weights, strict=True):
        gradient.addcmul_(own, weight, value=1 / batch_size)


class AdagradSteps:
    """Adagrad."""

    def __init__(self, table: torch.Tensor, batch_size: int) -> None:
        """Scale the initial sums: gradients are means over a batch here, sums in the CPU engine."""
        self._table = table
        self._squares = torch.full_like(table, FIRST_SQUARE / batch_size**2)

    def step_rows(self, nodes: torch.Tensor, gradients: torch.Tensor, rate: Rate) -> None:
        """Update the rows at nodes."""
        rows, gradient = _sum_by_node(nodes, gradients)
        squares = self._squares[rows].addcmul_(gradient, gradient)
        self._squares[rows] = squares
        self._table[rows] = self._table[rows].addcdiv_(gradient, squares.sqrt_(), value=-float(rate))

    def step_all(self, gradient: torch.Tensor, rate: Rate) -> None:
        """Update all rows."""
        self._squares.addcmul_(gradient, gradient)
        self._table.addcdiv_(gradient, self._squares.sqrt(), value=-float(rate))

    def state(self) -> Arrays:
        """Return the sums."""
        return {"squares": self._squares.cpu().numpy()}

    def restore(self, arrays: Arrays) -> None:
        """Restore the sums."""
        self._squares.copy_(torch.tensor(arrays["squares"]))


class SparseAdamSteps:
    """Adam whose running means decay only in the rows of a batch."""

    def __init__(self, table: torch.Tensor) -> None:
        self._table = table
        self._means, self._squares = torch.zeros_like(table), torch.zeros_like(table)
        self._n_steps = 0

    def step_rows(self, nodes: torch.Tensor, gradients: torch.Tensor, rate: Rate) -> None:
        """Update the rows at nodes."""
        scale = self._next_scale(float(rate))
        rows, gradient = _sum_by_node(nodes, gradients)
        means = self._means[rows].lerp_(gradient, 1 - _MEAN)
        squares = self._squares[rows].mul_(_SQUARE).addcmul_(gradient, gradient, value=1 - _SQUARE)
        self._means[rows], self._squares[rows] = means, squares
        self._table[rows] = self._table[rows].addcdiv_(means, squares.sqrt().add_(_TINY), value=-scale)

    def step_all(self, gradient: torch.Tensor, rate: Rate) -> None:
        """Update all rows."""
        self.step_rows(torch.arange(len(gradient), device=gradient.device), gradient, rate)

    def state(self) -> Arrays:
        """Return the means and the number of steps."""
        count = np.array(self._n_steps, dtype=np.float32)
        return {"means": self._means.cpu().numpy(), "squares": self._squares.cpu().numpy(), "steps": count}

    def restore(self, arrays: Arrays) -> None:
        """Restore the state."""
        self._means.copy_(torch.tensor(arrays["means"]))
        self._squares.copy_(torch.tensor(arrays["squares"]))
        self._n_steps = int(arrays["steps"])

    def _next_scale(self, rate: float) -> float:
        """Count a step; return its learning rate with bias correction."""
        self._n_steps += 1
        return float(rate * (1 - _SQUARE**self._n_steps) ** 0.5 / (1 - _MEAN**self._n_steps))


class FusedAdagradSteps(AdagradSteps):
    """The same, fused into one pass over the rows on a CUDA device."""

    def step_rows(self, nodes: torch.Tensor, gradients: torch.Tensor, rate: Rate) -> None:
        """Update the rows at nodes."""
        from nestrec.training.autograd.fused.rows import adagrad

        adagrad(self._table, self._squares, nodes, gradients, _on_device(rate, self._table.device))


class FusedSparseAdamSteps(SparseAdamSteps):
    """The same, fused into one pass over the rows on a CUDA device, which counts the steps."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__(table)
        self._count = torch.zeros((), dtype=torch.float64, device=table.device)

    def step_rows(self, nodes: torch.Tensor, gradients: torch.Tensor, rate: Rate) -> None:
        """Update the rows at nodes."""
        from nestrec.training.autograd.fused.rows import sparse_adam

        self._count += 1
        correction = (1 - _SQUARE**self._count).sqrt() / (1 - _MEAN**self._count)
        scale = _on_device(rate, self._table.device) * correction
        sparse_adam(self._table, self._means, self._squares, nodes, gradients, scale, (_MEAN, _SQUARE, _TINY))

    def state(self) -> Arrays:
        """Return the means and the number of steps."""
        return {**super().state(), "steps": self._count.cpu().numpy().astype(np.float32)}

    def restore(self, arrays: Arrays) -> None:
        """Restore the state."""
        super().restore(arrays)
        self._count.fill_(float(arrays["steps"]))


class AdamSteps:
    """torch's Adam over the whole table, fused."""

    def __init__(self, table: torch.Tensor) -> None:
        """Keep the learning rate on a CUDA device, where a step may be captured."""
        self._table = table
        is_on_gpu = table.device.type == "cuda"
        rate = torch.zeros((), device=table.device) if is_on_gpu else 1e-3
        self._adam = torch.optim.Adam([table], lr=rate, fused=True, capturable=is_on_gpu)
        self._gradient: torch.Tensor | None = None

    def step_rows(self, nodes: torch.Tensor, gradients: torch.Tensor, rate: Rate) -> None:
        """Update all rows, with zero gradient in the others."""
        if self._gradient is None:
            self._gradient = torch.empty_like(self._table)
        self.step_all(self._gradient.zero_().index_add_(0, nodes, gradients), rate)

    def step_all(self, gradient: torch.Tensor, rate: Rate) -> None:
        """Update all rows."""
        self._table.grad = gradient
        group = self._adam.param_groups[0]
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].copy_(_on_device(rate, self._table.device))
        else:
            group["lr"] = float(rate)
        self._adam.step()
        self._table.grad = None

    def state(self) -> Arrays:
        """Return the means and the number of steps; nothing before the first."""
        return _state_arrays(self._adam)

    def restore(self, arrays: Arrays) -> None:
        """Restore the state."""
        _load_arrays(self._adam, arrays)


class ModuleSteps:
    """Adam for the parameters of a sampler."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._adam = torch.optim.Adam(module.parameters(), lr=_MODULE_RATE)

    def step(self) -> None:
        """Update the parameters by their gradients."""
        self._adam.step()

    def state(self) -> Arrays:
        """Return the parameters and the optimizer state."""
        parameters = {f"parameter.{name}": p.cpu().numpy() for name, p in self._module.state_dict().items()}
        return {**parameters, **_state_arrays(self._adam)}

    def restore(self, arrays: Arrays) -> None:
        """Restore the state."""
        prefix = "parameter."
        self._module.load_state_dict(
            {name.removeprefix(prefix): torch.tensor(a) for name, a in arrays.items() if name.startswith(prefix)}
        )
        _load_arrays(self._adam, {name: a for name, a in arrays.items() if not name.startswith(prefix)})


def _on_device(rate: Rate, device: torch.device) -> torch.Tensor:
    """Return a tensor () float64, filled on the device: a copy would wait for it."""
    return rate if isinstance(rate, torch.Tensor) else torch.full((), rate, dtype=torch.float64, device=device)


def _sum_by_node(nodes: torch.Tensor, gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distinct nodes and the sums of their gradients."""
    rows, positions = nodes.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    summed = torch.zeros((len(rows), gradients.shape[1]), device=gradients.device)
    return rows, summed.index_add_(0, positions, gradients)


def _state_arrays(optimizer: torch.optim.Optimizer) -> Arrays:
    return {
        f"adam.{number}.{name}": value.cpu().numpy()
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def _load_arrays(optimizer: torch.optim.Optimizer, arrays: Arrays) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, array in arrays.items():
        _, number, name = key.split(".")
        state.setdefault(int(number), {})[name] = torch.tensor(array)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
