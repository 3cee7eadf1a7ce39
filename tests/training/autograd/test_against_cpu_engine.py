"""The torch engine minimises what the CPU engine does: losses and gradients of equal triplets, and curves of learning.

The CPU engine keeps no gradients, but at a learning rate of 0 its vectors stay and its sums of squares give each
gradient's size; signs come from one step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.training.cpu_engine import CpuEngine
from nestrec.training.engines import TorchEngine
from nestrec.training.losses import SampledSoftmax
from nestrec.training.optimizers import FIRST_SQUARE
from nestrec.training.options import Run
from nestrec.training.samplers import DynamicSampler, UniformSampler
from nestrec.training.trainer import Trainer
from tests.training.worlds import from_sets, weighted, world

pytest.importorskip("torch")

from tests.training.autograd.engines import NoSteps, started

Array = npt.NDArray[np.float64]
WIDTHS = (2, 4, 9)
RATE, SQUARE = 1.0, 1.0


def trainer(engine: TorchEngine | None, **options: Any) -> Trainer:
    weights = (0.2, 0.3, 0.5)
    given: dict[str, Any] = {"widths": WIDTHS, "level_weights": weights, "starting_scale": 0.4, "regularization": 0.3}
    return Trainer(engine=engine, **(given | options))


def cpu_engine(interactions: Interactions, **options: Any) -> CpuEngine:
    chosen = trainer(None, **options)
    engine = chosen.resolve(interactions).start_engine(Run(deterministic=True))
    assert isinstance(engine, CpuEngine)
    return engine


def torch_gradients(interactions: Interactions, **options: Any) -> tuple[float, Array, Array, Array]:
    """Return the summed loss; of each node the sums of squares and of gradients, unaveraged; the starting values."""
    engine = started(trainer(TorchEngine("cpu", batch_size=POOL_BLOCK), **options), interactions)
    steps = NoSteps()
    engine._steps = steps
    loss, n = engine.train(0, 0, engine.n_positives, 0.1)
    (nodes,), (gradients,) = steps.nodes, steps.gradients
    assert n <= POOL_BLOCK
    n_nodes = interactions.n_users + interactions.n_items
    squares, sums = np.zeros((2, n_nodes, WIDTHS[-1]))
    np.add.at(squares, nodes, (n * gradients.astype(float)) ** 2)
    np.add.at(sums, nodes, n * gradients.astype(float))
    return loss, squares, sums, engine._table.double().numpy()


def test_both_start_from_the_same_values() -> None:
    interactions = from_sets([[0], [1, 2]], 5)
    cpu, table = cpu_engine(interactions), torch_gradients(interactions)[3]
    np.testing.assert_array_equal(np.concatenate([cpu.user_embeddings, cpu.item_embeddings]), table.astype(np.float32))


def cpu_squares(interactions: Interactions, **options: Any) -> tuple[float, Array]:
    engine = cpu_engine(interactions, **options)
    loss, _ = engine.train(0, 0, engine.n_positives, 0.0)
    squares = np.concatenate([engine.user_squares, engine.item_squares])[:, : WIDTHS[-1]]
    return loss, squares.astype(float) - FIRST_SQUARE


@pytest.mark.parametrize("sampler", [DynamicSampler(3), UniformSampler()], ids=repr)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_pairs_of_a_fixed_set_have_equal_losses_and_gradients(
    sampler: DynamicSampler | UniformSampler, is_weighted: bool
) -> None:
    """Three users who have seen all items but one, so that the negative of each level is forced; held back too."""
    interactions = from_sets([[item for item in range(11) if item != unseen] for unseen in (0, 5, 10)], 11)
    interactions = weighted(interactions) if is_weighted else interactions
    loss, squares, *_ = torch_gradients(interactions, sampler=sampler)
    expected_loss, expected = cpu_squares(interactions, sampler=sampler)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    np.testing.assert_allclose(squares, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("loss", [SampledSoftmax(), SampledSoftmax(temperature=0.5, coupling=1)], ids=repr)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_softmax_of_a_fixed_set_has_equal_losses_and_gradients(loss: SampledSoftmax, is_weighted: bool) -> None:
    """64 items and 64 candidates: the pool is every item once. A block's 30 positives, and users who share items."""
    interactions = from_sets([list(range(3 * k, 3 * k + 5)) for k in range(6)], 64)
    interactions = weighted(interactions) if is_weighted else interactions
    torch_loss, squares, *_ = torch_gradients(interactions, loss=loss)
    expected_loss, expected = cpu_squares(interactions, loss=loss)
    assert torch_loss == pytest.approx(expected_loss, rel=1e-5)
    np.testing.assert_allclose(squares, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("options", [{}, {"sampler": UniformSampler()}], ids=["softmax", "pairs"])
def test_dislikes_of_a_fixed_set_have_equal_losses_and_gradients(options: dict[str, Any]) -> None:
    """Of users with one interaction, so that the positive is forced; all items but the disliked ones are seen or 0."""
    interactions = from_sets([[3 * user] for user in range(5)], 64)
    disliked = from_sets([[3 * user + 1, 3 * user + 2] for user in range(5)], 64)
    with_dislikes = replace(interactions, dislikes=matched(interactions, disliked), check=False)
    losses, squares = [], []
    for data in (interactions, with_dislikes):
        loss, of_torch, *_ = torch_gradients(data, **options)
        expected_loss, expected = cpu_squares(data, **options)
        losses.append((loss, expected_loss))
        squares.append((of_torch, expected))
    differences = [after - before for before, after in zip(*losses, strict=True)]
    assert differences[0] == pytest.approx(differences[1], rel=1e-4)
    assert differences[0] > 0
    of_torch, expected = (after - before for before, after in zip(*squares, strict=True))
    np.testing.assert_allclose(of_torch, expected, rtol=1e-3, atol=1e-6)
    assert expected.max() > 1e-3


def matched(interactions: Interactions, other: Interactions) -> Interactions:
    """Return the other interactions with the vocabularies of these."""
    return replace(other, users=interactions.users, items=interactions.items, check=False)


def cpu_gradient(interactions: Interactions, **options: Any) -> Array:
    """Return the gradient, sign and all, from a step of RATE * g / sqrt(SQUARE + g^2)."""
    engine = cpu_engine(interactions, **options)
    before = np.concatenate([engine.user_embeddings, engine.item_embeddings]).astype(float)
    engine.user_squares[:] = engine.item_squares[:] = SQUARE
    engine.train(0, 0, engine.n_positives, RATE)
    moved = before - np.concatenate([engine.user_embeddings, engine.item_embeddings])
    gradient: Array = moved * np.sqrt(SQUARE) / np.sqrt(RATE**2 - moved**2)
    return gradient


def test_gradients_of_the_softmax_point_the_same_way() -> None:
    """One positive against all other items."""
    interactions = from_sets([[17]], 64)
    sums = torch_gradients(interactions)[2]
    np.testing.assert_allclose(sums, cpu_gradient(interactions), atol=1e-5)
    assert np.abs(sums).max() > 0.1


def test_gradients_of_pairs_point_the_same_way() -> None:
    """One positive, one level and one unseen item: nothing is read again that a step has moved."""
    interactions = from_sets([[0]], 2)
    options: dict[str, Any] = {"widths": (WIDTHS[-1],), "level_weights": (1,), "sampler": DynamicSampler(64)}
    sums = torch_gradients(interactions, **options)[2]
    np.testing.assert_allclose(sums, cpu_gradient(interactions, **options), atol=1e-5)
    assert np.abs(sums).max() > 0.1


EPOCHS = 4


def curve(engine: TorchEngine | None, pairs: bool, seed: int) -> Array:
    """Return ndcg@20 of the validation part after each epoch (row) for each width (column)."""
    learner = Trainer(
        widths=(4, 16),
        sampler=DynamicSampler(4) if pairs else None,
        engine=engine,
        epochs=EPOCHS,
        evaluate_every=1,
        rotate=False,
        tune_seconds=0,
    )
    run = Run(seed=seed, deterministic=True)
    model = learner.fit(world().interactions, validation=RandomSplit(0.2, seed=5), refit=False, run=run)
    looks = model.manifest["training"]["history"]
    return np.array([[look["metrics"][width]["ndcg@20"] for width in ("4", "16")] for look in looks])


@pytest.mark.parametrize("pairs", [False, True], ids=["softmax", "pairs"])
def test_both_learn_as_fast_and_as_much(pairs: bool) -> None:
    """At every width, no further from the mean of the CPU engine's seeds than some two of those are from each other.

    From the second epoch on; in the first one a batch's steps, which are taken together, come later than single ones.
    Of few candidates: the CPU engine strikes out those that were seen, a tenth in this world, and the torch engine
    draws unseen ones alone, so that 7 of its own are as hard as 8 of the other's.
    """
    of_seeds = np.array([curve(None, pairs, seed) for seed in range(16)])
    given = curve(TorchEngine("cpu", batch_size=POOL_BLOCK), pairs, 0)
    noise = np.ptp(of_seeds, axis=0)[1:].max()
    assert np.abs(given - of_seeds.mean(axis=0))[1:].max() < noise
    assert noise < 0.4 * (of_seeds[:, -1] - of_seeds[:, 0]).max()
