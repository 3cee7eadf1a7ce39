"""Item-based nearest neighbours: a score is the sum of similarities to seen items (Deshpande and Karypis 2004).

Each item keeps its nearest items, itself included. The similarity of two items is the inner product of their weighted
user vectors: cosine, TF-IDF (users are the terms, so very active users count less) normalized to norm 1, or BM25
(Robertson and Zaragoza 2009), not normalized. implicit computes weights and neighbours with little memory.
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
    """Neighbours by cosine similarity.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> CosineKnn(n_neighbours=20).fit(interactions, Widths([4]), Run())
    <ItemSimilarities: 200 users, 160 items>
    """

    n_neighbours: int = 200
    """Neighbours per item, itself included."""

    name: ClassVar[str] = "itemknn-cosine"
    kind: ClassVar[Kind] = Kind.WHOLE
    space: ClassVar[dict[str, Range | Choice]] = {"n_neighbours": _NEIGHBOURS}
    extra: ClassVar[str | None] = "baselines"

    def __post_init__(self) -> None:
        """Check the number of neighbours."""
        check_count("n_neighbours", self.n_neighbours, _MOST, 200)

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> ItemSimilarities:
        """Find the neighbours, deterministically."""
        from scipy.sparse import csr_array

        interactions = prepare_interactions(self, interactions, run)
        with implicit_module("nearest_neighbours") as library, np.errstate(invalid="ignore"):
            weighted = self._weigh(library, user_items(interactions).T).T.tocsr()
            # 0 / 0: all users of an item have weight 0, since they interacted with nearly everything
            weighted.data[np.isnan(weighted.data)] = 0
            threads = resolve_threads(run.threads)
            found = library.all_pairs_knn(weighted, self.n_neighbours, show_progress=False, num_threads=threads)
        return ItemSimilarities(csr_array(found.tocsr().astype(np.float32)), interactions)

    def _weigh(self, library: Any, item_users: Any) -> Any:
        return library.normalize(item_users)


@dataclass(frozen=True)
class TfidfKnn(CosineKnn):
    """Neighbours by cosine similarity with users weighted by ln(n_items / (1 + interactions of the user))."""

    name: ClassVar[str] = "itemknn-tfidf"

    def _weigh(self, library: Any, item_users: Any) -> Any:
        return library.normalize(library.tfidf_weight(item_users))


@dataclass(frozen=True)
class Bm25Knn(CosineKnn):
    """Neighbours by BM25: TF-IDF weights, reduced for popular items and not normalized."""

    k1: float = 1.2
    """Saturation of the term weights."""
    b: float = 0.75
    """Strength of the normalization by popularity of the item: 0 none, 1 full."""

    name: ClassVar[str] = "itemknn-bm25"
    space: ClassVar[dict[str, Range | Choice]] = {
        "n_neighbours": _NEIGHBOURS,
        "k1": Range(0.1, 10, log=True),
        "b": Range(0, 1),
    }

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        check_range("k1", self.k1, 0, 1000, 1.2)
        check_range("b", self.b, 0, 1, 0.75)

    def _weigh(self, library: Any, item_users: Any) -> Any:
        return library.bm25_weight(item_users, self.k1, self.b)
