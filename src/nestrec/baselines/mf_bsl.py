"""Matrix factorization with the bilateral softmax loss (BSL) on cosines.

Wu et al. 2024, "BSL: Understanding and Improving Softmax Loss for Recommendation", arXiv 2312.12882. Own
implementation. Differences to the authors' setting: negatives are shared by 32 positives and never items that the user
has seen, and larger batches and steps, for CPUs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nestrec.arguments import check_count, check_range
from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import build_model, check_epochs_can_be_chosen, only_width, prepare_interactions
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.extras import require
from nestrec.training.losses import BilateralSoftmax, Scored
from nestrec.training.options import Run
from nestrec.widths import Widths

if TYPE_CHECKING:
    import torch

    from nestrec.baselines.minibatch import Batch


@dataclass(frozen=True)
class MfBsl:
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
    learning_rate: float = 0.005
    """Learning rate of Adam."""
    weight_decay: float = 1e-7
    """Weight decay of the tables in every step; cosines do not depend on lengths."""
    n_negatives: int = 256
    """Negatives of a positive, shared by 32 positives."""
    batch_size: int | None = None
    """Positives per step. None: a 64th of the interactions, 256 to 2048."""
    epochs: int | None = None
    """Passes over the interactions. None: chosen on a validation part of 10%, then trained again on all."""

    name: ClassVar[str] = "mf-bsl"
    kind: ClassVar[Kind] = Kind.SINGLE
    space: ClassVar[dict[str, Range | Choice]] = {
        "temperature": Range(0.05, 0.3, log=True),
        "temperature_ratio": Range(0.5, 2, log=True),
        "learning_rate": Range(0.001, 0.02, log=True),
        "weight_decay": Range(1e-9, 1e-4, log=True),
    }
    extra: ClassVar[str | None] = "torch"

    def __post_init__(self) -> None:
        """Check the options."""
        BilateralSoftmax(self.temperature, temperature_ratio=self.temperature_ratio)
        check_range("learning_rate", self.learning_rate, 1e-6, 10, 0.005)
        check_range("weight_decay", self.weight_decay, 0, 1, 1e-7)
        check_count("n_negatives", self.n_negatives, 1_000_000, 256)
        check_count("batch_size", 1 if self.batch_size is None else self.batch_size, 2**30, 2048)
        check_count("epochs", 1 if self.epochs is None else self.epochs, 100_000, 20)

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train at the one width, on the CPU.

        Raises MissingExtraError without torch, OptionError for several widths, and DataError if there are too few
        interactions.
        """
        require("torch", "torch", self.name)
        from nestrec.baselines.minibatch import Options, default_batch_size, fit_tables

        interactions = prepare_interactions(self, interactions, run)
        options = Options(
            width=only_width(self, widths),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size or default_batch_size(interactions),
            n_negatives=self.n_negatives,
            epochs=self.epochs,
            cosine=True,
        )
        check_epochs_can_be_chosen(self.epochs, interactions)
        (users, items), epochs = fit_tables(interactions, lambda _: self.loss, options, run)
        return build_model(self, interactions, widths, users, items, run, epochs=epochs)

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
