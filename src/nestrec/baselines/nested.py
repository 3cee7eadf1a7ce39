"""nestrec as a baseline: all widths from one training run; and its ablation, a training run per width.

Lai et al. 2024, arXiv 2406.07432. The ablation measures the effect of nesting.
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
    """`Trainer` with all widths. The epoch is chosen on a validation part, which is then trained on too.

    Threads race, so results vary a little; `Run(deterministic=True)` is bit-for-bit reproducible.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> Nestrec(epochs=2).fit(interactions, Widths([4, 8]), Run())
    <NestedEmbeddings: 200 users, 160 items, widths 4, 8>
    """

    regularization: float | None = None
    """L2 regularization; None: chosen from the density."""
    n_candidates: int | None = None
    """Candidates of the softmax at every level, a multiple of 64; None: 64."""
    learning_rate: float = 0.2
    """Initial learning rate; it decays to a tenth."""
    epochs: int | None = None
    """Maximum passes over the interactions; None: chosen from the density."""

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
        """Train at all widths."""
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
    """The same training with one width: nothing is shared between widths."""

    name: ClassVar[str] = "nestrec-alone"
    kind: ClassVar[Kind] = Kind.SINGLE

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train at the one width; raise OptionError for several."""
        only_width(self, widths)
        return super().fit(interactions, widths, run)
