"""Scores of every level from vectors, under autograd.

Inner products of prefixes add up: the products of the coordinates that each level adds to the one before (a block),
summed from the first on, are the scores of all levels. Nothing is sliced, for the gradient of a slice is a zero tensor
of the whole's size: sums over prefixes are products with a matrix of ones and zeros, blocks are split off all at once.
"""

from __future__ import annotations

from itertools import pairwise

import torch


def inside(widths: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Return (n_levels, embedding_size): 1 for the coordinates that a level holds, 0 for the others."""
    return (torch.arange(widths[-1]) < torch.tensor(widths)[:, None]).float().to(device)


def shared_scores(users: torch.Tensor, items: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """Return (n_levels, batch): one item for all levels; vectors (batch, embedding_size), held as `inside` gives it."""
    return ((users * items) @ held.T).T


def own_scores(users: torch.Tensor, items: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """Return (n_levels, batch): each level's own item, (batch, n_levels, embedding_size)."""
    return (items * (users[:, None] * held)).sum(dim=-1).T


def block_products(left: torch.Tensor, right: torch.Tensor, widths: tuple[int, ...]) -> torch.Tensor:
    """Return (n_levels, batch): the products of each block; arguments are (batch, embedding_size)."""
    return torch.stack([block.sum(dim=-1) for block in (left * right).split_with_sizes(_sizes(widths), dim=-1)])


def pooled_products(users: torch.Tensor, pools: torch.Tensor, widths: tuple[int, ...], share: int) -> torch.Tensor:
    """Return (n_levels, batch, n_candidates): blocks of users against pools (n_pools, n_candidates, embedding_size).

    `share` neighbouring users share a pool; the last one may have fewer of them.
    """
    n_pools, n_candidates, size = pools.shape
    padded = torch.nn.functional.pad(users, (0, 0, 0, share * n_pools - len(users))).view(n_pools, share, size)
    pairs = zip(
        padded.split_with_sizes(_sizes(widths), dim=-1), pools.split_with_sizes(_sizes(widths), dim=-1), strict=True
    )
    products = torch.stack([of_users @ of_pools.transpose(1, 2) for of_users, of_pools in pairs])
    return products.view(len(widths), n_pools * share, n_candidates)[:, : len(users)]


def coupled(blocks: torch.Tensor, pulls: torch.Tensor) -> torch.Tensor:
    """Sum blocks (n_levels, …) to the levels' scores, with gradients that reach block b from level l pulls[b, l] times.

    So the sum of the levels' losses, each unweighted, has the gradients of the coupled objective.
    """
    pulled: torch.Tensor = torch.tensordot(pulls, blocks, dims=([0], [0]))  # (n_levels, …)
    return pulled + (blocks.cumsum(dim=0) - pulled).detach()


def _sizes(widths: tuple[int, ...]) -> list[int]:
    return [stop - start for start, stop in pairwise((0, *widths))]
