"""The items with the most interactions, the same for all: what any method has to be better than."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import embeddings, prepare_interactions
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.training.options import Run
from nestrec.widths import Widths


@dataclass(frozen=True)
class Popularity:
    """Score an item by its interactions: vectors of width 1, each user's 1, each item's its count.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> Popularity().fit(interactions, Widths([4, 8]), Run())
    <NestedEmbeddings: 200 users, 160 items, widths 1>
    """

    name: ClassVar[str] = "popularity"
    kind: ClassVar[Kind] = Kind.WHOLE
    space: ClassVar[dict[str, Range | Choice]] = {}
    extra: ClassVar[str | None] = None

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Count. Involves no chance."""
        interactions = prepare_interactions(self, interactions, run)
        counts = np.bincount(interactions.indices, minlength=interactions.n_items)
        users = np.ones((interactions.n_users, 1), dtype=np.float32)
        return embeddings(self, interactions, Widths([1]), users, counts[:, np.newaxis].astype(np.float32), run)
