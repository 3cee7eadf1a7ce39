"""LightGCN: embeddings propagated over the user-item graph, trained by BPR; the backbone of the paper's comparisons.

He et al. 2020, "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation", arXiv 2002.02126.
It is `Trainer` with that backbone, one width and one uniform negative. The model holds the propagated embeddings, so an
inner product is the score and torch is not needed to use them.

Differences to the authors' setting: batch size 8192, learning rate 0.005 and regularization 1e-3 instead of 2048, 0.001
and 1e-4, since a batch of any size costs six sparse products over the whole graph; and the epoch is chosen by
validation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import check_epochs_can_be_chosen, only_width, prepare_interactions
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.embeddings import NestedEmbeddings
from nestrec.training import backbones
from nestrec.training.engines import TorchEngine
from nestrec.training.optimizers import Adam
from nestrec.training.options import Run
from nestrec.training.samplers import UniformSampler
from nestrec.training.trainer import Trainer
from nestrec.widths import Widths

MOST_EPOCHS = 300


@dataclass(frozen=True)
class LightGCNBaseline:
    """LightGCN at one width.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> LightGCNBaseline(epochs=2).fit(interactions, Widths([8]), Run(deterministic=True))
    <NestedEmbeddings: 200 users, 160 items, widths 8>
    """

    name: ClassVar[str] = "lightgcn"
    kind: ClassVar[Kind] = Kind.SINGLE
    space: ClassVar[dict[str, Range | Choice]] = {
        "n_layers": Choice((1, 2, 3, 4)),
        "learning_rate": Range(0.001, 0.05, log=True),
        "regularization": Range(1e-5, 3e-2, log=True),
    }
    extra: ClassVar[str | None] = "torch"

    n_layers: int = 3
    """Propagation layers; embeddings are the mean of layers 0 to this one."""
    learning_rate: float = 0.005
    """Learning rate of Adam."""
    regularization: float = 1e-3
    """L2 regularization: weight of half the squared layer-0 embeddings of a positive, averaged over the batch."""
    batch_size: int = 8192
    """Positives per step; each step propagates over the whole graph, so small batches are slow."""
    epochs: int | None = None
    """Passes over the interactions. None: chosen on a validation part of 10%, then trained again on all."""
    device: str = "auto"
    """Training device: "cpu", "cuda", or "auto", CUDA if available and the run is not deterministic.

    Training on CUDA is not bit-for-bit reproducible."""

    def __post_init__(self) -> None:
        """Let the trainer check the values."""
        self._trainer(Widths([1]))

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train at the one width; the manifest has the number of epochs.

        The same seed gives the same bits on a CPU if the run is deterministic (one thread) or has as many threads.
        Raises MissingExtraError without torch, OptionError for several widths, a checkpoint or an unavailable device,
        DataError if there are too few interactions, and TrainingError if the loss is not finite.
        """
        interactions = prepare_interactions(self, interactions, run)
        only_width(self, widths)
        validation = None if self.epochs is not None else RandomSplit(0.1)
        check_epochs_can_be_chosen(self.epochs, interactions)
        model = self._trainer(widths).fit(interactions, validation=validation, run=run)
        entry = {"name": self.name, "options": vars(self), "seed": run.seed}
        entry["epochs"] = model.manifest["training"]["epochs"]
        return replace(model, manifest={**model.manifest, "baseline": entry}, check=False)

    def _trainer(self, widths: Widths) -> Trainer:
        return Trainer(
            widths,
            backbone=backbones.LightGCN(self.n_layers),
            sampler=UniformSampler(),
            engine=TorchEngine(self.device, Adam(), self.batch_size),
            epochs=MOST_EPOCHS if self.epochs is None else self.epochs,
            learning_rate=self.learning_rate,
            final_learning_rate=self.learning_rate,
            regularization=self.regularization,
            regularize_whole=True,
            starting_scale=0.1,
            rotate=False,
            evaluate_every=5,
            patience=5,
        )
