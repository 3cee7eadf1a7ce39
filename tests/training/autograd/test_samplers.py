"""Every sampler's choice against a few plain lines, and negatives that differ by level where they should."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from nestrec.errors import OptionError
from nestrec.training.backbones import LightGCN
from nestrec.training.losses import Negatives
from nestrec.training.samplers import (
    LARGEST_POOL,
    AdaptiveSampler,
    ChoosingSampler,
    CurriculumSampler,
    DisentangledSampler,
    DynamicSampler,
    MixedSampler,
    NoSampler,
    UniformSampler,
)
from tests.training.worlds import tiny

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

import nestrec.training.autograd.autograd_engine as engine_module  # noqa: E402
from nestrec.training.autograd.candidates import CandidateRequest  # noqa: E402
from nestrec.training.autograd.counter_rng import Draws, derive_key  # noqa: E402
from nestrec.training.autograd.gates import Gates  # noqa: E402
from nestrec.training.autograd.pool import Pool  # noqa: E402
from nestrec.training.autograd.scoring import Plain  # noqa: E402
from tests.training.autograd.engines import batch_of, started, torch_trainer  # noqa: E402

BATCH, POOLS, LAYERS, SIZE = 40, 3, 2, 5


def normal(*shape: int, seed: int = 0) -> Tensor:
    values: Tensor = torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))
    return values


def pool(n_candidates: int = 12, epoch: int = 0, n_pools: int = POOLS) -> Pool:
    """Return pools of random candidates whose scores do not tie."""
    shape = BATCH, n_pools, n_candidates
    return Pool(
        items=torch.arange(BATCH * n_pools * n_candidates).view(shape) * 7,
        scores=normal(*shape),
        of_positives=lambda: normal(BATCH, n_pools, seed=1).abs(),
        epoch=epoch,
        epochs=12,
        draws=Draws(5, 64, torch.device("cpu")),
        layer_scores=lambda: normal(BATCH, n_pools, LAYERS, n_candidates, seed=2),
        vectors=lambda: (
            normal(LAYERS, BATCH, SIZE, seed=3),
            normal(LAYERS, BATCH, SIZE, seed=4),
            normal(LAYERS, BATCH * n_pools * n_candidates * 7, SIZE, seed=5),
        ),
    )


def each_pool(given: Pool) -> list[tuple[int, int, list[int], list[float], float]]:
    """Return row, pool, items, scores and the positive's score, pool by pool, as plain numbers."""
    return [
        (row, k, given.items[row, k].tolist(), given.scores[row, k].tolist(), float(given.positive_scores[row, k]))
        for row in range(BATCH)
        for k in range(given.items.shape[1])
    ]


def test_uniform_keeps_what_was_drawn() -> None:
    given = pool(1)
    assert torch.equal(UniformSampler().choose(given, None).items, given.items)


def test_dynamic_keeps_the_highest() -> None:
    given = pool()
    chosen = DynamicSampler(12).choose(given, None)
    assert chosen.items.shape == (BATCH, POOLS, 1)
    assert chosen.share_of_positive is None
    for row, k, items, scores, _ in each_pool(given):
        assert chosen.items[row, k, 0] == max(zip(scores, items, strict=True))[1]


def test_of_the_hardest_few_each_is_kept_as_often() -> None:
    """DNS(M, N): always one of the N best, every rank about a third of the time; other positions, other ranks."""
    given = pool()
    ranks = []
    for position in range(0, 640, 64):
        draws = Draws(5, position, given.draws.device)
        chosen = DynamicSampler(12, n_hardest=3).choose(replace(given, draws=draws), None)
        for row, k, items, scores, _ in each_pool(given):
            best = [item for _, item in sorted(zip(scores, items, strict=True), reverse=True)]
            ranks.append(best.index(int(chosen.items[row, k, 0])))
    counts = np.bincount(ranks)
    assert len(counts) == 3
    assert np.abs(counts - len(ranks) / 3).max() < 5 * np.sqrt(len(ranks) / 3)


@pytest.mark.parametrize(("alpha", "beta", "power"), [(1.0, 0.1, -2), (0.5, 0.3, 0), (2.0, 0.7, -1)])
def test_adaptive_keeps_the_one_that_the_positive_calls_for(alpha: float, beta: float, power: int) -> None:
    given = pool()
    chosen = AdaptiveSampler(12, alpha=alpha, beta=beta, power=power).choose(given, None)
    for row, k, items, scores, positive in each_pool(given):
        wanted = beta * (positive + alpha) ** (power + 1)
        assert chosen.items[row, k, 0] == min(zip(scores, items, strict=True), key=lambda x: abs(x[0] - wanted))[1]


def test_adaptive_negatives_are_easier_for_better_positives() -> None:
    """So a positive that is learned already is not set against what may be another one."""
    given = pool(64)
    means = []
    for score in (-0.9, 0.0, 3.0):
        learned = replace(given, of_positives=partial(torch.full, (BATCH, POOLS), score))
        kept = given.items == AdaptiveSampler(64).choose(learned, None).items
        means.append(float(given.scores[kept].mean()))
    assert means == sorted(means, reverse=True)
    assert means[0] > means[2] + 0.5


def test_the_curriculum_goes_from_all_candidates_to_one() -> None:
    """Over 12 epochs one candidate fewer in each, of 12."""
    for epoch in range(12):
        given = pool(12, epoch)
        chosen = CurriculumSampler(12).choose(given, None)
        n = 12 - epoch
        for row, k, items, scores, _ in each_pool(given):
            assert chosen.items[row, k, 0] == max(zip(scores[:n], items[:n], strict=True))[1]


def test_mixed_keeps_the_highest_of_each_layer_and_a_share() -> None:
    """Shares are uniform in [0, 1), the same again for the same positions."""
    given = pool()
    chosen, again = MixedSampler(12).choose(given, None), MixedSampler(12).choose(pool(), None)
    assert chosen.items.shape == (BATCH, POOLS, LAYERS)
    for row, k, items, _, _ in each_pool(given):
        for layer, scores in enumerate(given.layer_scores()[row, k].tolist()):
            assert chosen.items[row, k, layer] == max(zip(scores, items, strict=True))[1]
    share = chosen.share_of_positive
    assert share is not None
    assert again.share_of_positive is not None
    assert share.shape == chosen.items.shape
    assert 0 <= float(share.min()) < 0.05
    assert 0.95 < float(share.max()) < 1
    assert torch.equal(share, again.share_of_positive)


def logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def linear(map_: Any, x: Any) -> Any:
    return map_.weight.detach().double().numpy() @ x + map_.bias.detach().double().numpy()


def parted(gates: Gates, user: Any, positive: Any, negative: Any) -> tuple[Any, Any]:
    """Return the relevant parts of one positive and one negative, as the paper's equations have them."""
    relevant = positive * logistic(linear(gates.item, positive) + linear(gates.user, user))
    return relevant, negative * logistic(linear(gates.negative, negative) + linear(gates.relevant, relevant))


def test_disentangled_keeps_the_highest_of_what_the_gates_leave() -> None:
    given, sampler = pool(n_pools=1), DisentangledSampler(12, alpha=0.3)
    gates = sampler.module(SIZE)
    assert isinstance(gates, Gates)
    chosen = sampler.choose(given, gates)
    users, positives, items = (part.double().numpy() for part in given.vectors())
    candidates = items[:, given.items[:, 0].numpy()]
    for row in range(BATCH):
        for layer in range(LAYERS):
            user, positive = users[layer, row], positives[layer, row]
            scores = [
                user @ (0.7 * candidate - parted(gates, user, positive, candidate)[1])
                for candidate in candidates[layer, row]
            ]
            assert chosen.items[row, 0, layer] == given.items[row, 0, int(np.argmax(scores))]


def test_the_gates_learn_from_four_pairwise_losses() -> None:
    """Of parts averaged over the layers, against an average user; weighed by gamma."""
    sampler = DisentangledSampler(12, gamma=0.25)
    gates = sampler.module(SIZE)
    assert isinstance(gates, Gates)
    parts = [normal(LAYERS, BATCH, SIZE, seed=seed) for seed in (3, 4, 5)]
    given = sampler.own_loss(gates, parts[0], parts[1], parts[2][:, :, None])
    users, positives, negatives = (part.double().numpy() for part in parts)
    for row in range(BATCH):
        pairs = [parted(gates, users[k, row], positives[k, row], negatives[k, row]) for k in range(LAYERS)]
        relevant, of_negative = (np.mean(of, axis=0) for of in zip(*pairs, strict=True))
        user, positive, negative = (of[:, row].mean(axis=0) for of in (users, positives, negatives))
        better_and_worse = [
            (relevant, positive - relevant),
            (negative - of_negative, of_negative),
            (relevant, of_negative),
            (negative - of_negative, positive - relevant),
        ]
        losses = [np.log1p(np.exp(user @ worse - user @ better)) for better, worse in better_and_worse]
        assert float(given[row].detach()) == pytest.approx(0.25 * np.mean(losses), rel=1e-5)


CHOOSING: list[ChoosingSampler] = [
    UniformSampler(),
    DynamicSampler(8),
    DynamicSampler(8, n_hardest=3),
    AdaptiveSampler(8),
    CurriculumSampler(8),
    MixedSampler(8),
]


@pytest.mark.parametrize("sampler", CHOOSING, ids=repr)
@pytest.mark.parametrize("backbone", ["mf", "graph"])
def test_levels_have_negatives_of_their_own_unless_they_share_one(sampler: ChoosingSampler, backbone: str) -> None:
    """None of them has been seen."""
    options: dict[str, Any] = {"backbone": LightGCN(2)} if backbone == "graph" else {}
    matrix = tiny().to_scipy().toarray() > 0
    for shared in (False, True):
        engine = started(torch_trainer(widths=(2, 4, 8), sampler=replace(sampler, shared=shared), **options))
        batch, layers = batch_of(engine, 64)
        assert batch.negatives is not None
        n_layers = len(layers) if sampler.per_layer else 1
        assert n_layers == (3 if sampler.per_layer and backbone == "graph" else 1)
        assert batch.negatives.shape == (64, 1 if shared else 3, n_layers)
        assert not matrix[batch.users[:, None, None].numpy(), batch.negatives.numpy()].any()
        if not shared:
            apart = batch.negatives[:, 0] != batch.negatives[:, 2]
            assert float(apart.float().mean()) > 0.5


@pytest.mark.parametrize("shared", [False, True])
def test_the_prefix_of_a_level_chooses_its_negative(shared: bool) -> None:
    """Of the level's own pool, the best by the level's width; shared, of one pool by the full width."""
    engine = started(torch_trainer(widths=(2, 4, 8), sampler=DynamicSampler(8, shared)))
    batch, layers = batch_of(engine, 64)
    users, items = layers[0, : tiny().n_users], layers[0, tiny().n_users :]
    key = key_of_candidates(engine)
    widths = (8,) if shared else (2, 4, 8)
    drawing = Plain(tiny().indptr, tiny().indices, tiny().n_items, torch.device("cpu"))
    drawn = drawing(users, items, CandidateRequest(batch.users, widths, 8, key, 0))
    assert batch.negatives is not None
    for row in range(64):
        for level, width in enumerate(widths):
            candidates = drawn.items[row, level]
            scores = items[candidates, :width] @ users[batch.users[row], :width]
            assert batch.negatives[row, level, 0] == candidates[scores.argmax()]


def key_of_candidates(engine: Any) -> int:
    """Return the key of an epoch's candidates."""
    return derive_key(int(engine._key(0)), engine_module._CANDIDATES)


@pytest.mark.parametrize("backbone", ["mf", "graph"])
@pytest.mark.parametrize("shared", [False, True])
def test_what_is_mixed_of_positive_and_negative_is_trained_against(backbone: str, shared: bool) -> None:
    """The loss of a batch by formulas in float64: layers mixed each by its share, then averaged, then scored."""
    options: dict[str, Any] = {"backbone": LightGCN(2)} if backbone == "graph" else {}
    engine = started(torch_trainer(widths=(2, 8), sampler=MixedSampler(8, shared), **options))
    batch, layers = batch_of(engine, 64)
    loss = engine.gradients(batch).loss
    vectors, n_users, losses = layers.double().numpy(), tiny().n_users, []
    assert batch.negatives is not None
    assert batch.share_of_positive is not None
    for row, (user, item) in enumerate(zip(batch.users.tolist(), batch.items.tolist(), strict=True)):
        mean = vectors.mean(axis=0)
        for level, (width, weight) in enumerate(zip((2, 8), engine.objective.level_weights, strict=True)):
            k = 0 if shared else level
            mixed = []
            for layer, of_layer in enumerate(vectors):
                share = float(batch.share_of_positive[row, k, layer])
                negative = of_layer[n_users + int(batch.negatives[row, k, layer])]
                mixed.append(share * of_layer[n_users + item] + (1 - share) * negative)
            apart = np.mean(mixed, axis=0) - mean[n_users + item]
            losses.append(weight * np.log1p(np.exp(mean[user, :width] @ apart[:width])))
    assert float(loss) == pytest.approx(sum(losses) / 64, rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            lambda: DynamicSampler(4, n_hardest=5),
            "n_hardest must be between 1 and the number of candidates, 4; got 5",
        ),
        (lambda: DynamicSampler(n_hardest=LARGEST_POOL + 1), "candidates, 1024; got 1025"),
        (lambda: DynamicSampler(n_hardest=0), "n_hardest must be .*; got 0"),
        (lambda: UniformSampler(2), "n_candidates of uniform sampling must be 1, got 2"),
        (lambda: MixedSampler(0), "n_candidates must be between 1 and 1024, got 0"),
        (lambda: DisentangledSampler(shared=False), "shared must be True .* leave it out"),
        (lambda: DisentangledSampler(alpha=1.5), "alpha must be between 0 and 1, got 1.5"),
        (lambda: DisentangledSampler(gamma=-1), "gamma must be between 0 and 1000, got -1"),
    ],
)
def test_a_wrong_sampler_says_why(wrong: Any, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        wrong()


def test_what_samplers_give() -> None:
    assert all(sampler.gives is Negatives.ONE for sampler in (*CHOOSING, DisentangledSampler()))
    assert NoSampler().gives is Negatives.NONE
