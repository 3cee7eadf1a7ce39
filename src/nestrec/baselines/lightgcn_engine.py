"""LightGCN's training: vectors of layer 0, their propagation, BPR over batches, Adam.

He et al. 2020 (LightGCN); the loss is that of Rendle et al. 2009 (BPR). The graph is propagated anew for each batch,
forwards and backwards, as in the paper; so an epoch costs twice as many propagations as it has batches. Starting values
are normal with standard deviation 0.1, as in the authors' code.

The gradient is written out: it has three short parts, and needs none of the copies that autograd takes of all vectors.
The tests hold it equal to autograd's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import softplus

from nestrec.baselines.propagation import Propagation, normalised_adjacency
from nestrec.baselines.unseen_negatives import UnseenNegatives
from nestrec.data.interactions import Interactions

FloatMatrix = npt.NDArray[np.float32]

_STARTING_SCALE = 0.1


@dataclass(frozen=True)
class Objective:
    """What the engine minimises and by which steps."""

    width: int
    n_layers: int
    learning_rate: float
    regularization: float
    batch_size: int


class LightGCNEngine:
    """Parameters and the state of their optimiser; `train_epoch` moves them."""

    def __init__(self, interactions: Interactions, objective: Objective, seed: int, device: torch.device) -> None:
        """Draw the starting values, (n_users + n_items, width), users first."""
        self._objective, self._seed, self._device = objective, seed, device
        self._n_users = interactions.n_users
        self._negatives = UnseenNegatives(interactions)
        shape = interactions.n_users + interactions.n_items, objective.width
        values = np.random.default_rng([seed, 0]).standard_normal(shape, dtype=np.float32)
        self.vectors = torch.from_numpy(values).mul_(_STARTING_SCALE).to(device)
        self._of_propagated = torch.empty_like(self.vectors)  # gradient of what the propagation gives
        self._propagate = Propagation(normalised_adjacency(interactions), objective.n_layers, objective.width, device)
        self._adam = torch.optim.Adam([self.vectors], lr=objective.learning_rate, fused=True)

    @property
    def n_positives(self) -> int:
        """Positives in an epoch: the interactions of users who have not seen every item."""
        return len(self._negatives.users)

    def train_epoch(self, epoch: int, advanced: Callable[[int], None]) -> float:
        """Train on every positive once, the last, smaller batch too; return the mean loss of a positive.

        Order and negatives depend on the seed and the epoch (from 1) alone. `advanced` hears of each batch's positives.
        """
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for rows in self._batches(epoch):
            loss, self.vectors.grad = self.loss_and_gradient(rows)
            self._adam.step()
            total += loss * rows.shape[1]
            advanced(rows.shape[1])
        return float(total) / self.n_positives

    def loss_and_gradient(
        self,
        rows: torch.Tensor,  # (3, batch) nodes: users, positives, negatives
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss, and its gradient in the vectors of layer 0, which holds until the next call.

        The loss is the mean over the batch of softplus(score of the negative - score of the positive), plus
        regularization / 2 times the mean of the three squared vectors of layer 0.
        """
        nodes, n_rows = rows.flatten(), rows.shape[1]
        user, positive, negative = self._propagate(self.vectors)[rows]  # each (batch, width)
        apart = negative - positive
        wrong_by = (user * apart).sum(dim=1)
        # softplus, not log(1 + exp(x)): the latter is infinite in float32 from x = 89.
        loss = softplus(wrong_by).mean()
        pull = (torch.sigmoid(wrong_by) / n_rows)[:, None]
        by_user = pull * user
        self._of_propagated.zero_().index_add_(0, nodes, torch.cat([pull * apart, -by_user, by_user]))
        gradient = self._propagate(self._of_propagated)

        own, weight = self.vectors[nodes], self._objective.regularization / n_rows
        gradient.index_add_(0, nodes, own, alpha=weight)
        return loss + weight / 2 * own.square().sum(), gradient

    def embeddings(self) -> tuple[FloatMatrix, FloatMatrix]:
        """Return the propagated vectors of users and of items, copied."""
        vectors: FloatMatrix = self._propagate(self.vectors).cpu().numpy()
        return vectors[: self._n_users].copy(), vectors[self._n_users :].copy()

    def _batches(self, epoch: int) -> Iterator[torch.Tensor]:
        """Yield nodes of users, positives and negatives, (3, batch_size) or fewer, in an order drawn anew."""
        rng, drawn = np.random.default_rng([self._seed, epoch]), self._negatives
        rows = np.stack([drawn.users, drawn.items + self._n_users, drawn.draw(rng) + self._n_users])
        shuffled = torch.from_numpy(rows[:, rng.permutation(self.n_positives)]).to(self._device)
        for start in range(0, self.n_positives, self._objective.batch_size):
            yield shuffled[:, start : start + self._objective.batch_size]


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch use this many threads inside, and as many as before afterwards."""
    former = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(former)
