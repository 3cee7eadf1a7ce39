"""Maximal marginal relevance (Carbonell and Goldstein 1998), with similarity measured at a narrow width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float64Array, Int64Array
from nestrec.reranking.reranker import Candidates, check_candidates, check_strength, choose_greedily


@dataclass(frozen=True)
class Diversify:
    """Choose items one by one: high scores, and unlike those chosen already.

    The value of a candidate is (1 - strength) * score - strength * similarity: its score among the candidates, scaled
    to 1 for the best and 0 for the last, and its greatest cosine with an item chosen already. A narrow width knows
    coarse topics only, which is what a list should vary in, and is cheap.

    Raises OptionError for values out of range.

    >>> import nestrec
    >>> items = [[3.0, 0.0], [2.9, 0.0], [2.0, 1.0]]
    >>> model = nestrec.NestedEmbeddings.from_arrays([[1.0, 0.1]], items, [2], items=["jam", "jelly", "tea"])
    >>> model.recommend(0, k=2).ids.tolist(), model.recommend(0, k=2, rerank=Diversify(0.7)).ids.tolist()
    (['jam', 'jelly'], ['jam', 'tea'])
    """

    strength: float = 0.3
    """From 0 (scores alone) to 1 (similarity alone, after the first item)."""
    width: int | None = None
    """Trained width that similarity is measured at; None: the narrowest."""
    candidates: int = 5
    """Candidates for each item of the list."""

    def __post_init__(self) -> None:
        """Validate the numbers."""
        check_strength(self.strength)
        check_candidates(self.candidates)

    def choose(self, found: Candidates, k: int) -> Int64Array:
        """Return the positions of at most k candidates of each query, (n, k)."""
        return choose_greedily(found, k, _MarginalRelevance(self, found))


class _MarginalRelevance:
    def __init__(self, options: Diversify, found: Candidates) -> None:
        vectors = found.catalogue.prefixes(options.width)[np.maximum(found.items, 0)].astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=2, keepdims=True)
        self._vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)  # (n, m, width)
        self._relevance = (1 - options.strength) * found.gains
        self._strength = options.strength
        self._similarity = np.zeros(found.items.shape)
        self._first = True

    def of_candidates(self) -> Float64Array:
        return self._relevance - self._strength * self._similarity

    def add(self, places: Int64Array) -> None:
        chosen = self._vectors[np.arange(len(places)), places]
        similarity = np.einsum("nmw,nw->nm", self._vectors, chosen)
        self._similarity = similarity if self._first else np.maximum(self._similarity, similarity)
        self._first = False
