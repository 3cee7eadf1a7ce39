"""The nested loss of a batch: scores of every level, their losses, the gradients of the batch's vectors.

L2 regularization needs no autograd: the loss returns the weights, and the optimizer step adds the gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from nestrec.kernels.training.pool import MASKED_SCORE
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.training.autograd.level_tensors import LevelTensors
from nestrec.training.autograd.levels import (
    block_products,
    couple,
    own_scores,
    pooled_products,
    shared_scores,
    weigh_pools,
)
from nestrec.training.losses import Loss, Negatives, PoolLoss, Scored
from nestrec.training.samplers import ChoosingSampler, Sampler

SeenLanes = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]


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
    weights: torch.Tensor | None = None  # (batch,) of the positives; None: all 1


class BatchGradients(NamedTuple):
    """The loss of a batch, its gradients, and the weights of L2 regularization."""

    loss: torch.Tensor  # (), mean over the batch, without L2 regularization
    gradients: list[torch.Tensor]  # of the leaves
    l2_weights: list[torch.Tensor]  # of the squared coordinates of users, positives and negatives


class NestedLoss:
    """A loss at every level, for batches on one device."""

    def __init__(
        self,
        levels: LevelTensors,
        loss: Loss,
        sampler: Sampler,
        module: nn.Module | None,  # of the sampler
        n_items: int,
        seen_lanes: SeenLanes,  # (users, pools, block) -> (batch, n_candidates): which of its pool each user has seen
        *,
        regularizes_whole: bool,
    ) -> None:
        self._levels, self._loss, self._sampler = levels, loss, sampler
        self._module, self._n_items, self._seen_lanes = module, n_items, seen_lanes
        self._regularizes_whole = regularizes_whole

    def __call__(self, batch: Batch, leaves: Leaves) -> BatchGradients:
        """Return the mean loss and its gradients, without L2 regularization, and the weights of the latter.

        The gradients of the module's parameters are set on these.
        """
        total, loss, scored = self._total(batch, leaves)
        parameters = [] if self._module is None else list(self._module.parameters())
        vectors = leaves.all()
        gradients = torch.autograd.grad(total, [*vectors, *parameters], materialize_grads=True)
        for parameter, gradient in zip(parameters, gradients[len(vectors) :], strict=True):
            parameter.grad = gradient
        return BatchGradients(loss.detach(), list(gradients[: len(vectors)]), self._weigh_l2(batch, scored))

    def _total(self, batch: Batch, leaves: Leaves) -> tuple[torch.Tensor, torch.Tensor, Scored]:
        """Return what is differentiated and the loss that is reported, both means over the batch, and the scores."""
        users, positives, by_layer = _averaged(leaves.users), _averaged(leaves.positives), leaves.negatives
        if by_layer is not None and batch.share_of_positive is not None:
            share = batch.share_of_positive.permute(2, 0, 1)[..., None]  # (n_layers, batch, n_pools, 1)
            by_layer = share * leaves.positives[:, :, None] + (1 - share) * by_layer
        if self._loss.takes is Negatives.POOL:
            scored = self._of_pool(batch, leaves)
            losses = weigh(self._loss(scored), batch.weights).mean(dim=1)
            # Each level's loss stands unweighted: the gradients of its scores are weighted on their way to the blocks.
            return losses.sum(), self._levels.weights @ losses.detach(), scored
        positive_scores = negative_scores = shared_scores(users, positives, self._levels.mask)
        if by_layer is not None:
            negative_scores = self._negative_scores(users, _averaged(by_layer))
        scored = Scored(
            users,
            positives,
            self._levels.widths,
            positive_scores,
            negative_scores,
            self._levels.inverse_temperatures,
            1.0,
        )
        loss = self._levels.weights @ weigh(self._loss(scored), batch.weights).mean(dim=1)
        sampler = self._sampler
        if isinstance(sampler, ChoosingSampler) and by_layer is not None:
            added = sampler.own_loss(self._module, leaves.users, leaves.positives, by_layer)
            return (loss if added is None else loss + weigh(added, batch.weights).mean()), loss, scored
        return loss, loss, scored

    def _negative_scores(self, users: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
        if negatives.shape[1] == 1:  # shared by the levels
            return shared_scores(users, negatives.squeeze(1), self._levels.mask)
        return own_scores(users, negatives, self._levels.mask)

    def _of_pool(self, batch: Batch, leaves: Leaves) -> Scored:
        assert leaves.negatives is not None
        assert batch.negatives is not None
        users, positives, pools = _averaged(leaves.users), _averaged(leaves.positives), _averaged(leaves.negatives)
        positive_scores = couple(block_products(users, positives, self._levels.widths), self._levels.gradient_weights)
        scores = couple(pooled_products(users, pools, self._levels.widths, POOL_BLOCK), self._levels.gradient_weights)
        seen = self._seen_lanes(batch.users, batch.negatives, POOL_BLOCK)
        scores = scores.masked_fill(seen, float(MASKED_SCORE))
        each = self._n_items / pools.shape[1]
        return self._scored(users, positives, positive_scores, scores, each, batch.users)

    def _scored(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        positives: torch.Tensor,
        negatives: torch.Tensor,
        each: float = 1.0,
        user_index: torch.Tensor | None = None,
    ) -> Scored:
        return Scored(
            users=users,
            items=items,
            widths=self._levels.widths,
            positives=positives,
            negatives=negatives,
            inverse_temperatures=self._levels.inverse_temperatures,
            items_per_candidate=each,
            user_index=user_index,
        )

    def _weigh_l2(self, batch: Batch, scored: Scored) -> list[torch.Tensor]:
        """Return the L2 weights of the batch's users, positives and negatives."""
        if self._regularizes_whole:
            return [self._levels.l2_weights] * (2 if batch.negatives is None else 3)
        if batch.negatives is None:
            return [self._levels.l2_weights, self._levels.l2_weights]
        return [
            self._levels.l2_weights,
            self._levels.l2_weights,
            self._weigh_negatives(scored, batch.negatives, batch.weights),
        ]

    def _weigh_negatives(self, scored: Scored, negatives: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
        """Return the L2 weights of negatives: by the levels that contain a coordinate, or by a candidate's slope."""
        if self._loss.takes is not Negatives.POOL:
            return weigh_pools(self._levels.negative_l2_weights, negatives.shape[1])
        assert isinstance(self._loss, PoolLoss)  # as `pair_loss_and_sampler` requires
        with torch.no_grad():
            shares = self._loss.shares(scored)
            shares = shares if weights is None else shares * weights[:, None]
            mixed = torch.tensordot(self._levels.gradient_weights, shares, dims=([1], [0]))
            n_pools, n_candidates = negatives.shape[:2]
            padded = torch.nn.functional.pad(mixed, (0, 0, 0, n_pools * POOL_BLOCK - mixed.shape[1]))
            slopes = padded.view(len(self._levels.widths), n_pools, POOL_BLOCK, n_candidates).sum(dim=2)
            return slopes[self._levels.block_of].permute(1, 2, 0) * self._levels.l2_weights


def weigh(losses: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Return losses (…, batch) times the weights of their positives, (batch,)."""
    return losses if weights is None else losses * weights


def _averaged(leaf: torch.Tensor) -> torch.Tensor:
    """Return the mean over the layers; of one layer, which is most cases, without a copy."""
    return leaf.squeeze(0) if len(leaf) == 1 else leaf.mean(dim=0)
