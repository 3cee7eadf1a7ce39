"""The kernels for CUDA devices do what plain torch does: on a GPU where there is one, else in Triton's interpreter."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nestrec.errors import OptionError
from nestrec.training.engines import TorchEngine
from nestrec.training.losses import BPR, BilateralSoftmax, BinaryCrossEntropy, Loss, PairLoss, SampledSoftmax, Scored
from nestrec.training.optimizers import Adagrad, Adam, Optimizer
from nestrec.training.options import Run
from nestrec.training.samplers import DynamicSampler, PoolSampler
from tests.training.worlds import from_sets, tiny

torch = pytest.importorskip("torch")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are imported
pytest.importorskip("triton")

from torch import Tensor  # noqa: E402

from nestrec.training.autograd import levels  # noqa: E402
from nestrec.training.autograd.autograd_engine import AutogradEngine  # noqa: E402
from nestrec.training.autograd.candidates import CandidateRequest  # noqa: E402
from nestrec.training.autograd.fused import rows  # noqa: E402
from nestrec.training.autograd.fused.pairs import Pairs  # noqa: E402
from nestrec.training.autograd.optimizer_steps import steps_for  # noqa: E402
from nestrec.training.autograd.pool import Chosen, Pool  # noqa: E402
from nestrec.training.autograd.scoring import Fused, Plain  # noqa: E402
from tests.training.autograd.engines import torch_trainer  # noqa: E402

WIDTHS = (1, 3, 20, 33)


def normal(seed: int, *shape: int) -> Tensor:
    values = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return torch.from_numpy(values).to(DEVICE)  # type: ignore[no-any-return]


def close(found: Tensor, expected: Tensor) -> None:
    np.testing.assert_allclose(found.cpu().float().numpy(), expected.cpu().float().numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("first_position", "key", "n_candidates"), [(0, 3, 5), (4096, 2**63 + 11, 1), (2**40, 2**64 - 1, 5)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_candidates_are_those_of_plain_torch(first_position: int, key: int, n_candidates: int, dtype: Any) -> None:
    """The same items exactly; of users who have seen next to nothing and next to everything too."""
    n_items = 50
    world = from_sets([[3], list(range(49)), list(range(1, 50)), list(range(0, 50, 2)), [0, 49]], n_items)
    users, items = normal(1, 5, 33).to(dtype), normal(2, n_items, 33).to(dtype)
    of = torch.from_numpy(np.random.default_rng(3).integers(0, 5, 301)).to(DEVICE)
    wanted = CandidateRequest(of, WIDTHS, n_candidates, key, first_position)
    plain, found = (
        drawing(world.indptr, world.indices, n_items, DEVICE)(users, items, wanted) for drawing in (Plain, Fused)
    )
    assert torch.equal(found.items, plain.items)
    if dtype is torch.float32:
        close(found.scores, plain.scores)
    else:  # plain torch rounds the sum too
        np.testing.assert_allclose(found.scores.cpu().numpy(), plain.scores.cpu().numpy(), rtol=0.02, atol=0.1)


@pytest.mark.parametrize("batch", [1, 16, 37])
@pytest.mark.parametrize("n_pools", [1, len(WIDTHS)])
def test_scores_and_gradients_of_pairs_are_those_of_plain_torch(batch: int, n_pools: int) -> None:
    """By autograd, with weights of the rows' own numbers; a user of many positives has as many gradients."""
    table, slopes = normal(1, 60, 33), normal(2, 2, len(WIDTHS), batch)
    weights = normal(3, 2 + n_pools, 33)
    weights[:, 20:] = 0
    rng = np.random.default_rng(batch)
    users, positives, negatives = (
        torch.from_numpy(rng.integers(0, 60, shape)).to(DEVICE) for shape in (batch, batch, (batch, n_pools))
    )
    inside = levels.level_mask(WIDTHS, DEVICE)
    leaves = [table[of].requires_grad_(True) for of in (users, positives, negatives)]
    pools = leaves[2].expand(-1, len(WIDTHS), -1)
    expected = torch.stack(
        [levels.shared_scores(leaves[0], leaves[1], inside), levels.own_scores(leaves[0], pools, inside)]
    )
    own = (leaves[0].square() * weights[0]).sum() + (leaves[1].square() * weights[1]).sum()
    own = (own + (leaves[2].square() * weights[2:]).sum()) / 2
    gradients = torch.autograd.grad((expected * slopes).sum() + own, leaves)
    pairs = Pairs(table, users, positives, negatives, torch.tensor(WIDTHS, device=DEVICE))
    close(pairs.scores(), expected.detach())
    close(pairs.gradients(slopes, weights), torch.cat([of.reshape(-1, 33) for of in gradients]))


def touched(n: int) -> tuple[Tensor, Tensor]:
    """Return nodes of 40, one of them a third of all, one never, and a gradient for each."""
    rng = np.random.default_rng(n)
    nodes = np.where(rng.random(n) < 1 / 3, 7, rng.integers(0, 39, n))
    return torch.from_numpy(nodes).to(DEVICE), normal(n, n, 33)


@pytest.mark.parametrize("n", [0, 1, 8, 200])
@pytest.mark.parametrize("optimizer", [Adagrad(), Adam(sparse=True)], ids=repr)
def test_steps_of_rows_are_those_of_plain_torch(n: int, optimizer: Optimizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several steps: what is kept between them counts. The row that none touches stays to the bit."""
    tables = [normal(0, 40, 33), normal(0, 40, 33)]
    for table, fused in zip(tables, (False, True), strict=True):
        monkeypatch.setattr("nestrec.training.autograd.fused.serves", lambda _device, is_fused=fused: is_fused)
        steps = steps_for(optimizer, table, 64)
        assert type(steps).__name__.startswith("Fused") == fused
        for rate in (0.1, 0.03, 0.2):
            steps.step_rows(*touched(n), rate)
    close(tables[1], tables[0])
    assert torch.equal(tables[1][39], normal(0, 40, 33)[39])


def test_equal_gradients_step_to_equal_bits() -> None:
    """Sums are in the order of the batch, in any order of the programs."""
    tables = []
    for _ in range(2):
        table, squares = normal(0, 40, 33), torch.ones(40, 33, device=DEVICE)
        rows.adagrad(table, squares, *touched(200), torch.full((), 0.1, dtype=torch.float64, device=DEVICE))
        tables.append(table)
    assert torch.equal(*tables)


@dataclass(frozen=True)
class Transposed(DynamicSampler):
    """Gives its choice in another layout of memory."""

    def choose(self, pool: Pool, module: Any) -> Chosen:
        """Keep the highest."""
        items = super().choose(pool, module).items[..., 0]
        return Chosen(items.T.contiguous().T[..., None])


@pytest.mark.parametrize(
    ("optimizer", "sampler", "loss"),
    [
        (Adagrad(), DynamicSampler(4), BPR()),
        (Adam(sparse=True), DynamicSampler(4, shared=True), BPR()),
        (Adagrad(), DynamicSampler(4, shared=True), BinaryCrossEntropy()),
        (Adam(sparse=True), Transposed(4), BinaryCrossEntropy()),
        (Adagrad(), PoolSampler(64), SampledSoftmax()),
        (Adam(sparse=True), PoolSampler(64), BilateralSoftmax()),
    ],
    ids=repr,
)
def test_an_engine_trains_by_them_as_by_plain_torch(
    optimizer: Optimizer, sampler: DynamicSampler, loss: Loss, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three batches, the last smaller: the same negatives, losses and vectors."""
    as_plain_torch(monkeypatch, optimizer, sampler=sampler, loss=loss, regularize_whole=loss == BPR())


@dataclass(frozen=True)
class Anchored(BPR):
    """Heeds vectors, and inherits the claim of a class that does not."""

    def __call__(self, scored: Scored) -> Any:
        """Return BPR and the user's own length."""
        return super().__call__(scored) + scored.users.square().sum(dim=-1)


def test_a_loss_of_vectors_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    as_plain_torch(monkeypatch, loss=Anchored(), sampler=DynamicSampler(4))


@pytest.mark.parametrize("loss", [BPR(), BinaryCrossEntropy()], ids=repr)
def test_losses_uses_scores_only_need_no_vectors(loss: PairLoss) -> None:
    vectors, scores = normal(1, 7, 33), normal(2, 2, len(WIDTHS), 7)
    given = [Scored(of, of, WIDTHS, scores[0], scores[1], scores[0, :, 0], 1.0) for of in (vectors, vectors[:0])]
    assert loss.uses_scores_only
    assert torch.equal(loss(given[0]), loss(given[1]))


def as_plain_torch(monkeypatch: pytest.MonkeyPatch, optimizer: Optimizer | None = None, **options: Any) -> None:
    """Train 160 positives in batches of 64 both ways."""
    losses, vectors = [], []
    for fused in (False, True):
        monkeypatch.setattr("nestrec.training.autograd.fused.serves", lambda _device, is_fused=fused: is_fused)
        trainer = torch_trainer(regularization=0.1, engine=TorchEngine(DEVICE.type, optimizer, 64), **options)
        engine = trainer.resolve(tiny()).start_engine(Run())
        losses.append(engine.train(0, 0, 160, 0.1)[0])
        vectors.append(np.concatenate([engine.user_embeddings, engine.item_embeddings]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    np.testing.assert_allclose(vectors[1], vectors[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", [Adagrad(), Adam(sparse=True)], ids=repr)
def test_what_half_precision_scores_by_is_the_table_as_it_is(
    optimizer: Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nestrec.training.autograd.fused.serves", lambda _device: True)
    trainer = torch_trainer(engine=TorchEngine(DEVICE.type, optimizer, 64, True), sampler=DynamicSampler(4))
    engine = trainer.resolve(tiny()).start_engine(Run())
    assert isinstance(engine, AutogradEngine)
    engine.train(0, 0, 64, 0.1)
    assert engine._batches._shadow is not None
    assert torch.equal(engine._batches._shadow, engine._table.bfloat16())


def test_a_batch_that_32_bits_do_not_count_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nestrec.training.autograd.fused.serves", lambda _device: True)
    trainer = torch_trainer(engine=TorchEngine(DEVICE.type, None, 2**28), sampler=DynamicSampler(8))
    with pytest.raises(OptionError, match="batch_size must be at most 268435392"):
        trainer.resolve(tiny()).start_engine(Run())
