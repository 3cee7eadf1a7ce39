"""Positives to train on: users, items and weights, on a device."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Positives:
    """Interactions of all epochs, or those of a batch."""

    users: torch.Tensor  # (n,) int64
    items: torch.Tensor  # (n,) int64
    weights: torch.Tensor | None = None  # (n,) float32; None: all 1

    def at(self, rows: torch.Tensor) -> Positives:
        """Return these of the positives."""
        weights = None if self.weights is None else self.weights[rows]
        return Positives(self.users[rows], self.items[rows], weights)
