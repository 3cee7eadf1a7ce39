"""Matrix factorization with the bilateral softmax loss (BSL) on cosines.

Wu et al. 2024, "BSL: Understanding and Improving Softmax Loss for Recommendation", arXiv 2312.12882. Own
implementation. Differences to the authors' setting: negatives are shared by 32 positives and never items that the user
has seen, and larger batches and steps, for CPUs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nestrec.baselines.baseline import Choice, Range
from nestrec.baselines.minibatch_baseline import MinibatchBaseline
from nestrec.data.interactions import Interactions
from nestrec.training.losses import BilateralSoftmax, Scored

if TYPE_CHECKING:
    import torch

    from nestrec.baselines.minibatch import Batch, BatchLoss


@dataclass(frozen=True, kw_only=True)
class MfBsl(MinibatchBaseline):
    """Matrix factorization with BSL at one width. The embeddings have length 1, so inner products are cosines.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> MfBsl(epochs=2).fit(interactions, Widths([8]), Run(deterministic=True))
    <NestedEmbeddings: 200 users, 160 items, widths 8>
    """

    temperature: float = 0.1
    """Temperature of the negatives."""
    temperature_ratio: float = 1.0
    """Temperature of the positives divided by that of the negatives."""

    name: ClassVar[str] = "mf-bsl"
    cosine: ClassVar[bool] = True
    space: ClassVar[dict[str, Range | Choice]] = {
        "temperature": Range(0.05, 0.3, log=True),
        "temperature_ratio": Range(0.5, 2, log=True),
        "learning_rate": Range(0.001, 0.02, log=True),
        "weight_decay": Range(1e-9, 1e-4, log=True),
    }

    def __post_init__(self) -> None:
        """Check the options."""
        BilateralSoftmax(self.temperature, temperature_ratio=self.temperature_ratio)
        super().__post_init__()

    def build_loss(self, interactions: Interactions, device: torch.device) -> BatchLoss:
        """Return `loss`; it depends on the batch alone."""
        return self.loss

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return BSL of a batch's cosines, averaged over the positives."""
        scored = Scored(
            users=batch.users,
            items=batch.items,
            widths=(batch.users.shape[1],),
            positives=batch.positives[None],
            negatives=batch.negatives[None],
            inverse_temperatures=batch.positives.new_tensor([1 / self.temperature]),
            items_per_candidate=1.0,
            user_index=batch.user_index,
        )
        return BilateralSoftmax(self.temperature, temperature_ratio=self.temperature_ratio)(scored).mean()
