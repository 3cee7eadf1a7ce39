"""Held-out interactions as the model's rows, with what it cannot match counted: nothing is dropped silently.

Every held-out item of a user stays in the denominators: one that the model does not know cannot be hit, one that stands
in the user's training interactions is never ranked and so cannot be hit.
A user the model does not know scores 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nestrec.arrays import Int32Array, Int64Array
from nestrec.errors import DataError
from nestrec.kernels.search.hits import count_common

if TYPE_CHECKING:
    from nestrec.data.ids import IdArray
    from nestrec.data.interactions import Interactions
    from nestrec.data.vocabulary import Vocabulary

LARGE_SHARE = 0.1  # of the held-out interactions; so many in the training data are a mistake more often than not


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

    def warning(self, n_interactions: int) -> str | None:
        """Return a warning where a large share of the held-out interactions stands in the training data."""
        share = self.seen_interactions / n_interactions
        if share < LARGE_SHARE:
            return None
        return (
            f"{self.seen_interactions:,} of {n_interactions:,} test interactions ({share:.0%}) are training "
            "interactions too; they count as misses, since what was seen is not ranked, so all figures are too low: "
            "give interactions that were held out"
        )


class Trained(Protocol):
    """What held-out interactions are matched with: the ids that a model knows, and what it was trained on."""

    @property
    def users(self) -> Vocabulary:
        """Ids of the users."""

    @property
    def items(self) -> Vocabulary:
        """Ids of the items."""

    @property
    def seen(self) -> Interactions:
        """The training interactions, in rows and columns of these ids."""


@dataclass(frozen=True)
class HeldOut:
    """The users evaluated, and for those the model knows, the held-out items it knows."""

    n_relevant: Int64Array  # (n_users,) held-out items of each user, known or not; at least 1
    known: Int64Array  # (n_known,) which of these users the model knows
    user_index: Int64Array  # (n_known,) their rows in the model
    indptr: Int64Array  # (n_known + 1,)
    indices: Int32Array  # item_index in the model, ascending for each user

    @classmethod
    def of_rows(cls, indptr: Int64Array, indices: Int32Array) -> HeldOut:
        """Take held-out interactions that are rows and columns of the model already; users without any are left out."""
        n_relevant = np.diff(indptr)
        users = np.flatnonzero(n_relevant)
        if len(users) == 0:
            raise DataError("there are no held-out interactions to evaluate on; give at least one")
        starts = np.append(indptr[users], indptr[-1])
        return cls(n_relevant[users], np.arange(len(users)), users, starts, indices)


def match(model: Trained, held_out: Interactions) -> tuple[HeldOut, Int64Array, Unmatched]:
    """Find held-out ids in the model; also return the rows of `held_out` that are evaluated, and what has no match.

    Raises DataError without held-out interactions, where the model knows none of the users or none of the items, and
    where every held-out interaction is a training interaction.
    """
    given = HeldOut.of_rows(held_out.indptr, held_out.indices)
    users, items = held_out.users.ids[given.user_index], held_out.items.ids[np.unique(held_out.indices)]
    rows = model.users.index_of(users).astype(np.int64)
    known = np.flatnonzero(rows >= 0)
    unknown_items = np.count_nonzero(model.items.index_of(items) < 0)
    if len(known) == 0 or unknown_items == len(items):
        raise DataError(_nothing_known(model, users, items, "users" if len(known) == 0 else "items"))
    item_index = model.items.index_of(held_out.items.ids)[held_out.indices]
    places = np.where(rows >= 0, np.cumsum(rows >= 0) - 1, -1)
    owner = np.repeat(places, given.n_relevant)  # of each interaction: the user's place among the known, or -1
    indptr, indices = _known_pairs(owner, item_index, len(known))
    n_seen = count_common(indptr, indices, rows[known], model.seen.indptr, model.seen.indices)
    if n_seen == held_out.n_interactions:
        raise DataError(
            f"all {n_seen:,} test interactions are training interactions of the model, which are never ranked; "
            "give a file of interactions that were held out"
        )
    unmatched = Unmatched(
        users=len(rows) - len(known),
        items=int(unknown_items),
        item_interactions=int(np.count_nonzero((owner >= 0) & (item_index < 0))),
        seen_interactions=n_seen,
    )
    return HeldOut(given.n_relevant, known, rows[known], indptr, indices), given.user_index, unmatched


def _nothing_known(model: Trained, users: IdArray, items: IdArray, side: str) -> str:
    """Return why nothing can be evaluated, with ids of both sides, and what to check."""
    given, trained = (users, model.users) if side == "users" else (items, model.items)
    other = model.items if side == "users" else model.users
    if bool((other.index_of(given) >= 0).any()):
        hint = "the columns of users and items seem to be swapped"
    else:
        hint = "evaluate with the ids that were trained on"
    return (
        f"the model knows none of the {len(given):,} {side} with held-out interactions, such as {_examples(given)}; "
        f"its own are such as {_examples(trained.ids)}; {hint}, and check which columns are read "
        "(user_column, item_column)"
    )


def _examples(ids: IdArray) -> str:
    return ", ".join(repr(name) for name in ids[:3].tolist())


def _known_pairs(owner: Int64Array, item_index: Int32Array, n_known: int) -> tuple[Int64Array, Int32Array]:
    """Return the CSR matrix of pairs in which both are known; items ascend in a row."""
    kept = (owner >= 0) & (item_index >= 0)
    owner, item_index = owner[kept], item_index[kept]
    order = np.lexsort((item_index, owner))
    indptr = np.zeros(n_known + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner, minlength=n_known), out=indptr[1:])
    return indptr, item_index[order]
