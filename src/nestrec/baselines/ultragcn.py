"""UltraGCN: matrix factorization whose loss approximates infinitely many layers of graph convolution.

Mao et al. 2021, "UltraGCN: Ultra Simplification of Graph Convolutional Networks for Recommendation", CIKM 2021, arXiv
2110.15114. Own implementation. For a positive (u, i), with d the degrees, the loss is

    (a + b_ui) softplus(-s_ui) + negative_weight * mean over negatives j of (c + b_uj) softplus(s_uj)
        + item_weight * sum over the n_neighbours of i of w_ij softplus(-s_uj),

where b_ui = sqrt((d_u + 1) / (d_i + 1)) / d_u is the weight of the edge in the limit of the propagation, a and c are
the base weights of positives and negatives, and w_ij = G_ij / (g_i - G_ii) * sqrt(g_i / g_j), with G the common users
of pairs of items and g the sums of its rows. Neighbours are the items with the largest w_ij, without i itself.
Differences to the authors' setting: negatives are shared by 32 positives and never items that the user has seen, and
larger batches and steps, for CPUs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nestrec.arguments import check_count, check_range
from nestrec.arrays import Float32Array, Int64Array
from nestrec.baselines.baseline import Choice, Range
from nestrec.baselines.minibatch_baseline import MinibatchBaseline
from nestrec.data.interactions import Interactions

if TYPE_CHECKING:
    import torch

    from nestrec.baselines.minibatch import Batch, BatchLoss

_ROWS_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True)
class UltraGCN(MinibatchBaseline):
    """UltraGCN at one width.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> UltraGCN(epochs=2).fit(interactions, Widths([8]), Run(deterministic=True))
    <NestedEmbeddings: 200 users, 160 items, widths 8>
    """

    negative_weight: float = 50.0
    """Weight of the mean over negatives."""
    item_weight: float = 5e-4
    """Weight of the item-item loss."""
    positive_base: float = 0.0
    """Base weight of a positive beside that of its edge."""
    negative_base: float = 0.0
    """Base weight of a negative beside that of its edge."""
    n_neighbours: int = 10
    """Neighbours of an item in the item-item loss."""
    weight_decay: float = 2e-7
    """Weight decay of the tables in every step."""

    name: ClassVar[str] = "ultragcn"
    space: ClassVar[dict[str, Range | Choice]] = {
        "negative_weight": Range(10, 1000, log=True),
        "item_weight": Range(1e-4, 10, log=True),
        "negative_base": Choice((0.0, 1.0)),
        "learning_rate": Range(0.001, 0.02, log=True),
        "weight_decay": Range(1e-8, 1e-4, log=True),
    }

    def __post_init__(self) -> None:
        """Check the options."""
        for field in ("negative_weight", "item_weight", "positive_base", "negative_base"):
            check_range(field, getattr(self, field), 0, 1e6, 1)
        check_count("n_neighbours", self.n_neighbours, 1000, 10)
        super().__post_init__()

    def build_loss(self, interactions: Interactions, device: torch.device) -> BatchLoss:
        """Return the loss for these training interactions."""
        import torch
        from torch.nn.functional import softplus

        constants = *edge_factors(interactions), *nearest_items(interactions, self.n_neighbours)
        of_user, of_item, neighbours, similarities = (torch.from_numpy(part).to(device) for part in constants)

        def loss(batch: Batch) -> torch.Tensor:
            factor = of_user[batch.user_index]
            positive = (self.positive_base + factor * of_item[batch.item_index]) * softplus(-batch.positives)
            weights = self.negative_base + factor[:, None] * of_item[batch.negative_index]
            negative = self.negative_weight * (weights * softplus(batch.negatives)).mean(dim=-1)
            near = batch.item_vectors(neighbours[batch.item_index])  # (batch, n_neighbours, width)
            scores = (near @ batch.users[..., None])[..., 0]
            item_item = self.item_weight * (similarities[batch.item_index] * softplus(-scores)).sum(dim=-1)
            return (positive + negative + item_item).mean()

        return loss


def edge_factors(interactions: Interactions) -> tuple[Float32Array, Float32Array]:
    """Return sqrt(d_u + 1) / d_u of users and 1 / sqrt(d_i + 1) of items, whose product is the weight of an edge."""
    of_user = np.diff(interactions.indptr).astype(np.float64)
    of_item = np.bincount(interactions.indices, minlength=interactions.n_items)
    return (np.sqrt(of_user + 1) / of_user).astype(np.float32), (of_item + 1.0).astype(np.float32) ** np.float32(-0.5)


def nearest_items(interactions: Interactions, n: int) -> tuple[Int64Array, Float32Array]:
    """Return the n neighbours of each item with the largest w_ij, and these, both (n_items, n); missing ones have 0."""
    rows = interactions.to_scipy()
    columns = rows.T.tocsr()
    sums = columns @ np.diff(interactions.indptr).astype(np.float64)  # g: all pairs of an item's users with their items
    counts = np.bincount(interactions.indices, minlength=interactions.n_items)
    scale = np.sqrt(sums) / np.maximum(sums - counts, 1.0)
    found = np.zeros((interactions.n_items, n), dtype=np.int64)
    weights = np.zeros((interactions.n_items, n), dtype=np.float32)
    for start in range(0, interactions.n_items, _ROWS_AT_ONCE):
        common = columns[start : start + _ROWS_AT_ONCE] @ rows
        for row, item in enumerate(range(start, start + common.shape[0])):
            others = common.indices[common.indptr[row] : common.indptr[row + 1]]
            values = common.data[common.indptr[row] : common.indptr[row + 1]] * scale[item] / np.sqrt(sums[others])
            values[others == item] = 0.0
            best = np.lexsort((others, -values))[:n]
            found[item, : len(best)], weights[item, : len(best)] = others[best], values[best]
    return found, weights
