"""LightGCN: vectors smoothed over the graph of interactions, trained by BPR; the backbone of the paper's comparisons.

He et al. 2020, "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation", arXiv 2002.02126.
Given here are its hyperparameters; the method is in `lightgcn_engine.py` and `propagation.py`, which need torch. What
comes out are the propagated vectors, so an inner product is the score and torch is not needed to use them.

Where this differs from the authors' setting: batches of 8192, steps of 0.005 and a regularization of 1e-3 instead of
2048, 0.001 and 1e-4, since every batch costs six sparse products over the whole graph however small it is; and the
epoch is chosen by validation. On 155,163 interactions of 27,875 users with 10,427 items, three layers of width 64, an
epoch takes 0.37 s on two processor cores (0.6 s on one) instead of 1.6 s or more. There, with a tenth held out and one
seed, ndcg@20 comes to .070 by epoch 60 and stays to epoch 100; the authors' setting had .069 at epoch 90, still rising.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import check_fit, embeddings, only_width
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import MissingExtraError, OptionError
from nestrec.kernels.threads import checked_threads
from nestrec.training.options import Run, check_count, check_range
from nestrec.widths import Widths

if TYPE_CHECKING:
    import torch

_DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class LightGCN:
    """LightGCN at one width.

    >>> from nestrec import Run, Widths, World
    >>> interactions = World(n_users=200, n_items=160).generate(seed=1).interactions
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
        """Check every value once; raise OptionError with the rule."""
        check_count("n_layers", self.n_layers, 16, 3)
        check_range("learning_rate", self.learning_rate, 1e-6, 10, 0.005)
        check_range("regularization", self.regularization, 0, 100, 1e-3)
        check_count("batch_size", self.batch_size, 2**31 - 1, 8192)
        check_count("epochs", 1 if self.epochs is None else self.epochs, 100_000, 30)
        if self.device not in _DEVICES:
            raise OptionError(f"device {self.device!r} is not known; choose one of {', '.join(_DEVICES)}")

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train at the one width of the ladder; the manifest tells the epochs.

        The same seed gives the same bits on a CPU if the run is deterministic (one thread) or has as many threads.
        Raises MissingExtraError without torch, OptionError for more than one width, a checkpoint or a device that is
        not there, DataError where there is nothing to learn from, and TrainingError where the loss is not finite.
        """
        check_fit(self, interactions, run)
        width = only_width(self, widths)
        _require_torch()
        from nestrec.baselines.lightgcn_engine import Objective, torch_threads
        from nestrec.baselines.lightgcn_training import Training

        objective = Objective(width, self.n_layers, self.learning_rate, self.regularization, self.batch_size)
        threads = 1 if run.deterministic else checked_threads(run.threads)
        training = Training(objective, self._device(run), run)
        with torch_threads(threads):
            epochs = training.best_epoch(interactions) if self.epochs is None else self.epochs
            users, items = training.embeddings(interactions, epochs)
        model = embeddings(self, interactions, widths, users, items, run)
        told = {**model.manifest["baseline"], "epochs": epochs}
        return replace(model, manifest={**model.manifest, "baseline": told}, check=False)

    def _device(self, run: Run) -> torch.device:
        import torch

        has_cuda = torch.cuda.is_available()
        if self.device == "cuda" and not has_cuda:
            raise OptionError("device 'cuda' was asked for and torch finds none; choose cpu or auto")
        if self.device == "cuda" and run.deterministic:
            raise OptionError("device 'cuda' does not give equal bits for an equal seed; choose cpu for that")
        return torch.device("cuda" if has_cuda and self.device != "cpu" and not run.deterministic else "cpu")


def _require_torch() -> None:
    try:
        import_module("torch")
    except ImportError as error:
        raise MissingExtraError(
            'lightgcn needs torch, which is not installed; get it with pip install "nestrec[torch]"'
        ) from error
