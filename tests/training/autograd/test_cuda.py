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

from nestrec.training.autograd import device_steps, fused  # noqa: E402

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


REPEATED: dict[str, dict[str, Any]] = {
    "softmax": {"loss": SampledSoftmax()},
    "softmax, sparse adam": {"loss": SampledSoftmax(), "optimizer": Adam(sparse=True)},
    "softmax, adam": {"loss": SampledSoftmax(), "optimizer": Adam()},
    "pairs": {"sampler": DynamicSampler(8)},
    "pairs, mixed precision": {"sampler": DynamicSampler(8), "mixed": True},
    "hardest": {"sampler": DynamicSampler(8, n_hardest=3), "optimizer": Adam(sparse=True)},
    "uniform": {"sampler": UniformSampler(), "loss": BinaryCrossEntropy()},
    "adaptive, adam": {"sampler": AdaptiveSampler(8), "optimizer": Adam()},
}


def repeated(method: str, monkeypatch: pytest.MonkeyPatch, captures: bool) -> tuple[list[float], Any]:
    """Return the losses of three epochs in batches of 128, stopped and restored before the last, and the vectors."""
    if not fused.serves(torch.device("cuda")):
        pytest.skip(fused.missing())
    options = dict(REPEATED[method])
    torch_engine = TorchEngine("cuda", options.pop("optimizer", None), 128, options.pop("mixed", False))
    trainer = Trainer(widths=(3, 8), starting_scale=0.5, rotate=False, engine=torch_engine, **options)
    monkeypatch.setattr(device_steps, "_WARM_UPS", 2 if captures else 10**9)
    engine: Any = trainer.resolve(tiny()).start_engine(Run(seed=3))
    losses = [engine.train(epoch, 0, engine.n_positives, rate)[0] for epoch, rate in ((0, 0.02), (1, 0.01))]
    assert engine._device_steps.full_batch.state == ("captured" if captures else "direct")
    engine.restore(engine.state())
    losses.append(engine.train(2, 0, engine.n_positives, 0.005)[0])
    return losses, np.concatenate([engine.user_embeddings, engine.item_embeddings])


@pytest.mark.parametrize("method", REPEATED)
def test_a_replayed_step_is_the_step(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, but for Adam, which adds the gradients of a row in any order."""
    (losses, vectors), (expected, direct) = (repeated(method, monkeypatch, captures) for captures in (True, False))
    if "optimizer" in REPEATED[method] and not REPEATED[method]["optimizer"].sparse:
        np.testing.assert_allclose(losses, expected, rtol=1e-4)
        np.testing.assert_allclose(vectors, direct, rtol=1e-2, atol=1e-3)
    else:
        assert losses == expected
        np.testing.assert_array_equal(vectors, direct)


def test_equal_bits_are_not_promised() -> None:
    trainer = Trainer(widths=(3, 8), engine=TorchEngine("cuda", batch_size=256))
    with pytest.raises(OptionError, match="cuda"):
        trainer.resolve(tiny()).start_engine(Run(deterministic=True))
