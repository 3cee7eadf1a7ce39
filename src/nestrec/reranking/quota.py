"""Lists with at most so many items of a group."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nestrec.arguments import check_integer
from nestrec.arrays import Float64Array, Int64Array
from nestrec.errors import OptionError
from nestrec.reranking.catalogue import Groups
from nestrec.reranking.groups import Topics
from nestrec.reranking.reranker import Candidates, check_candidates, choose_greedily


@dataclass(frozen=True)
class Quota:
    """Choose the best scores, at most `most` of a group; lists may become shorter where candidates run out.

    An item of several groups counts in each of them; one in none is not limited. Raises OptionError for values out of
    range.
    """

    most: int
    """Items of a group in a list."""
    groups: Groups = field(default_factory=Topics)
    """What is counted: `Topics` of a narrow width, or `Categories` of the item table."""
    candidates: int = 10
    """Candidates for each item of the list."""

    def __post_init__(self) -> None:
        """Validate the numbers."""
        if check_integer("most", self.most, 3) < 1:
            raise OptionError(f"most must be 1 or more items of a group, got {self.most}", option="most")
        check_candidates(self.candidates)

    def choose(self, found: Candidates, k: int) -> Int64Array:
        """Return the positions of at most k candidates of each query, (n, k)."""
        return choose_greedily(found, k, _Counts(self, found))


class _Counts:
    def __init__(self, options: Quota, found: Candidates) -> None:
        shares = found.catalogue.shares_of(options.groups)
        self._member = shares[np.maximum(found.items, 0)] > 0  # (n, m, n_groups)
        self._gains, self._most = found.gains, options.most
        self._counts = np.zeros((len(found.items), shares.shape[1]), dtype=np.int64)

    def of_candidates(self) -> Float64Array:
        full = self._counts >= self._most
        excluded = (self._member & full[:, None]).any(axis=2)
        return np.where(excluded, -np.inf, self._gains)

    def add(self, places: Int64Array) -> None:
        chosen = places >= 0
        self._counts += chosen[:, None] & self._member[np.arange(len(places)), places]
