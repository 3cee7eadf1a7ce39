"""The base class of baselines trained by minibatch gradients: hyperparameters and a fit; a subclass gives the loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from nestrec.arguments import check_count, check_range
from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import build_model, check_epochs_can_be_chosen, only_width, prepare_interactions
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.extras import require
from nestrec.training.options import Run
from nestrec.widths import Widths

if TYPE_CHECKING:
    import torch

    from nestrec.baselines.minibatch import BatchLoss


@dataclass(frozen=True, kw_only=True)
class MinibatchBaseline(ABC):
    """A baseline of one width, trained by `nestrec.baselines.minibatch`; a subclass gives `build_loss`."""

    learning_rate: float = 0.005
    """Learning rate of Adam."""
    weight_decay: float = 1e-7
    """Weight decay of the tables in every step."""
    n_negatives: int = 256
    """Negatives of a positive, shared by 32 positives."""
    batch_size: int | None = None
    """Positives per step. None: a 64th of the interactions, 256 to 2048."""
    epochs: int | None = None
    """Passes over the interactions. None: chosen on a validation part of 10%, then trained again on all."""

    name: ClassVar[str]
    kind: ClassVar[Kind] = Kind.SINGLE
    space: ClassVar[dict[str, Range | Choice]] = {}
    extra: ClassVar[str | None] = "torch"
    cosine: ClassVar[bool] = False  # whether scores are cosines; the embeddings then have length 1

    def __post_init__(self) -> None:
        """Check the options."""
        check_range("learning_rate", self.learning_rate, 1e-6, 10, 0.005)
        check_range("weight_decay", self.weight_decay, 0, 1, 1e-7)
        check_count("n_negatives", self.n_negatives, 1_000_000, 256)
        check_count("batch_size", 1 if self.batch_size is None else self.batch_size, 2**30, 2048)
        check_count("epochs", 1 if self.epochs is None else self.epochs, 100_000, 20)

    @abstractmethod
    def build_loss(self, interactions: Interactions, device: torch.device) -> BatchLoss:
        """Return the loss for these training interactions."""

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train at the one width, on a CUDA device where there is one and the run need not be deterministic.

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
            cosine=self.cosine,
        )
        check_epochs_can_be_chosen(self.epochs, interactions)
        (users, items), epochs = fit_tables(interactions, self.build_loss, options, run)
        return build_model(self, interactions, widths, users, items, run, epochs=epochs)
