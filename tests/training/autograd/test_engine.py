"""Batches, order and positives of the torch engine, and candidates scored in half precision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from nestrec.training.backbones import LightGCN
from nestrec.training.losses import DirectAU
from nestrec.training.optimizers import Adagrad, Adam, Optimizer
from nestrec.training.samplers import DisentangledSampler, DynamicSampler, MixedSampler
from tests.training.worlds import from_sets, tiny

torch = pytest.importorskip("torch")

import nestrec.training.autograd.autograd_engine as engine_module  # noqa: E402
from nestrec.training.autograd import levels  # noqa: E402
from nestrec.training.autograd.autograd_engine import AutogradEngine, torch_threads  # noqa: E402
from nestrec.training.autograd.counter_rng import derive_key  # noqa: E402
from nestrec.training.autograd.nested_loss import Batch  # noqa: E402
from nestrec.training.autograd.scoring import Compiled  # noqa: E402
from tests.training.autograd.engines import CPU, NoSteps, batch_of, one_epoch, started, torch_trainer  # noqa: E402


class Watched:
    """Remembers the positives and the size of each step's batch."""

    def __init__(self, engine: AutogradEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pairs: list[tuple[int, int]] = []
        self.sizes: list[int] = []
        step = engine._step

        def watched(positives: Any, *position: Any) -> Any:
            self.pairs += zip(positives.users.tolist(), positives.items.tolist(), strict=True)
            self.sizes.append(len(positives.users))
            return step(positives, *position)

        monkeypatch.setattr(engine, "_step", watched)


def pairs_of(interactions: Interactions) -> list[tuple[int, int]]:
    users, items = interactions.to_scipy().nonzero()
    return list(zip(users.tolist(), items.tolist(), strict=True))


@pytest.mark.parametrize("batch_size", [64, 384, 4096])
def test_an_epoch_trains_every_positive_once_the_last_smaller_batch_too(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = started(torch_trainer(batch_size, sampler=DynamicSampler(4)))
    watched = Watched(engine, monkeypatch)
    one_epoch(engine)
    n = tiny().n_interactions
    assert n % batch_size
    assert watched.sizes == [batch_size] * (n // batch_size) + [n % batch_size]
    assert sorted(watched.pairs) == pairs_of(tiny())


def test_the_last_smaller_batch_moves_its_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = started(torch_trainer(384))
    whole = engine.n_positives // 384 * 384
    engine.train(0, 0, whole, 0.1)
    before = engine.user_embeddings.copy()
    watched = Watched(engine, monkeypatch)
    engine.train(0, whole, engine.n_positives, 0.1)
    moved = np.flatnonzero((engine.user_embeddings != before).any(axis=1))
    assert set(moved.tolist()) == {user for user, _ in watched.pairs}


def test_epochs_differ_in_order_and_are_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = []
    for epoch in (0, 1, 0):
        engine = started(torch_trainer())
        watched = Watched(engine, monkeypatch)
        one_epoch(engine, epoch)
        orders.append(watched.pairs)
    assert orders[0] == orders[2] != orders[1]


def test_draws_share_no_key_with_candidates_and_order() -> None:
    """A choice among the hardest would depend on which items were drawn, edges left out on negatives."""
    key = started(torch_trainer())._key(0)
    of_epoch = {derive_key(key, number) for number in (engine_module._CANDIDATES, engine_module._ORDER)}
    assert len(of_epoch) == 2
    assert of_epoch.isdisjoint(derive_key(key, call) for call in range(1000))


def test_whoever_has_seen_everything_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no negative; without negatives there is something to learn."""
    interactions = from_sets([[0, 1, 2], [0], [], [1, 2]], 3)
    for options, expected in (
        ({}, [(1, 0), (3, 1), (3, 2)]),
        ({"sampler": DynamicSampler(2)}, [(1, 0), (3, 1), (3, 2)]),
        ({"loss": DirectAU()}, [(0, 0), (0, 1), (0, 2), (1, 0), (3, 1), (3, 2)]),
    ):
        engine = started(torch_trainer(**options), interactions)
        watched = Watched(engine, monkeypatch)
        before = engine.user_embeddings.copy()
        one_epoch(engine)
        assert engine.n_positives == len(expected)
        assert sorted(watched.pairs) == expected
        assert np.array_equal(engine.user_embeddings[2], before[2])
        assert np.isfinite(engine.user_embeddings).all()


def test_a_batch_is_averaged() -> None:
    """Half as many positives, twice the share of each: gradients of a batch are the mean of its halves'."""
    engine = started(torch_trainer(sampler=DynamicSampler(4)))
    batch, _ = batch_of(engine, 64)
    loss, gradients, _ = engine.gradients(batch)
    assert batch.negatives is not None
    halves = [
        engine.gradients(Batch(batch.users[part], batch.items[part], batch.negatives[part]))
        for part in (slice(0, 32), slice(32, 64))
    ]
    assert float(loss) == pytest.approx(float(halves[0][0] + halves[1][0]) / 2, rel=1e-6)
    for k, gradient in enumerate(gradients):
        together = torch.cat([halves[0][1][k], halves[1][1][k]], dim=1) / 2
        np.testing.assert_allclose(gradient.numpy(), together.numpy(), rtol=1e-5, atol=1e-8)


def test_whole_vectors_are_held_back_alike_where_that_is_asked_for() -> None:
    """Without a loss, the gradient of 1e-2 / 2 * |v|^2 of user, positive and each level's negative, a mean over n."""
    trainer = torch_trainer(
        4096, sampler=DynamicSampler(4), regularize_whole=True, regularization=0.01, level_weights=(0.4, 0.6)
    )
    plain = torch_trainer(4096, sampler=DynamicSampler(4), regularization=0.0, level_weights=(0.4, 0.6))
    gradients = []
    for chosen in (trainer, plain):
        engine = started(chosen)
        steps = NoSteps()
        engine._steps = steps
        one_epoch(engine)
        gradients.append(steps.gradients[0])
    own = engine._table.numpy()[steps.nodes[0]]
    np.testing.assert_allclose(gradients[0] - gradients[1], 0.01 * own / engine.n_positives, rtol=1e-2, atol=1e-8)


def test_a_graph_is_held_back_by_its_numbers_not_its_vectors() -> None:
    """As in the paper of LightGCN: what is regularised is layer 0 of the batch's own nodes."""
    gradients = []
    for regularization in (0.2, 0.0):
        engine = started(
            torch_trainer(
                4096,
                backbone=LightGCN(2),
                sampler=DynamicSampler(1, shared=True),
                regularization=regularization,
                regularize_whole=True,
            )
        )
        steps = NoSteps()
        engine._steps = steps
        n = 64
        engine.train(0, 0, n, 0.1)
        gradients.append(steps.gradients[0])
    batch = started_batch(engine, n)
    counts = np.bincount(batch, minlength=len(engine._table))[:, None]
    expected = 0.2 * counts * engine._table.numpy() / n
    np.testing.assert_allclose(gradients[0] - gradients[1], expected, rtol=1e-3, atol=1e-7)


def started_batch(engine: AutogradEngine, n: int) -> Any:
    """Return the nodes that the first n positives of epoch 0 touch, with repeats."""
    rows = engine._order_of(0)[:n]
    moment = engine._moment(0, 0)
    layers = engine._layers(moment.draws).detach()
    batch = engine._batches.batch(engine._positives.at(rows), layers, moment)
    engine._table.requires_grad_(False)
    return np.concatenate([part.flatten().numpy() for part in engine._rows(batch)])


def test_prefix_scores_and_coupled_gradients_are_those_of_slices() -> None:
    """Scores of each level, and gradients that reach block b from level l gradient_weights[b, l] times."""
    rng = np.random.default_rng(0)
    widths = (2, 3, 7)
    users, items = (torch.from_numpy(rng.standard_normal((40, 7))).requires_grad_() for _ in range(2))
    pools = torch.from_numpy(rng.standard_normal((2, 5, 7)))
    sliced = torch.stack([(users[:, :w] * items[:, :w]).sum(1) for w in widths])
    held = levels.level_mask(widths, CPU).double()
    np.testing.assert_allclose(levels.shared_scores(users, items, held).detach(), sliced.detach())
    own = torch.from_numpy(rng.standard_normal((40, 3, 7)))
    expected = torch.stack([(users[:, :w] * own[:, k, :w]).sum(1) for k, w in enumerate(widths)])
    np.testing.assert_allclose(levels.own_scores(users, own, held).detach(), expected.detach())
    products = levels.pooled_products(users, pools, widths, 32).cumsum(0)
    spread = pools.repeat_interleave(32, dim=0)[:40]
    of_pool = torch.stack([(spread[..., :w] @ users[:, :w, None])[..., 0] for w in widths])
    np.testing.assert_allclose(products.detach(), of_pool.detach())

    gradient_weights = torch.from_numpy(np.triu(rng.uniform(size=(3, 3))))
    coupled = levels.couple(levels.block_products(users, items, widths), gradient_weights)
    np.testing.assert_allclose(coupled.detach(), sliced.detach())
    (gradient,) = torch.autograd.grad(coupled.square().sum(), users)
    slopes, block_of = 2 * sliced.detach(), [0, 0, 1, 2, 2, 2, 2]
    weights = torch.stack([(gradient_weights[b][:, None] * slopes).sum(0) for b in block_of], dim=1)
    np.testing.assert_allclose(gradient, weights * items.detach())


@pytest.mark.parametrize("optimizer", [Adagrad(), Adam(), Adam(sparse=True)], ids=repr)
def test_what_half_precision_scores_by_is_the_table_as_it_is(optimizer: Optimizer) -> None:
    """A shadow that a step forgets would score by vectors of long ago."""
    engine = started(torch_trainer(64, True, optimizer, sampler=DynamicSampler(8)))
    for first in range(0, 640, 64):
        engine.train(0, first, first + 64, 0.1)
        assert torch.equal(engine._batches._for_scoring(engine._table), engine._table.to(torch.bfloat16))


@pytest.mark.parametrize("sampler", [DynamicSampler(8), MixedSampler(8), DisentangledSampler(8)], ids=repr)
@pytest.mark.parametrize("backbone", ["mf", "graph"])
def test_half_precision_chooses_mostly_the_same_and_trains(sampler: Any, backbone: str) -> None:
    options: dict[str, Any] = {"backbone": LightGCN(2)} if backbone == "graph" else {}
    choices = []
    for mixed in (False, True):
        engine = started(torch_trainer(192, mixed, sampler=sampler, **options))
        batch, _ = batch_of(engine, 320)
        assert batch.negatives is not None
        choices.append(batch.negatives)
        losses = [one_epoch(engine, epoch, 0.02) for epoch in range(3)]
        assert losses[2] < losses[0]
        assert np.isfinite(engine.user_embeddings).all()
    assert float((choices[0] == choices[1]).float().mean()) > 0.9


def test_threads_are_given_back() -> None:
    former = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), torch_threads(former + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == former


def test_two_threads_train_as_one() -> None:
    """Batches are not raced for: threads share the work of each."""
    tables = []
    for threads in (1, 2):
        engine = started(torch_trainer(1024, sampler=DynamicSampler(8)))
        engine.threads = threads
        assert isinstance(engine._batches.drawing, Compiled)
        engine._batches.drawing = replace(engine._batches.drawing, threads=threads)
        one_epoch(engine)
        tables.append(engine.user_embeddings.copy())
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-5)


@pytest.mark.parametrize("batch_size", [64, 512, 32_768, 65_536])
def test_slices_are_whole_batches(batch_size: int) -> None:
    slice_size = started(torch_trainer(batch_size)).slice_size
    assert slice_size % batch_size == 0
    assert slice_size == max(batch_size, engine_module._CPU_SLICE // batch_size * batch_size)


def test_memory_is_given_back_when_a_phase_is_over() -> None:
    engine = started(torch_trainer(optimizer=Adam()))
    one_epoch(engine)
    engine.release(vectors=False)
    assert engine.user_embeddings.shape == (tiny().n_users, 8)
    engine.release(vectors=True)
    assert engine._table.numel() == 0
