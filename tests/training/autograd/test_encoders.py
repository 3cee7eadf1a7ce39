"""LightGCN's propagation against dense matrix powers, its gradients against autograd's, and edges left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.data.interactions import Interactions
from nestrec.training.backbones import MF, LightGCN
from tests.training.worlds import from_sets, tiny

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from nestrec.training.autograd.counter_rng import Draws  # noqa: E402
from nestrec.training.autograd.encoders import Encoder, Graph  # noqa: E402
from nestrec.training.autograd.propagation import Propagation, normalised_adjacency  # noqa: E402

CPU = torch.device("cpu")
SIZE = 5


def adjacency_of(interactions: Interactions) -> npt.NDArray[np.float64]:
    """Return D^-1/2 [[0, R], [R', 0]] D^-1/2, as the paper writes it."""
    ones = interactions.to_scipy().toarray().astype(np.float64)
    n_users, n_items = ones.shape
    graph = np.block([[np.zeros((n_users, n_users)), ones], [ones.T, np.zeros((n_items, n_items))]])
    degrees = graph.sum(axis=0)
    scales = np.diag([1 / np.sqrt(degree) if degree > 0 else 0.0 for degree in degrees])
    adjacency: npt.NDArray[np.float64] = scales @ graph @ scales
    return adjacency


def encoder(backbone: MF | LightGCN, interactions: Interactions) -> Encoder:
    return backbone.encoder(interactions.indptr, interactions.indices, interactions.n_items, SIZE, CPU)


def numbers(interactions: Interactions, seed: int = 0) -> Tensor:
    n_nodes = interactions.n_users + interactions.n_items
    table: Tensor = torch.from_numpy(np.random.default_rng(seed).standard_normal((n_nodes, SIZE), np.float32))
    return table


@pytest.mark.parametrize("n_layers", [1, 2, 3, 4])
def test_propagation_is_the_mean_of_matrix_powers(n_layers: int) -> None:
    dense, table = adjacency_of(tiny()), numbers(tiny())
    given = table.clone()
    expected = [np.linalg.matrix_power(dense, k) @ table.numpy() for k in range(n_layers + 1)]
    graph = encoder(LightGCN(n_layers), tiny())
    for _ in range(2):  # the second call writes where the first one wrote
        np.testing.assert_allclose(graph(table, None).numpy(), np.mean(expected, axis=0), atol=1e-6)
    np.testing.assert_allclose(graph.layers(table, None).numpy(), expected, atol=1e-6)
    assert torch.equal(table, given)


def in_a_ring(n: int, degree: int) -> Interactions:
    """Return n users who each met the next `degree` of n items, so that all degrees are alike."""
    return from_sets([sorted((user + step) % n for step in range(degree)) for user in range(n)], n_items=n)


def test_the_regularization_is_scaled_by_the_squared_gain_where_chance_begins() -> None:
    """Of 16 interactions each, chance gives singular values up to 2 / sqrt(16) = 1/2; of one, up to 1, as any graph."""
    assert LightGCN(2).regularization_scale(in_a_ring(40, 16)) == pytest.approx(((1 + 1 / 2 + 1 / 4) / 3) ** 2)
    assert LightGCN(3).regularization_scale(in_a_ring(40, 1)) == pytest.approx(1)
    assert MF().regularization_scale(in_a_ring(40, 16)) == 1


def test_a_direction_of_a_singular_value_is_lengthened_by_that_gain() -> None:
    """What the regularization is scaled by is what the encoder does: here to the third eigenvector of a ring."""
    ring = in_a_ring(12, 4)
    values, vectors = np.linalg.eigh(adjacency_of(ring))
    value, vector = values[-3], torch.from_numpy(np.tile(vectors[:, -3:-2], SIZE).astype(np.float32))
    found = encoder(LightGCN(3), ring)(vector, None)
    np.testing.assert_allclose(found, (1 + value + value**2 + value**3) / 4 * vector, atol=1e-6)


def test_a_path_is_propagated_as_by_hand() -> None:
    """User a met item x, user b met x and y: the edge a-x weighs 1 / sqrt(1 * 2), b-x 1/2, b-y 1 / sqrt(2)."""
    path = from_sets([[0], [0, 1]], n_items=2)
    adjacency = normalised_adjacency(path.indptr, path.indices, 2).toarray()
    root = np.sqrt(0.5)
    expected = [[0, 0, root, 0], [0, 0, 0.5, root], [root, 0.5, 0, 0], [0, root, 0, 0]]
    np.testing.assert_allclose(adjacency, expected, atol=1e-7)


def test_nodes_without_edges_keep_their_share_of_layer_0() -> None:
    lonely = from_sets([[0], []], n_items=2)
    vectors = encoder(LightGCN(n_layers=3), lonely)(torch.ones(4, SIZE), None)
    np.testing.assert_allclose(vectors[[1, 3]].numpy(), 0.25)
    np.testing.assert_allclose(vectors[[0, 2]].numpy(), 1.0, rtol=1e-6)


def test_matrix_factorisation_has_one_layer_the_numbers_themselves() -> None:
    table = numbers(tiny())
    assert encoder(MF(), tiny()).is_local
    assert encoder(MF(), tiny())(table, None) is table
    assert torch.equal(encoder(MF(), tiny()).layers(table, None), table[None])


def test_the_mean_of_the_layers_is_the_vectors() -> None:
    """With edges left out too, where both leave out the same ones for the same draws."""
    table = numbers(tiny())
    for backbone in (LightGCN(3), LightGCN(3, edge_dropout=0.4)):
        graph = encoder(backbone, tiny())
        layers = graph.layers(table, Draws(5, 64, CPU))
        assert layers.shape == (4, *table.shape)
        np.testing.assert_allclose(layers.mean(0).numpy(), graph(table, Draws(5, 64, CPU)).numpy(), atol=1e-6)


def thinned(graph: Graph, draws: Draws) -> npt.NDArray[np.float64]:
    """Return the matrix of a training step: what one step over the graph makes of each node's unit vector."""
    scales = graph._scales(draws)
    matrix: npt.NDArray[np.float64] = graph._propagation.drop_edges(scales)._adjacency.to_dense().double().numpy()
    return matrix


def test_edges_are_left_out_in_both_directions_and_the_others_make_up_for_it() -> None:
    """Symmetric, entries 0 or the old ones / (1 - p), in the mean over draws the old ones; anew for each step."""
    whole = adjacency_of(tiny())
    graph = encoder(LightGCN(2, edge_dropout=0.3), tiny())
    assert isinstance(graph, Graph)
    drawn = [thinned(graph, Draws(9, position, CPU)) for position in range(60)]
    for matrix in drawn[:5]:
        np.testing.assert_array_equal(matrix, matrix.T)
        kept = matrix != 0
        np.testing.assert_allclose(matrix[kept], whole[kept] / 0.7, rtol=1e-6)
        assert kept.sum() == pytest.approx(0.7 * np.count_nonzero(whole), rel=0.05)
    assert not np.array_equal(drawn[0], drawn[1])
    assert np.mean(drawn, axis=0).sum() == pytest.approx(whole.sum(), rel=0.01)
    edges = whole > 0
    ratios = np.mean(drawn, axis=0)[edges] / whole[edges]
    assert ratios.std() == pytest.approx(np.sqrt(0.3 / 0.7 / 60), rel=0.1)


def test_vectors_to_use_are_those_of_the_whole_graph() -> None:
    table = numbers(tiny())
    whole, thin = (encoder(LightGCN(2, edge_dropout=p), tiny()) for p in (0.0, 0.5))
    assert torch.equal(whole(table, None).clone(), thin(table, None))
    assert not torch.allclose(thin(table, None).clone(), thin(table, Draws(1, 0, CPU)))


@pytest.mark.parametrize("by_layer", [False, True])
@pytest.mark.parametrize("edge_dropout", [0.0, 0.4])
def test_the_gradient_is_that_of_autograd_on_the_dense_matrix(by_layer: bool, edge_dropout: float) -> None:
    """Of the mean and of all layers, each weighed on its own."""
    graph = encoder(LightGCN(3, edge_dropout), tiny())
    assert isinstance(graph, Graph)
    table = numbers(tiny()).requires_grad_()
    matrix = thinned(graph, Draws(3, 0, CPU)) if edge_dropout else adjacency_of(tiny())
    dense, exact = torch.from_numpy(matrix), table.detach().double().requires_grad_()
    powers = [exact]
    for _ in range(3):
        powers.append(dense @ powers[-1])
    expected = torch.stack(powers) if by_layer else torch.stack(powers).mean(0)
    given = (graph.layers if by_layer else graph)(table, Draws(3, 0, CPU))
    np.testing.assert_allclose(given.detach().numpy(), expected.detach().numpy(), atol=1e-6)
    weights = torch.from_numpy(np.random.default_rng(8).standard_normal(expected.shape))
    (gradient,) = torch.autograd.grad(given, table, weights.float())
    (of_dense,) = torch.autograd.grad(expected, exact, weights)
    np.testing.assert_allclose(gradient.numpy(), of_dense.numpy(), atol=1e-5)


def test_propagations_do_not_share_their_memory() -> None:
    """A validation's vectors are still there when another engine has propagated."""
    adjacency, table = normalised_adjacency(tiny().indptr, tiny().indices, tiny().n_items), numbers(tiny())
    one, other = (Propagation(adjacency, 2, SIZE, CPU) for _ in range(2))
    first = one(table)
    kept = first.clone()
    other(2 * table)
    assert torch.equal(first, kept)
