"""Scores of every level from vectors, under autograd.

Inner products of prefixes add up: the products of the coordinates that each level adds to the one before (a block),
summed from the first on, are the scores of all levels. Nothing is sliced, because the gradient of a slice is a zero
tensor of the full size: sums over prefixes are products with a 0/1 matrix, and blocks are split off all at once.
"""

from __future__ import annotations

from itertools import pairwise

import torch


def level_mask(widths: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Return (n_levels, embedding_size): 1 for the coordinates that a level contains, 0 for the others."""
    return (torch.arange(widths[-1]) < torch.tensor(widths)[:, None]).float().to(device)


def block_of(mask: torch.Tensor) -> torch.Tensor:
    """Return (embedding_size,): the level that adds a dimension, from `level_mask`."""
    return (1 - mask).sum(dim=0).long()


def negative_weights(mask: torch.Tensor, level_weights: torch.Tensor, l2_weights: torch.Tensor) -> torch.Tensor:
    """Return (n_levels, embedding_size): L2 weights of the negative of each level, by its share in the loss."""
    return mask * level_weights[:, None] * l2_weights


def weigh_pools(weights: torch.Tensor, n_pools: int) -> torch.Tensor:
    """Return (n_pools, embedding_size): the result of `negative_weights`, summed if all levels share a negative."""
    return weights if n_pools > 1 else weights.sum(dim=0, keepdim=True)


def shared_scores(users: torch.Tensor, items: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return (n_levels, batch): one item for all levels; vectors (batch, embedding_size), mask of `level_mask`."""
    return ((users * items) @ mask.T).T


def own_scores(users: torch.Tensor, items: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return (n_levels, batch): each level's own item, (batch, n_levels, embedding_size)."""
    return (items * (users[:, None] * mask)).sum(dim=-1).T


def block_products(left: torch.Tensor, right: torch.Tensor, widths: tuple[int, ...]) -> torch.Tensor:
    """Return (n_levels, batch): the products of each block; arguments are (batch, embedding_size)."""
    return torch.stack([block.sum(dim=-1) for block in (left * right).split_with_sizes(_sizes(widths), dim=-1)])


def pooled_products(users: torch.Tensor, pools: torch.Tensor, widths: tuple[int, ...], share: int) -> torch.Tensor:
    """Return (n_levels, batch, n_candidates): blocks of users against pools (n_pools, n_candidates, embedding_size).

    `share` neighbouring users share a pool; the last pool may have fewer.
    """
    n_pools, n_candidates, size = pools.shape
    padded = torch.nn.functional.pad(users, (0, 0, 0, share * n_pools - len(users))).view(n_pools, share, size)
    pairs = zip(
        padded.split_with_sizes(_sizes(widths), dim=-1), pools.split_with_sizes(_sizes(widths), dim=-1), strict=True
    )
    products = torch.stack([of_users @ of_pools.transpose(1, 2) for of_users, of_pools in pairs])
    return products.view(len(widths), n_pools * share, n_candidates)[:, : len(users)]


def couple(blocks: torch.Tensor, gradient_weights: torch.Tensor) -> torch.Tensor:
    """Sum blocks (n_levels, …) to the levels' scores; level l's gradient reaches block b times gradient_weights[b, l].

    So the sum of the levels' losses, each unweighted, has the gradients of the coupled objective.
    """
    weighted: torch.Tensor = torch.tensordot(gradient_weights, blocks, dims=([0], [0]))  # (n_levels, …)
    return weighted + (blocks.cumsum(dim=0) - weighted).detach()


def _sizes(widths: tuple[int, ...]) -> list[int]:
    return [stop - start for start, stop in pairwise((0, *widths))]
