"""The candidates that a sampler chooses from, and its choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from nestrec.training.autograd.counter_rng import Draws


@dataclass(frozen=True)
class Chosen:
    """Negatives of a batch."""

    items: torch.Tensor  # (batch, n_pools, n_layers) item indices, int64; n_layers is 1 where layers share the choice
    share_of_positive: torch.Tensor | None = None  # the same shape, in [0, 1): mixed into the negative


@dataclass(frozen=True)
class Pool:
    """Candidates of a batch: a pool per level, or one that all levels share (`n_pools` 1)."""

    items: torch.Tensor  # (batch, n_pools, n_candidates) item indices, int64
    scores: torch.Tensor  # the same shape: by the prefix of the pool's level
    epoch: int  # from 0
    epochs: int
    draws: Draws
    of_positives: Callable[[], torch.Tensor]  # () -> (batch, n_pools): their scores, always in float32
    layer_scores: Callable[
        [], torch.Tensor
    ]  # () -> (batch, n_pools, n_layers, n_candidates): by each layer's item vectors
    vectors: Callable[[], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
    """() -> users and positives (n_layers, batch, embedding_size), all items (n_layers, n_items, embedding_size)."""

    @property
    def positive_scores(self) -> torch.Tensor:
        """(batch, n_pools): scores of the positives, computed on each access."""
        return self.of_positives()

    def choose(self, lanes: torch.Tensor, share_of_positive: torch.Tensor | None = None) -> Chosen:
        """Return the items at lanes (batch, n_pools), or (batch, n_pools, n_layers) with a choice for each layer."""
        lanes = lanes if lanes.dim() == 3 else lanes[..., None]
        return Chosen(self.items.gather(-1, lanes), share_of_positive)
