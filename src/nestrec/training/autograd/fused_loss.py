"""Losses with fused kernels: mean loss and gradients of a batch's rows of the table, L2 regularization included.

They are for CUDA devices and local backbones. `fused_loss_for` returns None for a method that has none; the plain
version is `nested_loss.NestedLoss` followed by `optimizer_steps.add_l2`.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.training.autograd.config import EngineConfig
from nestrec.training.autograd.level_tensors import LevelTensors
from nestrec.training.autograd.levels import weigh_pools
from nestrec.training.autograd.nested_loss import weigh
from nestrec.training.autograd.scoring import Drawing, Fused
from nestrec.training.losses import Loss, PairLoss, SampledSoftmax, Scored
from nestrec.training.samplers import ChoosingSampler


class FusedLoss(Protocol):
    """A loss of a batch's rows of the table."""

    def __call__(
        self, table: torch.Tensor, rows: list[torch.Tensor], weights: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss and the gradients of rows, those of users, positives and negatives.

        `weights` are those of the positives, (batch,); None: all 1.
        """


def fused_loss_for(
    levels: LevelTensors,
    config: EngineConfig,
    module: nn.Module | None,  # of the sampler
    drawing: Drawing,
    n_users: int,
    n_items: int,
    *,
    regularizes_whole: bool,
) -> FusedLoss | None:
    """Return the fused version of the method's loss; None if it has none."""
    sampler = config.sampler
    if isinstance(drawing, Fused) and _is_sampled_softmax(config.loss):
        return FusedPools(levels, drawing, n_users, n_items, regularizes_whole=regularizes_whole)
    if module is not None or not isinstance(sampler, ChoosingSampler) or not _uses_scores_only(config.loss):
        return None
    if type(sampler).own_loss is not ChoosingSampler.own_loss:
        return None
    return FusedPairs(levels, config.loss, regularizes_whole=regularizes_whole)


class FusedPairs:
    """A loss of the scores of pairs, differentiated by autograd."""

    def __init__(self, levels: LevelTensors, loss: Loss, *, regularizes_whole: bool) -> None:
        """Move the widths to the device."""
        self._levels, self._loss, self._regularizes_whole = levels, loss, regularizes_whole
        self._width_of_level = torch.tensor(levels.widths, device=levels.mask.device)

    def __call__(
        self, table: torch.Tensor, rows: list[torch.Tensor], weights: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and gradients; rows are (batch,), (batch,) and (batch, n_pools, 1)."""
        from nestrec.training.autograd.fused.pairs import Pairs

        pairs = Pairs(table, rows[0], rows[1], rows[2][..., 0].contiguous(), self._width_of_level)
        scores = pairs.scores().requires_grad_(True)
        loss = self._levels.weights @ weigh(self._loss(self._scored(*scores)), weights).mean(dim=1)
        (slopes,) = torch.autograd.grad(loss, [scores])
        pair_weights = self._weigh_pairs(pairs.negatives.shape[1])
        return loss.detach(), pairs.gradients(slopes, pair_weights / len(pairs.users))

    def _scored(self, positives: torch.Tensor, negatives: torch.Tensor) -> Scored:
        widths, none = self._levels.widths, positives.new_empty((0, self._levels.widths[-1]))
        return Scored(none, none, widths, positives, negatives, self._levels.inverse_temperatures, 1.0)

    def _weigh_pairs(self, n_pools: int) -> torch.Tensor:
        """Return the L2 weights of a user, a positive and its negatives, (2 + n_pools, embedding_size)."""
        if self._regularizes_whole:
            return self._levels.l2_weights.repeat(2 + n_pools, 1)
        of_negatives = weigh_pools(self._levels.negative_l2_weights, n_pools)
        return torch.cat([self._levels.l2_weights.expand(2, -1), of_negatives])


class FusedPools:
    """The sampled softmax over pools, with the gradients of its formula."""

    def __init__(
        self, levels: LevelTensors, drawing: Fused, n_users: int, n_items: int, *, regularizes_whole: bool
    ) -> None:
        """Move the widths to the device."""
        from nestrec.training.autograd.fused.pool_softmax import PoolSoftmax

        self._levels = levels
        self._softmax = PoolSoftmax(
            seen=drawing.seen_rows,
            n_users=n_users,
            n_items=n_items,
            widths=torch.tensor(levels.widths, device=levels.mask.device),
            inverse_temperatures=levels.inverse_temperatures,
            weights=levels.dimension_weights,
            l2_weights=levels.l2_weights,
            regularizes_whole=regularizes_whole,
            block=POOL_BLOCK,
        )

    def __call__(
        self, table: torch.Tensor, rows: list[torch.Tensor], weights: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and gradients; rows are (batch,), (batch,) and (n_blocks, n_candidates)."""
        users, positives, pools = rows
        losses, gradients = self._softmax(table, users, positives, pools, weights)
        return self._levels.weights @ losses.mean(dim=1), gradients


def _is_sampled_softmax(loss: Loss) -> bool:
    """Return whether the formula and its gradients are those of `SampledSoftmax`, in a subclass too."""
    return isinstance(loss, SampledSoftmax) and all(
        getattr(type(loss), name) is getattr(SampledSoftmax, name)
        for name in ("__call__", "shares", "_others", "_logits")
    )


def _uses_scores_only(loss: Loss) -> bool:
    """Return whether the class that defines the loss's formula declares that it uses nothing but scores."""
    owner = next(of for of in type(loss).__mro__ if "__call__" in vars(of))
    return isinstance(loss, PairLoss) and "uses_scores_only" in vars(owner) and loss.uses_scores_only
