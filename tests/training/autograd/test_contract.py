"""What every sampler, loss and backbone holds, those of a user's own included: each is one small class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from nestrec.training.backbones import MF, Backbone, LightGCN
from nestrec.training.losses import (
    BPR,
    BilateralSoftmax,
    BinaryCrossEntropy,
    DirectAU,
    Loss,
    PairLoss,
    PoolLoss,
    SampledSoftmax,
    Scored,
)
from nestrec.training.options import Run
from nestrec.training.samplers import (
    AdaptiveSampler,
    ChoosingSampler,
    CurriculumSampler,
    DisentangledSampler,
    DynamicSampler,
    MixedSampler,
    NoSampler,
    PoolSampler,
    Sampler,
    UniformSampler,
)
from nestrec.training.trainer import Trainer
from tests.training.worlds import Recorder, is_same, tiny

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from nestrec.training.autograd.counter_rng import Draws  # noqa: E402
from nestrec.training.autograd.encoders import Encoder  # noqa: E402
from nestrec.training.autograd.pool import Chosen, Pool  # noqa: E402
from tests.training.autograd.engines import torch_trainer  # noqa: E402


@dataclass(frozen=True)
class MedianSampler(ChoosingSampler):
    """A user's own: the candidate in the middle by score."""

    def choose(self, pool: Pool, module: Any) -> Chosen:
        """Keep the middle one."""
        return pool.choose(pool.scores.median(dim=-1).indices)


@dataclass(frozen=True)
class HingeLoss(PairLoss):
    """A user's own: how much is missing to a margin of 1."""

    def __call__(self, scored: Scored) -> Tensor:
        """Return (n_levels, batch)."""
        return (1 + scored.negatives - scored.positives).clamp(min=0)


class Doubled:
    """What a user's own backbone makes of the numbers."""

    is_local = False

    def __call__(self, table: Tensor, draws: Draws | None) -> Tensor:
        """Return twice the table."""
        return 2 * table

    def layers(self, table: Tensor, draws: Draws | None) -> Tensor:
        """Return two layers, whose mean that is."""
        return torch.stack([table, 3 * table])  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Doubling(Backbone):
    """A user's own backbone."""

    def encoder(self, *_: Any) -> Encoder:
        """Return what doubles."""
        return Doubled()


@dataclass(frozen=True)
class SquaredHinge(PoolLoss):
    """A user's own, of a pool."""

    def __call__(self, scored: Scored) -> Tensor:
        """Return the mean over the pool of the squares of what is missing to a margin of 1."""
        missing = (1 + scored.negatives - scored.positives[..., None]).clamp(min=0)
        return missing.square().mean(dim=-1)


SAMPLERS: list[ChoosingSampler] = [
    UniformSampler(),
    DynamicSampler(8),
    DynamicSampler(8, n_hardest=4),
    AdaptiveSampler(8),
    CurriculumSampler(8),
    MixedSampler(8),
    MedianSampler(8),
]
BACKBONES: list[Backbone] = [MF(), LightGCN(2), LightGCN(2, edge_dropout=0.2), Doubling()]
PAIRED: list[tuple[Loss, Sampler]] = [
    (BPR(), DynamicSampler(8)),
    (BinaryCrossEntropy(), DynamicSampler(8)),
    (HingeLoss(), DynamicSampler(8)),
    (SampledSoftmax(), PoolSampler()),
    (SampledSoftmax(temperature=0.5, coupling=1), PoolSampler(128)),
    (BilateralSoftmax(temperature=0.5, temperature_ratio=1.5), PoolSampler()),
    (SquaredHinge(), PoolSampler(64)),
    (DirectAU(), NoSampler()),
]


def holds(trainer: Trainer) -> None:
    """Two epochs lower the loss, move every user's vector, give the same bits again, and nest."""
    recorder, trainer = Recorder(), replace(trainer, epochs=2, learning_rate=0.02)
    model = trainer.fit(tiny(), validation=None, run=Run(deterministic=True, callbacks=recorder))
    losses = [report.loss for report in recorder.reports]
    assert len(losses) == 2
    assert losses[1] < losses[0]
    assert sum(recorder.n_advanced) == 2 * tiny().n_interactions
    again = trainer.fit(tiny(), validation=None, run=Run(deterministic=True))
    assert is_same(model, again)
    starting = trainer.resolve(tiny()).start_engine(Run(deterministic=True))
    for vectors in (model.user_embeddings, model.item_embeddings):
        assert vectors.dtype == np.float32
        assert np.isfinite(vectors).all()
    assert (model.user_embeddings != starting.user_embeddings).any(axis=1).all()
    narrow = model.at(3)
    np.testing.assert_array_equal(narrow.item_embeddings, model.item_embeddings[:, :3])
    assert len(narrow.recommend(model.users.ids[0], k=5).ids) == 5
    assert model.manifest["training"]["engine"] == "torch"


@pytest.mark.parametrize("backbone", BACKBONES, ids=repr)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_every_sampler_trains_every_backbone(sampler: ChoosingSampler, backbone: Backbone) -> None:
    holds(torch_trainer(192, sampler=sampler, backbone=backbone))


@pytest.mark.parametrize("backbone", [MF(), LightGCN(2, edge_dropout=0.2)], ids=repr)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_every_sampler_trains_where_levels_share_a_negative(sampler: ChoosingSampler, backbone: Backbone) -> None:
    holds(torch_trainer(192, sampler=replace(sampler, shared=True), backbone=backbone))


@pytest.mark.parametrize("backbone", BACKBONES, ids=repr)
def test_gates_train_with_every_backbone(backbone: Backbone) -> None:
    holds(torch_trainer(192, sampler=DisentangledSampler(8), backbone=backbone))


@pytest.mark.parametrize("backbone", BACKBONES, ids=repr)
@pytest.mark.parametrize(("loss", "sampler"), PAIRED, ids=repr)
def test_every_loss_trains_every_backbone(loss: Loss, sampler: Sampler, backbone: Backbone) -> None:
    holds(torch_trainer(192, loss=loss, sampler=sampler, backbone=backbone))


def test_a_backbone_of_a_users_own_gives_the_vectors() -> None:
    """Those that are saved are the encoder's, not the trained numbers."""
    trainer = torch_trainer(backbone=Doubling(), sampler=DynamicSampler(8))
    engine = trainer.resolve(tiny()).start_engine(Run(deterministic=True))
    np.testing.assert_allclose(engine.item_embeddings, 2 * engine.state()["table"][tiny().n_users :])


def test_a_loss_of_a_users_own_is_what_is_reported() -> None:
    """With steps and vectors of nearly nothing the hinge is 1."""
    recorder = Recorder()
    trainer = torch_trainer(loss=HingeLoss(), starting_scale=1e-6, learning_rate=1e-6, epochs=1)
    assert trainer.sampler == DynamicSampler()
    trainer.fit(tiny(), validation=None, run=Run(deterministic=True, callbacks=recorder))
    assert recorder.reports[0].loss == pytest.approx(1, rel=1e-4)
