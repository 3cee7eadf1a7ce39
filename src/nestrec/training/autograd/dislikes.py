"""Dislikes in the torch engine: the objective of `kernels/training/dislikes.py`, differentiated by autograd.

Each batch of positives trains its part of the epoch's dislikes in the same optimizer step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import softplus

from nestrec.arrays import Int32Array, Int64Array
from nestrec.training.autograd.counter_rng import below, derive_key, random_bits
from nestrec.training.autograd.level_tensors import LevelTensors
from nestrec.training.autograd.levels import block_products, couple
from nestrec.training.signals import Signals

_ORDER, _POSITIVES = 2**40, 2**40 + 1  # keys derived from an epoch's


class DislikeGradients(NamedTuple):
    """The loss of some dislikes and its gradients."""

    loss: torch.Tensor  # (), sum
    rows: list[torch.Tensor]  # (n,) rows of the table: users, positives, disliked items
    gradients: list[torch.Tensor]  # (n_layers, n, embedding_size) each


class Dislikes:
    """The dislikes of all epochs, on a device."""

    def __init__(
        self,
        levels: LevelTensors,
        signals: Signals,
        indptr: Int64Array,  # (n_users + 1,) of the interactions
        indices: Int32Array,
        n_positives: int,
        device: torch.device,
    ) -> None:
        """Move them to the device, without those of users who have no interactions."""
        self._levels, self._n_users, self._n_positives = levels, len(indptr) - 1, n_positives
        users, items = np.asarray(signals.disliking), np.asarray(signals.disliked)
        kept = np.diff(indptr)[users] > 0
        self._signals = Signals(disliking=users[kept], disliked=items[kept])
        self._users, self._items, self._indices, self._indptr = (
            torch.from_numpy(array.astype(np.int64)).to(device) for array in (users[kept], items[kept], indices, indptr)
        )
        self._order: tuple[int, torch.Tensor] | None = None

    def gradients(self, layers: torch.Tensor, epoch_key: int, start: int, stop: int) -> DislikeGradients:
        """Return the gradients of the dislikes that belong to the positives [start, stop) of an epoch.

        `layers` are (n_layers, n_nodes, embedding_size).
        """
        first, last = self._signals.dislikes_of_slice(start, stop, self._n_positives)
        chosen = self._order_of(epoch_key)[first:last]
        users = self._users[chosen]
        positives = self._draw_positives(users, epoch_key, first)
        rows = [users, positives + self._n_users, self._items[chosen] + self._n_users]
        leaves = [layers[:, row].detach().requires_grad_(True) for row in rows]
        losses = self._losses(*(leaf.mean(dim=0) for leaf in leaves))
        gradients = torch.autograd.grad(losses.sum(), leaves)
        return DislikeGradients(self._levels.weights @ losses.detach().sum(dim=1), rows, list(gradients))

    def _losses(self, users: torch.Tensor, positives: torch.Tensor, disliked: torch.Tensor) -> torch.Tensor:
        """Return (n_levels, n), whose sum has the gradients of the weighted objective."""
        products = block_products(users, disliked - positives, self._levels.widths)
        margins = couple(products, self._levels.dislike_slope_weights)
        inverse_temperatures = self._levels.dislike_inverse_temperatures[:, None]
        return softplus(inverse_temperatures * margins) / inverse_temperatures

    def _draw_positives(self, users: torch.Tensor, epoch_key: int, first: int) -> torch.Tensor:
        low, high = self._indptr[users], self._indptr[users + 1]
        places = first + torch.arange(len(users), device=users.device)
        return self._indices[low + below(random_bits(derive_key(epoch_key, _POSITIVES), places), high - low)]

    def _order_of(self, epoch_key: int) -> torch.Tensor:
        if self._order is None or self._order[0] != epoch_key:
            positions = torch.arange(len(self._users), device=self._users.device)
            self._order = epoch_key, random_bits(derive_key(epoch_key, _ORDER), positions).argsort()
        return self._order[1]
