"""nestrec beside its baselines: all widths from one training, and its ablation, the same training at one width alone.

Lai et al. 2024, arXiv 2406.07432. The ablation says what nesting itself costs or gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import only_width
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.training.options import Run
from nestrec.training.samplers import PoolSampler
from nestrec.training.trainer import Trainer
from nestrec.widths import Widths


@dataclass(frozen=True)
class Nestrec:
    """`Trainer` with all widths. The epoch is chosen on a part of the interactions, which is then trained on too.

    Run as it comes, threads race and results differ a little; `Run(deterministic=True)` repeats to the bit.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> Nestrec(epochs=2).fit(interactions, Widths([4, 8]), Run())
    <NestedEmbeddings: 200 users, 160 items, widths 4, 8>
    """

    regularization: float | None = None
    """Weight of the squared coordinates; None: by density."""
    n_candidates: int | None = None
    """Items in the pool whose softmax every level takes, a multiple of 64; None: 64."""
    learning_rate: float = 0.2
    """Size of the first steps; it falls to a tenth."""
    epochs: int | None = None
    """Passes over the interactions, at most; None: by density."""

    name: ClassVar[str] = "nestrec"
    kind: ClassVar[Kind] = Kind.NESTED
    space: ClassVar[dict[str, Range | Choice]] = {
        "regularization": Range(0.03, 1, log=True),
        "n_candidates": Choice((64, 128, 256)),
        "learning_rate": Range(0.05, 0.5, log=True),
    }
    extra: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        """Let the trainer check the values."""
        self._trainer(Widths([1]))

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train."""
        return self._trainer(widths).fit(interactions, run=run)

    def _trainer(self, widths: Widths) -> Trainer:
        return Trainer(
            widths,
            sampler=PoolSampler(self.n_candidates),
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
        )


@dataclass(frozen=True)
class NestrecAlone(Nestrec):
    """The same training with one width, anew for each: nothing is shared between widths."""

    name: ClassVar[str] = "nestrec-alone"
    kind: ClassVar[Kind] = Kind.SINGLE

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train at the one width; raise OptionError for more."""
        only_width(self, widths)
        return super().fit(interactions, widths, run)
