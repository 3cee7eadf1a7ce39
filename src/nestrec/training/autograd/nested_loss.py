"""The nested loss of a batch: scores of every level, their losses, the gradients of the batch's vectors.

What holds vectors back is added to the gradients in closed form (`NestedLoss.hold_back`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from nestrec.kernels.training.pool import STRUCK
from nestrec.kernels.training.tile_sizes import BLOCK
from nestrec.training.autograd import levels
from nestrec.training.losses import Loss, Negatives, PairLoss, PoolLoss, Scored
from nestrec.training.objective import Objective
from nestrec.training.samplers import ChoosingSampler, Sampler

SeenLanes = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Leaves:
    """Vectors of a batch, which its loss is differentiated by.

    Negatives are (n_layers, batch, n_pools, …) of choosing samplers, (n_layers, n_blocks, n_candidates, …) of a pool.
    """

    users: torch.Tensor  # (n_layers, batch, embedding_size)
    positives: torch.Tensor  # the same
    negatives: torch.Tensor | None

    def all(self) -> list[torch.Tensor]:
        """Return them in order."""
        return [leaf for leaf in (self.users, self.positives, self.negatives) if leaf is not None]


@dataclass(frozen=True)
class Batch:
    """Rows of a batch: user and item indices, and those of its negatives."""

    users: torch.Tensor  # (batch,)
    items: torch.Tensor  # (batch,)
    negatives: torch.Tensor | None  # (batch, n_pools, n_layers) or (n_blocks, n_candidates)
    share_of_positive: torch.Tensor | None = None


class NestedLoss:
    """A loss at every level, for batches on one device."""

    def __init__(
        self,
        objective: Objective,
        loss: Loss,
        sampler: Sampler,
        module: nn.Module | None,  # of the sampler
        n_items: int,
        seen_lanes: SeenLanes,  # (users, pools) -> (batch, n_candidates): which of its pool each user has seen
        device: torch.device,
    ) -> None:
        """Bring what stays the same to the device."""
        self._objective, self._loss, self._sampler = objective, loss, sampler
        self._module, self._n_items, self._seen_lanes = module, n_items, seen_lanes
        self._widths = objective.widths.values
        self._level_weights = torch.tensor(objective.level_weights, device=device)
        self._sharpness = torch.from_numpy(objective.sharpness()).to(device)
        self._pulls = torch.from_numpy(objective.pulls()).to(device)
        self._decays = torch.from_numpy(objective.decays()).to(device)
        self._width_of_level = torch.tensor(self._widths, device=device)
        self._inside = levels.inside(self._widths, device)
        self._held = self._inside * self._level_weights[:, None] * self._decays
        self._pair_weights: torch.Tensor | None = None  # kept: as many pools always
        self._block_of = (1 - self._inside).sum(dim=0).long()  # (embedding_size,): which level adds a coordinate

    @property
    def is_of_pairs(self) -> bool:
        """Whether `of_pairs` gives what `gradients` and `hold_back` do: the loss heeds nothing but scores of pairs."""
        sampler = self._sampler
        if self._module is not None or not isinstance(sampler, ChoosingSampler):
            return False
        return _is_of_scores_alone(self._loss) and type(sampler).own_loss is ChoosingSampler.own_loss

    def of_pairs(self, table: torch.Tensor, rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss and the gradients of a batch's rows of the table, what holds them back added.

        Rows are those of users, positives (batch,) and negatives (batch, n_pools, 1), on a device that kernels serve.
        """
        from nestrec.training.autograd.fused.pairs import Pairs

        pairs = Pairs(table, rows[0], rows[1], rows[2][..., 0].contiguous(), self._width_of_level)
        scores = pairs.scores().requires_grad_(True)
        positives, negatives = scores
        none = scores.new_empty((0, self._widths[-1]))
        scored = Scored(none, none, self._widths, positives, negatives, self._sharpness, 1.0)
        loss = self._level_weights @ self._loss(scored).mean(dim=1)
        (slopes,) = torch.autograd.grad(loss, [scores])
        if self._pair_weights is None:
            self._pair_weights = self._weights_of_pairs(pairs.negatives.shape[1])
        weights = self._pair_weights / len(pairs.users)
        return loss.detach(), pairs.gradients(slopes, weights)

    def gradients(self, batch: Batch, leaves: Leaves) -> tuple[torch.Tensor, list[torch.Tensor], Scored]:
        """Return the mean loss, the gradients of the leaves, and the scores that both were taken from.

        The gradients of the module's parameters are set on them.
        """
        total, loss, scored = self._total(batch, leaves)
        parameters = [] if self._module is None else list(self._module.parameters())
        wanted = leaves.all()
        gradients = torch.autograd.grad(total, [*wanted, *parameters], materialize_grads=True)
        for parameter, gradient in zip(parameters, gradients[len(wanted) :], strict=True):
            parameter.grad = gradient
        return loss.detach(), list(gradients[: len(wanted)]), scored

    def _total(self, batch: Batch, leaves: Leaves) -> tuple[torch.Tensor, torch.Tensor, Scored]:
        """Return what is differentiated and the loss that is reported, both means over the batch, and the scores."""
        users, positives, by_layer = _averaged(leaves.users), _averaged(leaves.positives), leaves.negatives
        if by_layer is not None and batch.share_of_positive is not None:
            share = batch.share_of_positive.permute(2, 0, 1)[..., None]  # (n_layers, batch, n_pools, 1)
            by_layer = share * leaves.positives[:, :, None] + (1 - share) * by_layer
        if self._loss.takes is Negatives.POOL:
            scored = self._of_pool(batch, leaves)
            losses = self._loss(scored).mean(dim=1)
            # Each level's loss stands unweighted: the gradients of its scores are weighted on their way to the blocks.
            return losses.sum(), self._level_weights @ losses.detach(), scored
        positive_scores = negative_scores = levels.shared_scores(users, positives, self._inside)
        if by_layer is not None:
            negative_scores = self._negative_scores(users, _averaged(by_layer))
        scored = Scored(users, positives, self._widths, positive_scores, negative_scores, self._sharpness, 1.0)
        loss = self._level_weights @ self._loss(scored).mean(dim=1)
        sampler = self._sampler
        if isinstance(sampler, ChoosingSampler) and by_layer is not None:
            added = sampler.own_loss(self._module, leaves.users, leaves.positives, by_layer)
            return (loss if added is None else loss + added.mean()), loss, scored
        return loss, loss, scored

    def _negative_scores(self, users: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
        if negatives.shape[1] == 1:  # shared by the levels
            return levels.shared_scores(users, negatives.squeeze(1), self._inside)
        return levels.own_scores(users, negatives, self._inside)

    def _of_pool(self, batch: Batch, leaves: Leaves) -> Scored:
        assert leaves.negatives is not None
        assert batch.negatives is not None
        users, positives, pools = _averaged(leaves.users), _averaged(leaves.positives), _averaged(leaves.negatives)
        positive_scores = levels.coupled(levels.block_products(users, positives, self._widths), self._pulls)
        scores = levels.coupled(levels.pooled_products(users, pools, self._widths, BLOCK), self._pulls)
        scores = scores.masked_fill(self._seen_lanes(batch.users, batch.negatives), float(STRUCK))
        each = self._n_items / pools.shape[1]
        return Scored(users, positives, self._widths, positive_scores, scores, self._sharpness, each)

    def hold_back(self, scored: Scored, own: list[torch.Tensor], gradients: list[torch.Tensor]) -> None:
        """Add to gradients those of half the weighted squares of the batch's own rows of the table.

        A mean over the batch. What is added is a number times the row itself, so it needs no autograd.
        """
        weights: list[torch.Tensor | float] = [self._decays, self._decays]
        if self._objective.whole:
            weights = [self._objective.regularization] * len(own)
        elif len(own) == 3:
            weights.append(self._weights_of_negatives(scored, own[2]))
        for weight, vectors, gradient in zip(weights, own, gradients, strict=True):
            if isinstance(weight, torch.Tensor):
                gradient.addcmul_(vectors, weight, value=1 / len(scored.users))
            else:
                gradient.add_(vectors, alpha=weight / len(scored.users))

    def _weights_of_pairs(self, n_pools: int) -> torch.Tensor:
        """Return (2 + n_pools, embedding_size): what each square of a user, a positive, and negatives weighs."""
        if self._objective.whole:
            return self._decays.new_full((2 + n_pools, self._widths[-1]), self._objective.regularization)
        return torch.cat([self._decays.expand(2, -1), self._held_of_pools(n_pools)])

    def _held_of_pools(self, n_pools: int) -> torch.Tensor:
        return self._held if n_pools > 1 else self._held.sum(dim=0, keepdim=True)

    def _weights_of_negatives(self, scored: Scored, negatives: torch.Tensor) -> torch.Tensor:
        """Return what each square of a negative weighs: as the levels that hold it, or by its share of the pool."""
        if self._loss.takes is not Negatives.POOL:
            return self._held_of_pools(negatives.shape[1])
        assert isinstance(self._loss, PoolLoss)  # checked by the trainer
        with torch.no_grad():
            shares = self._loss.shares(scored)
            pulled = torch.tensordot(self._pulls, shares, dims=([1], [0]))
            n_pools, n_candidates = negatives.shape[:2]
            padded = torch.nn.functional.pad(pulled, (0, 0, 0, n_pools * BLOCK - pulled.shape[1]))
            mass = padded.view(len(self._widths), n_pools, BLOCK, n_candidates).sum(dim=2)
            return mass[self._block_of].permute(1, 2, 0) * self._decays


def _is_of_scores_alone(loss: Loss) -> bool:
    """Say whether the class that has the loss's formula claims that it heeds nothing but scores."""
    owner = next(of for of in type(loss).__mro__ if "__call__" in vars(of))
    return isinstance(loss, PairLoss) and "of_scores_alone" in vars(owner) and loss.of_scores_alone


def _averaged(leaf: torch.Tensor) -> torch.Tensor:
    """Return the mean over the layers; of one layer, which is most cases, without a copy."""
    return leaf.squeeze(0) if len(leaf) == 1 else leaf.mean(dim=0)
