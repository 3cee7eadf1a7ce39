"""Uniform negatives a user has not interacted with, for all positives of an epoch at once, without rejection.

A user who has seen s of n items has n - s unseen ones; a rank r among them is drawn. The k-th seen item (from 0) has
`item - k` unseen items below it, so the unseen item of rank r is r plus the number of seen items with `item - k <= r`:
one search in one ascending array for all users, exact where a user has seen all items but one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.data.interactions import Interactions

Int64 = npt.NDArray[np.int64]


class UnseenNegatives:
    """Positives that have a negative, and a negative for each.

    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from nestrec import read_interactions
    >>> interactions, _ = read_interactions(csr_array([[1, 0, 1], [1, 1, 1]]))
    >>> negatives = UnseenNegatives(interactions)
    >>> negatives.users.tolist(), negatives.items.tolist()
    ([0, 0], [0, 2])
    >>> negatives.draw(np.random.default_rng(0)).tolist()
    [1, 1]
    """

    def __init__(self, interactions: Interactions) -> None:
        """Take the interactions of users who have not seen every item; the others' have no negative."""
        sizes = np.diff(interactions.indptr)
        n_items = interactions.n_items
        users = np.repeat(np.arange(interactions.n_users, dtype=np.int64), sizes)
        has_negative = (sizes < n_items)[users]
        self.users: Int64 = users[has_negative]  # (n_positives,) ascending
        self.items: Int64 = interactions.indices[has_negative].astype(np.int64)  # (n_positives,)
        self._n_unseen = (n_items - sizes)[self.users]
        self._starts = interactions.indptr[self.users]
        self._offsets = self.users * n_items  # keeps one user's ranks apart from the next one's
        nth = np.arange(len(users)) - interactions.indptr[users]
        self._unseen_below: Int64 = users * n_items + interactions.indices - nth  # ascending

    def draw(self, rng: np.random.Generator) -> Int64:
        """Return one unseen item for each positive, (n_positives,), each equally likely."""
        ranks = rng.integers(0, self._n_unseen)
        passed = np.searchsorted(self._unseen_below, self._offsets + ranks, side="right") - self._starts
        return ranks + passed
