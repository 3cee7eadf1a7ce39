"""LightGCN's propagation against dense matrix powers, its gradient against autograd's, its epochs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.data.interactions import Interactions
from tests.training.worlds import from_sets, tiny

torch = pytest.importorskip("torch")

from nestrec.baselines.lightgcn_engine import LightGCNEngine, Objective, torch_threads  # noqa: E402
from nestrec.baselines.propagation import Propagation, normalised_adjacency  # noqa: E402

FloatMatrix = npt.NDArray[np.float64]

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """So small a world is done sooner by one."""
    with torch_threads(1):
        yield


def engine(
    interactions: Interactions, batch_size: int = 512, seed: int = 5, regularization: float = 0.01
) -> LightGCNEngine:
    return LightGCNEngine(interactions, Objective(6, 2, 0.01, regularization, batch_size), seed, CPU)


def dense_adjacency(interactions: Interactions) -> FloatMatrix:
    """Return D^-1/2 [[0, R], [R', 0]] D^-1/2, as the paper writes it."""
    ones = interactions.to_scipy().toarray().astype(np.float64)
    n_users, n_items = ones.shape
    graph = np.block([[np.zeros((n_users, n_users)), ones], [ones.T, np.zeros((n_items, n_items))]])
    degrees = graph.sum(axis=0)
    scales = np.diag([1 / np.sqrt(degree) if degree > 0 else 0.0 for degree in degrees])
    adjacency: FloatMatrix = scales @ graph @ scales
    return adjacency


@pytest.mark.parametrize("n_layers", [1, 2, 3, 4])
def test_propagation_is_the_mean_of_matrix_powers(n_layers: int) -> None:
    interactions = tiny()
    dense = dense_adjacency(interactions)
    vectors = np.random.default_rng(0).standard_normal((len(dense), 5)).astype(np.float32)
    expected = sum(np.linalg.matrix_power(dense, k) @ vectors for k in range(n_layers + 1)) / (n_layers + 1)
    propagate = Propagation(normalised_adjacency(interactions), n_layers, 5, CPU)
    given = torch.from_numpy(vectors.copy())
    for _ in range(2):  # the second call writes where the first one wrote
        np.testing.assert_allclose(propagate(given).numpy(), expected, atol=1e-6)
    assert np.array_equal(given.numpy(), vectors)


def test_a_path_is_propagated_as_by_hand() -> None:
    """User a met item x, user b met x and y: the edge a-x weighs 1 / sqrt(1 * 2), b-x 1/2, b-y 1 / sqrt(2)."""
    adjacency = normalised_adjacency(from_sets([[0], [0, 1]], n_items=2)).toarray()
    root = np.sqrt(0.5)
    expected = [[0, 0, root, 0], [0, 0, 0.5, root], [root, 0.5, 0, 0], [0, root, 0, 0]]
    np.testing.assert_allclose(adjacency, expected, atol=1e-7)


def test_nodes_without_edges_keep_their_share_of_layer_0() -> None:
    interactions = from_sets([[0], []], n_items=2)
    ones = torch.ones(4, 3)
    result = Propagation(normalised_adjacency(interactions), 3, 3, CPU)(ones)
    np.testing.assert_allclose(result[[1, 3]].numpy(), 0.25)


def test_the_gradient_is_that_of_autograd() -> None:
    """The plain loss over a dense matrix is the oracle; a node that occurs twice in the batch counts twice."""
    interactions = tiny()
    trained = engine(interactions)
    rng, n_users, n_items = np.random.default_rng(1), interactions.n_users, interactions.n_items
    users, items = rng.integers(0, n_users, 40), n_users + rng.integers(0, n_items, (2, 40))
    rows = torch.from_numpy(np.stack([users, *items]))
    rows[:, 1] = rows[:, 0]
    layer_0 = trained.vectors.double().requires_grad_()
    dense = torch.from_numpy(dense_adjacency(interactions))
    user, positive, negative = ((layer_0 + dense @ layer_0 + dense @ dense @ layer_0) / 3)[rows]
    ranking = -torch.log(torch.sigmoid((user * positive).sum(1) - (user * negative).sum(1))).mean()
    expected = ranking + 0.01 / 2 * layer_0[rows].square().sum() / 40
    (expected_gradient,) = torch.autograd.grad(expected, layer_0)
    loss, gradient = trained.loss_and_gradient(rows)
    assert float(loss) == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(gradient.numpy(), expected_gradient.numpy(), atol=1e-7)


def test_a_step_lowers_the_loss_of_its_batch() -> None:
    interactions = tiny()
    trained = engine(interactions, batch_size=10**6)
    rows = next(trained._batches(1))
    before, gradient = trained.loss_and_gradient(rows)
    trained.vectors.sub_(0.1 * gradient)
    assert float(trained.loss_and_gradient(rows)[0]) < float(before)


def test_an_epoch_trains_every_positive_the_last_smaller_batch_too() -> None:
    interactions = tiny()
    heard: list[int] = []
    engine(interactions, batch_size=500).train_epoch(1, heard.append)
    n_left = interactions.n_interactions % 500
    assert n_left > 0
    assert heard == [500] * (interactions.n_interactions // 500) + [n_left]


def test_epochs_lower_the_loss_and_differ_in_order() -> None:
    trained = engine(tiny())
    first, *_, last = [trained.train_epoch(epoch, lambda _: None) for epoch in range(1, 16)]
    assert last < 0.9 * first
    assert not torch.equal(next(trained._batches(1)), next(trained._batches(2)))


def test_enormous_scores_give_a_finite_loss() -> None:
    """log(1 + exp(x)) is infinite in float32 from x = 89; such a loss would stop a run that has only overshot."""
    trained = engine(tiny())
    trained.vectors.mul_(1000)
    loss, gradient = trained.loss_and_gradient(next(trained._batches(1)))
    assert float(loss) > 1000
    assert bool(torch.isfinite(loss))
    assert bool(torch.isfinite(gradient).all())


def test_threads_are_given_back() -> None:
    former = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), torch_threads(former + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == former
