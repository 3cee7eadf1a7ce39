"""The gates of disentangled negative sampling (DENS: Lai et al. 2023, "Disentangled Negative Sampling for CF").

A gate gives, for each dimension of an item's vector, the share that is relevant to the user; the rest is irrelevant. A
positive's gate depends on the user, a negative's on the relevant part of the positive.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import softplus

_AT_ONCE = 128  # positives
_AT_ONCE_ELSEWHERE = 8192  # on a GPU, where launches dominate


class Gates(nn.Module):
    """Four linear maps and the logistic function."""

    def __init__(self, embedding_size: int) -> None:
        super().__init__()
        self.user, self.item, self.relevant, self.negative = (
            nn.Linear(embedding_size, embedding_size) for _ in range(4)
        )

    def of_positives(self, users: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
        """Return shares in (0, 1), of the shape of both, (…, embedding_size)."""
        return torch.sigmoid(self.item(positives) + self.user(users))

    def of_negatives(self, negatives: torch.Tensor, relevant: torch.Tensor) -> torch.Tensor:
        """Return shares of negatives (n_layers, batch, n, embedding_size), given positives' relevant parts."""
        return torch.sigmoid(self.negative(negatives) + self.relevant(relevant)[:, :, None])

    def scores(
        self,
        users: torch.Tensor,  # (n_layers, batch, embedding_size)
        positives: torch.Tensor,  # the same
        items: torch.Tensor,  # (n_layers, n_items, embedding_size)
        candidates: torch.Tensor,  # (batch, n_candidates) item indices
        share: float,
    ) -> torch.Tensor:
        """Return (n_layers, batch, n_candidates): scores of `share` times a candidate's vector minus its relevant part.

        It works on some positives at a time, so that gathered vectors stay in the processor's cache.
        """
        relevant = positives * self.of_positives(users, positives)
        found = []
        at_once = _AT_ONCE if candidates.device.type == "cpu" else _AT_ONCE_ELSEWHERE
        for start in range(0, len(candidates), at_once):
            part = slice(start, start + at_once)
            vectors = items[:, candidates[part]]  # (n_layers, part, n_candidates, embedding_size)
            left = vectors * (share - self.of_negatives(vectors, relevant[:, part]))
            found.append((left @ users[:, part, :, None])[..., 0])
        return torch.cat(found, dim=1)

    def losses(self, users: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
        """Return (batch,): the mean of four pairwise losses; arguments are (n_layers, batch, embedding_size).

        The positive's relevant part is to score above its irrelevant one and above the negative's relevant part; the
        negative's irrelevant part above its relevant one and above the positive's irrelevant part. Parts are averaged
        over the layers before they are scored.
        """
        user = users.mean(dim=0)
        relevant = positives * self.of_positives(users, positives)
        relevant_negative = negatives * self.of_negatives(negatives[:, :, None], relevant)[:, :, 0]

        def score(part: torch.Tensor) -> torch.Tensor:
            return (user * part.mean(dim=0)).sum(dim=-1)

        own, other = score(relevant), score(positives - relevant)
        negative, negative_other = score(relevant_negative), score(negatives - relevant_negative)
        margins = (other - own, negative - negative_other, negative - own, other - negative_other)
        return torch.stack([softplus(margin) for margin in margins]).mean(dim=0)
