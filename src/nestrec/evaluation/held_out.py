"""Held-out interactions as the model's rows, with what it cannot match counted: nothing is dropped silently.

Every held-out item of a user stays in the denominators: one that the model does not know cannot be hit, one that stands
in the user's training interactions is never ranked and so cannot be hit.
A user the model does not know scores 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nestrec.errors import DataError
from nestrec.kernels.hits import count_common

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.evaluation.item_similarities import ItemSimilarities

Indices = npt.NDArray[np.int32]
Pointers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Unmatched:
    """Held-out data that count in the denominators but cannot be hit."""

    users: int = 0
    """Users with held-out interactions whom the model does not know."""
    items: int = 0
    """Held-out items the model does not know."""
    item_interactions: int = 0
    """Held-out interactions, of users it knows, with items it does not know."""
    seen_interactions: int = 0
    """Held-out interactions that stand in the training data too."""


@dataclass(frozen=True)
class HeldOut:
    """The users evaluated, and for those the model knows, the held-out items it knows."""

    n_relevant: Pointers  # (n_users,) held-out items of each user, known or not; at least 1
    known: Pointers  # (n_known,) which of these users the model knows
    user_index: Pointers  # (n_known,) their rows in the model
    indptr: Pointers  # (n_known + 1,)
    indices: Indices  # item_index in the model, ascending for each user

    @classmethod
    def of_rows(cls, indptr: Pointers, indices: Indices) -> HeldOut:
        """Take held-out interactions that are rows and columns of the model already; users without any are left out."""
        n_relevant = np.diff(indptr)
        users = np.flatnonzero(n_relevant)
        if len(users) == 0:
            raise DataError("there are no held-out interactions to evaluate on; give at least one")
        starts = np.append(indptr[users], indptr[-1])
        return cls(n_relevant[users], np.arange(len(users)), users, starts, indices)


def matched(
    model: NestedEmbeddings | ItemSimilarities, held_out: Interactions
) -> tuple[HeldOut, npt.NDArray[np.int64], Unmatched]:
    """Find held-out ids in the model; also return the rows of `held_out` that are evaluated, and what has no match.

    Raises DataError without held-out interactions, or where the model knows none of the users.
    """
    given = HeldOut.of_rows(held_out.indptr, held_out.indices)
    rows = model.users.index_of(held_out.users.ids[given.user_index]).astype(np.int64)
    known = np.flatnonzero(rows >= 0)
    if len(known) == 0:
        raise DataError(
            f"the model knows none of the {len(rows)} users with held-out interactions, such as "
            f"{held_out.users.ids_at(given.user_index[0])}; evaluate with users it was trained on, under the same ids"
        )
    item_index = model.items.index_of(held_out.items.ids)[held_out.indices]
    places = np.where(rows >= 0, np.cumsum(rows >= 0) - 1, -1)
    owner = np.repeat(places, given.n_relevant)  # of each interaction: the user's place among the known, or -1
    indptr, indices = _known_pairs(owner, item_index, len(known))
    result = HeldOut(given.n_relevant, known, rows[known], indptr, indices)
    unmatched = Unmatched(
        users=len(rows) - len(known),
        items=len(np.unique(held_out.indices[item_index < 0])),
        item_interactions=int(np.count_nonzero((owner >= 0) & (item_index < 0))),
        seen_interactions=count_common(indptr, indices, rows[known], model.seen.indptr, model.seen.indices),
    )
    return result, given.user_index, unmatched


def _known_pairs(owner: Pointers, item_index: Indices, n_known: int) -> tuple[Pointers, Indices]:
    """Return the CSR matrix of pairs in which both are known; items ascend in a row."""
    kept = (owner >= 0) & (item_index >= 0)
    owner, item_index = owner[kept], item_index[kept]
    order = np.lexsort((item_index, owner))
    indptr = np.zeros(n_known + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner, minlength=n_known), out=indptr[1:])
    return indptr, item_index[order]
