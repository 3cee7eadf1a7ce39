"""Configuration of the torch engine."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nestrec.training.backbones import Backbone
from nestrec.training.losses import Loss
from nestrec.training.optimizers import Optimizer
from nestrec.training.samplers import Sampler


@dataclass(frozen=True)
class EngineConfig:
    """Method and options of a run, as objects."""

    backbone: Backbone
    sampler: Sampler
    loss: Loss
    optimizer: Optimizer
    batch_size: int  # a multiple of POOL_BLOCK
    device: torch.device
    mixed_precision: bool  # score candidates in bfloat16
    epochs: int  # planned
