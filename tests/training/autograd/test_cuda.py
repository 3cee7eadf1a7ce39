"""A CUDA device trains as a CPU does: the same order and draws, losses and vectors to float32's precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec.errors import OptionError
from nestrec.training.backbones import LightGCN
from nestrec.training.engines import TorchEngine
from nestrec.training.losses import BinaryCrossEntropy, DirectAU, SampledSoftmax
from nestrec.training.optimizers import Adagrad, Adam, Optimizer
from nestrec.training.options import Run
from nestrec.training.samplers import (
    AdaptiveSampler,
    CurriculumSampler,
    DisentangledSampler,
    DynamicSampler,
    MixedSampler,
    NoSampler,
    PoolSampler,
    UniformSampler,
)
from nestrec.training.trainer import Trainer
from tests.training.worlds import tiny

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("there is no CUDA device", allow_module_level=True)

METHODS: dict[str, dict[str, Any]] = {
    "uniform": {"sampler": UniformSampler()},
    "dynamic": {"sampler": DynamicSampler(8)},
    "shared": {"sampler": DynamicSampler(8, shared=True)},
    "hardest": {"sampler": DynamicSampler(8, n_hardest=3)},
    "adaptive": {"sampler": AdaptiveSampler(8)},
    "curriculum": {"sampler": CurriculumSampler(8)},
    "mixed": {"sampler": MixedSampler(8)},
    "gates": {"sampler": DisentangledSampler(8)},
    "softmax": {"sampler": PoolSampler(), "loss": SampledSoftmax()},
    "cross-entropy": {"sampler": DynamicSampler(8), "loss": BinaryCrossEntropy()},
    "direct": {"sampler": NoSampler(), "loss": DirectAU()},
    "graph": {"sampler": DynamicSampler(8), "backbone": LightGCN(2, edge_dropout=0.2)},
    "graph, mixed": {"sampler": MixedSampler(8), "backbone": LightGCN(2)},
    "graph, gates": {"sampler": DisentangledSampler(8), "backbone": LightGCN(2)},
    "graph, softmax": {"sampler": PoolSampler(), "loss": SampledSoftmax(), "backbone": LightGCN(2)},
}


def trained(device: str, optimizer: Optimizer | None = None, mixed: bool = False, **options: Any) -> Any:
    """Return the loss of an epoch, the vectors, and the engine."""
    trainer = Trainer(
        widths=(3, 8), starting_scale=0.5, rotate=False, engine=TorchEngine(device, optimizer, 256, mixed), **options
    )
    engine = trainer.resolve(tiny()).start_engine(Run(seed=3))
    loss, _ = engine.train(0, 0, engine.n_positives, 0.02)
    return loss, np.concatenate([engine.user_embeddings, engine.item_embeddings]), engine


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_as_on_a_cpu(method: str) -> None:
    (on_cpu, expected, _), (on_cuda, found, _) = (trained(device, **METHODS[method]) for device in ("cpu", "cuda"))
    assert on_cuda == pytest.approx(on_cpu, rel=1e-3)
    assert float((np.abs(found - expected) < 1e-3).mean()) > 0.98  # a tie among candidates may fall the other way


@pytest.mark.parametrize("optimizer", [Adagrad(), Adam(), Adam(sparse=True)], ids=repr)
def test_every_optimizer_steps_as_on_a_cpu(optimizer: Optimizer) -> None:
    (_, expected, _), (_, found, _) = (
        trained(device, optimizer, sampler=DynamicSampler(8)) for device in ("cpu", "cuda")
    )
    assert float((np.abs(found - expected) < 1e-3).mean()) > 0.98


@pytest.mark.parametrize("optimizer", [Adagrad(), Adam()], ids=repr)
def test_mixed_precision_trains(optimizer: Optimizer) -> None:
    whole, mixed = (trained("cuda", optimizer, of, sampler=DynamicSampler(8))[0] for of in (False, True))
    assert mixed == pytest.approx(whole, rel=0.02)


@pytest.mark.parametrize("backbone", ["mf", "graph"])
def test_a_checkpoint_continues_elsewhere(backbone: str) -> None:
    """A run that stopped on a GPU is resumed on a CPU."""
    options = METHODS["dynamic" if backbone == "mf" else "graph"]
    _, _, engine = trained("cuda", **options)
    _, _, other = trained("cpu", **options)
    other.restore(engine.state())
    losses = [of.train(1, 0, of.n_positives, 0.02)[0] for of in (engine, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_equal_bits_are_not_promised() -> None:
    trainer = Trainer(widths=(3, 8), engine=TorchEngine("cuda", batch_size=256))
    with pytest.raises(OptionError, match="cuda"):
        trainer.resolve(tiny()).start_engine(Run(deterministic=True))
