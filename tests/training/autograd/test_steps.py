"""Steps of touched rows against torch's own optimisers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from nestrec.training.optimizers import FIRST_SQUARE, Adagrad, Adam, Optimizer

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from nestrec.training.autograd.optimizer_steps import (  # noqa: E402
    AdagradSteps,
    AdamSteps,
    SparseAdamSteps,
    Steps,
    steps_for,
)

N, SIZE, BATCH = 9, 4, 16
RATES = (0.1, 0.05, 0.2, 0.01, 0.3)


def table() -> Tensor:
    values: Tensor = torch.from_numpy(np.random.default_rng(0).standard_normal((N, SIZE), dtype=np.float32))
    return values


def gradients() -> list[tuple[Tensor, Tensor]]:
    """Return, for each step, nodes of which some repeat and some are left out, and a gradient for each."""
    rng = np.random.default_rng(1)
    nodes = [rng.integers(0, N - 1, 7) for _ in RATES]
    assert all(len(set(of.tolist())) < 7 for of in nodes)
    return [(torch.from_numpy(of), torch.from_numpy(rng.standard_normal((7, SIZE), np.float32))) for of in nodes]


def dense(nodes: Tensor, of_nodes: Tensor) -> Tensor:
    """Return the gradient of the whole table, what repeats added up."""
    summed: Tensor = torch.zeros(N, SIZE)
    for node, gradient in zip(nodes.tolist(), of_nodes, strict=True):
        summed[node] += gradient
    return summed


def stepped(steps: Steps, by_rows: bool = True) -> None:
    for (nodes, of_nodes), rate in zip(gradients(), RATES, strict=True):
        if by_rows:
            steps.step_rows(nodes, of_nodes, rate)
        else:
            steps.step_all(dense(nodes, of_nodes), rate)


def expected(of_torch: Any, as_sparse: bool = False, **options: Any) -> Tensor:
    """Return the table that torch's optimiser leaves."""
    parameter: Tensor = torch.nn.Parameter(table())
    optimizer = of_torch([parameter], **options)
    for (nodes, of_nodes), rate in zip(gradients(), RATES, strict=True):
        gradient = dense(nodes, of_nodes)
        if as_sparse:
            rows = torch.unique(nodes)
            gradient = torch.sparse_coo_tensor(rows[None], gradient[rows], (N, SIZE), check_invariants=True)
        parameter.grad = gradient
        optimizer.param_groups[0]["lr"] = rate
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")
            optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("by_rows", [True, False])
def test_adagrad_is_that_of_torch(by_rows: bool) -> None:
    """Repeated nodes added up, and a row that no step touches as it was."""
    trained = table()
    stepped(AdagradSteps(trained, BATCH), by_rows)
    of_torch = expected(torch.optim.Adagrad, initial_accumulator_value=FIRST_SQUARE / BATCH**2, eps=0.0)
    np.testing.assert_allclose(trained.numpy(), of_torch.numpy(), rtol=1e-5, atol=1e-6)
    assert torch.equal(trained[N - 1], table()[N - 1])


def test_sparse_adam_is_that_of_torch() -> None:
    """A row that a step does not touch keeps its means: dense Adam would go on moving it."""
    trained = table()
    stepped(SparseAdamSteps(trained))
    of_torch = expected(torch.optim.SparseAdam, as_sparse=True)
    np.testing.assert_allclose(trained.numpy(), of_torch.numpy(), rtol=1e-5, atol=1e-6)
    assert not np.allclose(trained.numpy(), expected(torch.optim.Adam).numpy(), atol=1e-3)
    assert torch.equal(trained[N - 1], table()[N - 1])


@pytest.mark.parametrize("by_rows", [True, False])
def test_adam_is_that_of_torch_on_the_dense_gradient(by_rows: bool) -> None:
    trained = table()
    stepped(AdamSteps(trained), by_rows)
    np.testing.assert_allclose(trained.numpy(), expected(torch.optim.Adam).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", [Adagrad(), Adam(), Adam(sparse=True)], ids=repr)
def test_what_is_kept_is_all_that_steps_depend_on(optimizer: Optimizer) -> None:
    """Taken up by others they go on to the same bits; without it they do not."""
    first = table()
    steps = steps_for(optimizer, first, BATCH)
    stepped(steps)
    second, third = first.clone(), first.clone()
    others = steps_for(optimizer, second, BATCH)
    others.restore({name: array.copy() for name, array in steps.state().items()})
    for each in (steps, others, steps_for(optimizer, third, BATCH)):
        stepped(each)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
