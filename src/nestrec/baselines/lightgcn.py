"""LightGCN: vectors smoothed over the graph of interactions, trained by BPR; the backbone of the paper's comparisons.

He et al. 2020, "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation", arXiv 2002.02126.
It is `Trainer` with that backbone, one width and one uniform negative. What comes out are the propagated vectors, so an
inner product is the score and torch is not needed to use them.

Where this differs from the authors' setting: batches of 8192, steps of 0.005 and a regularization of 1e-3 instead of
2048, 0.001 and 1e-4, since every batch costs six sparse products over the whole graph however small it is; and the
epoch is chosen by validation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import only_width, prepare_interactions
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError
from nestrec.training import backbones
from nestrec.training.engines import TorchEngine
from nestrec.training.optimizers import Adam
from nestrec.training.options import Run
from nestrec.training.samplers import UniformSampler
from nestrec.training.trainer import Trainer
from nestrec.widths import Widths

MOST_EPOCHS = 300


@dataclass(frozen=True)
class LightGCN:
    """LightGCN at one width.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> LightGCN(epochs=2).fit(interactions, Widths([8]), Run(deterministic=True))
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
    """How many steps a vector travels over the graph; the mean of layers 0 to this one is what scores."""
    learning_rate: float = 0.005
    """Size of Adam's steps."""
    regularization: float = 1e-3
    """Weight of half the squared layer-0 vectors of a positive, averaged over the batch."""
    batch_size: int = 8192
    """Positives whose loss is averaged in one step; each step propagates the whole graph, so small batches are slow."""
    epochs: int | None = None
    """Passes over the interactions. None: chosen on a tenth of them, then trained again on all."""
    device: str = "auto"
    """Where it is trained: "cpu", "cuda", or "auto", a CUDA device where there is one and the run is not deterministic.

    Training on CUDA promises no equal bits for an equal seed."""

    def __post_init__(self) -> None:
        """Let the trainer check the values."""
        self._trainer(Widths([1]))

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train at the one width of the ladder; the manifest tells the epochs.

        The same seed gives the same bits on a CPU if the run is deterministic (one thread) or has as many threads.
        Raises MissingExtraError without torch, OptionError for more than one width, a checkpoint or a device that is
        not there, DataError where there is nothing to learn from, and TrainingError where the loss is not finite.
        """
        interactions = prepare_interactions(self, interactions, run)
        only_width(self, widths)
        validation = None if self.epochs is not None else RandomSplit(0.1)
        if validation is not None:
            self._check_that_some_can_be_held_out(validation, interactions)
        model = self._trainer(widths).fit(interactions, validation=validation, run=run)
        told = {"name": self.name, "options": vars(self), "seed": run.seed}
        told["epochs"] = model.manifest["training"]["epochs"]
        return replace(model, manifest={**model.manifest, "baseline": told}, check=False)

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

    def _check_that_some_can_be_held_out(self, split: RandomSplit, interactions: Interactions) -> None:
        try:
            split.split(interactions)
        except DataError as error:
            raise DataError(
                "no user of these data has two interactions, so none can be held out to choose the number of epochs; "
                "give lightgcn its epochs, as in epochs=30"
            ) from error
