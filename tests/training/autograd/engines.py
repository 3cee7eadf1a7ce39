"""Torch engines over small worlds, and steps that take none; a test module skips without torch before it comes here."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nestrec.data.interactions import Interactions
from nestrec.training.autograd.autograd_engine import AutogradEngine
from nestrec.training.autograd.nested_loss import Batch
from nestrec.training.engines import TorchEngine
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer
from tests.training.worlds import tiny

CPU = torch.device("cpu")


def torch_trainer(
    batch_size: int = 64, mixed_precision: bool = False, optimizer: Any = None, **options: Any
) -> Trainer:
    """Return a trainer of the torch engine on the CPU with scores large enough to tell items apart."""
    engine = TorchEngine("cpu", optimizer, batch_size, mixed_precision)
    return Trainer(**{"widths": (3, 8), "starting_scale": 0.5, "rotate": False, "engine": engine, **options})


def started(trainer: Trainer, interactions: Interactions | None = None, seed: int = 0) -> AutogradEngine:
    """Return the trainer's engine at its starting values."""
    interactions = interactions or tiny()
    engine = trainer.resolve(interactions).start_engine(Run(seed=seed, deterministic=True))
    assert isinstance(engine, AutogradEngine)
    return engine


def one_epoch(engine: AutogradEngine, epoch: int = 0, rate: float = 0.1) -> float:
    """Train an epoch; return the mean loss."""
    return engine.train(epoch, 0, engine.n_positives, rate)[0] / engine.n_positives


def batch_of(engine: AutogradEngine, n: int, epoch: int = 0) -> tuple[Batch, torch.Tensor]:
    """Return the first n positives with the negatives that a step at them would have, and the vectors by layer."""
    moment = engine._moment(epoch, 0)
    layers = engine._layers(moment.draws).detach().clone()
    engine._table.requires_grad_(False)
    return engine._batches.batch(engine._positives.at(torch.arange(n)), layers, moment), layers


class NoSteps:
    """Remembers gradients, and moves nothing."""

    def __init__(self) -> None:
        self.nodes: list[npt.NDArray[np.int64]] = []
        self.gradients: list[npt.NDArray[np.float32]] = []

    def step_rows(self, nodes: torch.Tensor, gradients: torch.Tensor, rate: Any) -> None:
        self.nodes.append(nodes.numpy().copy())
        self.gradients.append(gradients.numpy().copy())

    def step_all(self, gradient: torch.Tensor, rate: Any) -> None:
        self.gradients.append(gradient.numpy().copy())

    def state(self) -> dict[str, npt.NDArray[np.float32]]:
        return {}

    def restore(self, arrays: dict[str, npt.NDArray[np.float32]]) -> None:
        pass
