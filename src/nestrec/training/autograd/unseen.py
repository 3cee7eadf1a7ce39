"""Uniform draws of unseen items for many positives at once, on any device, exact and without rejection.

A user who has seen s of n items has n - s unseen ones; a rank among them is drawn. The k-th seen item (from 0) has
`item - k` unseen items below it, so the unseen item of rank r is r plus the number of seen ones with `item - k <= r`:
one search in one ascending tensor for all users.
"""

from __future__ import annotations

import numpy as np
import torch

from nestrec.arrays import Int32Array, Int64Array
from nestrec.training.autograd.counter_rng import below


class SeenItems:
    """The CSR matrix of seen items, on a device."""

    def __init__(self, indptr: Int64Array, indices: Int32Array, n_items: int, device: torch.device) -> None:
        sizes = np.diff(indptr)
        users = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
        nth = np.arange(len(indices)) - indptr[users]
        self.n_items = n_items
        self.indptr = torch.from_numpy(np.ascontiguousarray(indptr)).to(device)
        self._n_unseen = torch.from_numpy(n_items - sizes).to(device)
        self._pairs = torch.from_numpy(users * n_items + indices).to(device)  # ascending
        self._unseen_below = torch.from_numpy(users * n_items + indices - nth).to(device)  # ascending

    def draw(self, users: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
        """Return an unseen item for each of bits (batch, …), users (batch,); all unseen items are equally likely."""
        users = users.view(-1, *[1] * (bits.dim() - 1))
        ranks = below(bits, self._n_unseen[users])
        passed = torch.searchsorted(self._unseen_below, users * self.n_items + ranks, right=True)
        return ranks + passed - self.indptr[users]

    def holds(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Return for users and items of one shape whether the user has seen the item."""
        keys = users * self.n_items + items
        at = torch.searchsorted(self._pairs, keys).clamp_(max=len(self._pairs) - 1)
        return self._pairs[at] == keys
