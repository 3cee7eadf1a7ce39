"""What the torch engine is made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nestrec.training.backbones import Backbone
from nestrec.training.losses import Loss
from nestrec.training.optimizers import Optimizer
from nestrec.training.samplers import Sampler


@dataclass(frozen=True)
class Parts:
    """What is trained and how, as objects."""

    backbone: Backbone
    sampler: Sampler
    loss: Loss
    optimizer: Optimizer
    batch_size: int  # a multiple of BLOCK
    device: torch.device
    mixed: bool  # candidates are scored in bfloat16
    epochs: int  # that the run is planned for
