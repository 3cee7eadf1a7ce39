"""Popularity: the items with the most interactions, the same for all users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import build_model, prepare_interactions
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.training.options import Run
from nestrec.widths import Widths


@dataclass(frozen=True)
class Popularity:
    """Scores by number of interactions: embeddings of width 1, 1 for users, the count for items.

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
        """Count interactions."""
        interactions = prepare_interactions(self, interactions, run)
        counts = np.bincount(interactions.indices, minlength=interactions.n_items)
        users = np.ones((interactions.n_users, 1), dtype=np.float32)
        return build_model(self, interactions, Widths([1]), users, counts[:, np.newaxis].astype(np.float32), run)
