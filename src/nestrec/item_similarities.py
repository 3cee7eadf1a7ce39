"""Item-to-item models without vectors: neighbourhood models and EASE.

Scores are X @ B: the user's row of interactions times a weight for each pair of items. They are computed and ranked a
block of users at a time, so that the (n_users, n_items) matrix of scores is never formed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError
from nestrec.kernels.search.score_rows import rank_rows
from nestrec.kernels.search.selection import NO_KEY, decode_items
from nestrec.parallel.threads import map_in_threads
from nestrec.retrieval.item_lists import ItemLists
from nestrec.widths import Widths

if TYPE_CHECKING:
    from scipy.sparse import csr_array


_SCORE_BYTES = 1 << 25  # of a block of score rows; each thread holds one
_MOST_USERS = 1024  # in a block


@dataclass(frozen=True, eq=False, repr=False)
class ItemSimilarities:
    """Item-to-item weights and the interactions they apply to; the arrays are kept, not copied.

    Raises DataError where the shape is not (n_items, n_items), the type not float32, or a number not finite.

    >>> import numpy as np
    >>> from nestrec import Interactions, Vocabulary
    >>> users, items = Vocabulary.from_ids(["ann"]), Vocabulary.from_ids(["jam", "rye", "tea"])
    >>> seen = Interactions(users, items, np.array([0, 2]), np.array([0, 2], dtype=np.int32))
    >>> weights = np.array([[0, 3, 1], [0, 0, 0], [1, 2, 0]], dtype=np.float32)
    >>> ItemSimilarities(weights, seen).scores([0]).tolist()
    [[1.0, 5.0, 1.0]]
    """

    weights: Float32Array | csr_array  # (n_items, n_items) float32; row: seen item, column: scored item
    seen: Interactions  # (n_users, n_items)

    def __post_init__(self) -> None:
        """Validate shape and type of the weights."""
        n_items = self.seen.n_items
        if self.weights.shape != (n_items, n_items) or self.weights.dtype != np.float32:
            raise DataError(
                f"item weights must be float32 ({n_items}, {n_items}) for {n_items} items, got {self.weights.dtype} "
                f"{self.weights.shape}"
            )
        stored = self.weights if isinstance(self.weights, np.ndarray) else self.weights.data
        if not np.isfinite(stored.sum(dtype=np.float64)):  # no mask of n_items^2 bools; float64 sums do not overflow
            raise DataError("item weights must be finite, got NaN or infinity; fit again with more regularization")

    @property
    def users(self) -> Vocabulary:
        """Ids of the users."""
        return self.seen.users

    @property
    def items(self) -> Vocabulary:
        """Ids of the items."""
        return self.seen.items

    @property
    def n_users(self) -> int:
        """Number of users, including those without interactions."""
        return self.seen.n_users

    @property
    def n_items(self) -> int:
        """Number of items: rows and columns of the weights."""
        return self.seen.n_items

    @property
    def widths(self) -> Widths:
        """The single width 1, under which a model without vectors is evaluated."""
        return Widths((1,))

    def scores(self, user_index: npt.ArrayLike) -> Float32Array:
        """Return the scores of all items, seen ones included, for these rows of users; (n, n_items) float32."""
        return _product(self.seen.to_scipy()[np.asarray(user_index)], self.weights)

    def top_items(self, user_index: npt.NDArray[np.integer], k: int, threads: int) -> Int32Array:
        """Return the best k unseen items of each of these users, (n, k), best first; -1 where none is left."""
        best = np.full((len(user_index), k), NO_KEY, dtype=np.int64)
        seen = self.seen.to_scipy()
        excluded = ItemLists(self.seen.indptr, self.seen.indices)
        size = max(1, min(_MOST_USERS, _SCORE_BYTES // (4 * self.n_items), -(-len(user_index) // threads)))

        def rank(start: int) -> None:
            rows = user_index[start : start + size]
            rank_rows(_product(seen[rows], self.weights), *excluded.select(rows), best[start : start + size])

        map_in_threads(rank, range(0, len(user_index), size), threads)
        return decode_items(best)

    def __repr__(self) -> str:
        """Show the sizes."""
        return f"<ItemSimilarities: {self.n_users} users, {self.n_items} items>"


def _product(rows: csr_array, weights: Float32Array | csr_array) -> Float32Array:
    product = rows @ weights
    dense: Float32Array = product if isinstance(product, np.ndarray) else product.toarray()
    return dense
