"""nestrec as a baseline: all widths from one training run; and its ablations, which measure the effect of nesting.

Lai et al. 2024, arXiv 2406.07432. The ablations are the same training for one width alone: once per width, and once for
the widest width, whose embeddings are truncated to the narrower ones, as trained or after the SVD rotation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import only_width
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.svd_rotation import rotate_embeddings
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
    """L2 regularization; None: by the noise in the data and the width."""
    n_candidates: int | None = None
    """Candidates of the softmax at every level, a multiple of 64; None: by the size of the catalogue."""
    learning_rate: float = 0.3
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


@dataclass(frozen=True)
class NestrecAloneCut(NestrecAlone):
    """The training for the widest width alone; narrower widths are its leading dimensions as trained."""

    name: ClassVar[str] = "nestrec-alone-cut"
    kind: ClassVar[Kind] = Kind.NESTED
    space: ClassVar[dict[str, Range | Choice]] = {}
    source: ClassVar[str] = "nestrec-alone"

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Train at the widest width and truncate."""
        return self.derive(super().fit(interactions, Widths([widths.embedding_size]), run), widths)

    def derive(self, model: NestedEmbeddings, widths: Widths) -> NestedEmbeddings:
        """Let a model of the widest width serve all of them."""
        return replace(model, widths=widths, check=False)


@dataclass(frozen=True)
class NestrecAloneRotated(NestrecAloneCut):
    """The training for the widest width alone, rotated by the SVD of its scores and then truncated."""

    name: ClassVar[str] = "nestrec-alone-rotated"

    def derive(self, model: NestedEmbeddings, widths: Widths) -> NestedEmbeddings:
        """Rotate a model of the widest width, which then serves all of them."""
        users, items = rotate_embeddings(model.user_embeddings, model.item_embeddings)
        rotated = replace(model, user_embeddings=users, item_embeddings=items, check=False)
        return super().derive(rotated, widths)
