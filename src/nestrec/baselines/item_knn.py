"""Item neighbours: an item scores the summed likeness to its seen neighbours (Deshpande and Karypis 2004).

Each item keeps its nearest items, itself among them; a user's score of an item adds up what the seen ones that keep it
give. Likeness is the inner product of items' columns of users, weighted: cosine, TF-IDF (users are the terms, so one
who takes to everything tells little) then scaled to length 1, or BM25 (Robertson and Zaragoza 2009), which is not
scaled. implicit weighs and searches, since its search holds no more than the neighbours kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nestrec.arguments import check_count, check_range
from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import prepare_interactions
from nestrec.baselines.implicit_library import implicit_module, user_items
from nestrec.data.interactions import Interactions
from nestrec.item_similarities import ItemSimilarities
from nestrec.parallel.threads import resolve_threads
from nestrec.training.options import Run
from nestrec.widths import Widths

_MOST = 100_000  # neighbours
_NEIGHBOURS = Range(10, 1000, log=True, integer=True)


@dataclass(frozen=True)
class CosineKnn:
    """Neighbours by the cosine of items' columns.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> CosineKnn(n_neighbours=20).fit(interactions, Widths([4]), Run())
    <ItemSimilarities: 200 users, 160 items>
    """

    n_neighbours: int = 200
    """Items that each item keeps, itself among them."""

    name: ClassVar[str] = "itemknn-cosine"
    kind: ClassVar[Kind] = Kind.WHOLE
    space: ClassVar[dict[str, Range | Choice]] = {"n_neighbours": _NEIGHBOURS}
    extra: ClassVar[str | None] = "baselines"

    def __post_init__(self) -> None:
        """Check the number."""
        check_count("n_neighbours", self.n_neighbours, _MOST, 200)

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> ItemSimilarities:
        """Find the neighbours. Involves no chance."""
        from scipy.sparse import csr_array

        interactions = prepare_interactions(self, interactions, run)
        with implicit_module("nearest_neighbours") as library, np.errstate(invalid="ignore"):
            weighted = self._weighted(library, user_items(interactions).T).T.tocsr()
            # 0 / 0: an item whose users all weigh nothing, since each has interacted with nearly everything
            weighted.data[np.isnan(weighted.data)] = 0
            threads = resolve_threads(run.threads)
            found = library.all_pairs_knn(weighted, self.n_neighbours, show_progress=False, num_threads=threads)
        return ItemSimilarities(csr_array(found.tocsr().astype(np.float32)), interactions)

    def _weighted(self, library: Any, item_users: Any) -> Any:
        return library.normalize(item_users)


@dataclass(frozen=True)
class TfidfKnn(CosineKnn):
    """Neighbours by the cosine of items' columns, each user weighted by ln(n_items / (1 + the user's interactions))."""

    name: ClassVar[str] = "itemknn-tfidf"

    def _weighted(self, library: Any, item_users: Any) -> Any:
        return library.normalize(library.tfidf_weight(item_users))


@dataclass(frozen=True)
class Bm25Knn(CosineKnn):
    """Neighbours by BM25: the weights of TF-IDF, less for items with many interactions, not scaled to length 1."""

    k1: float = 1.2
    """How much an item's number of interactions matters at all."""
    b: float = 0.75
    """How much of its weight an item with many interactions loses: 0 nothing, 1 most."""

    name: ClassVar[str] = "itemknn-bm25"
    space: ClassVar[dict[str, Range | Choice]] = {
        "n_neighbours": _NEIGHBOURS,
        "k1": Range(0.1, 10, log=True),
        "b": Range(0, 1),
    }

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range("k1", self.k1, 0, 1000, 1.2)
        check_range("b", self.b, 0, 1, 0.75)

    def _weighted(self, library: Any, item_users: Any) -> Any:
        return library.bm25_weight(item_users, self.k1, self.b)
