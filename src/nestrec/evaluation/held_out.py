"""Held-out interactions matched with a model's ids; what has no match is counted and never dropped silently.

Every held-out item of a user stays in the denominators: cold items and items that the user has seen in training cannot
be hit. Cold users score 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nestrec.arrays import Int32Array, Int64Array
from nestrec.errors import DataError
from nestrec.kernels.search.hits import count_common

if TYPE_CHECKING:
    from nestrec.data.ids import IdArray
    from nestrec.data.interactions import Interactions
    from nestrec.data.vocabulary import Vocabulary

_COLUMNS = ("user_column", "item_column")
LARGE_SHARE = 0.1  # of held-out interactions in the training data; more are usually a mistake


@dataclass(frozen=True)
class Unmatched:
    """Numbers of held-out data that count in the denominators but cannot be hit."""

    users: int = 0
    """Cold users with held-out interactions."""
    items: int = 0
    """Cold items with held-out interactions."""
    item_interactions: int = 0
    """Held-out interactions of warm users with cold items."""
    seen_interactions: int = 0
    """Held-out interactions that are in the training data too."""

    def warning(self, n_interactions: int) -> str | None:
        """Return a warning if a large share of the held-out interactions is in the training data."""
        share = self.seen_interactions / n_interactions
        if share < LARGE_SHARE:
            return None
        return (
            f"{self.seen_interactions:,} of {n_interactions:,} test interactions ({share:.0%}) are training "
            "interactions too; they count as misses, because seen items are masked, so all metrics are too low: "
            "give interactions that were held out"
        )


@dataclass(frozen=True)
class HeldOut:
    """The evaluated users and, for warm users, their warm held-out items."""

    n_relevant: Int64Array  # (n_users,) held-out items of each user, cold ones included; at least 1
    known: Int64Array  # (n_known,) indices of warm users among them
    user_index: Int64Array  # (n_known,) their rows in the model
    indptr: Int64Array  # (n_known + 1,)
    indices: Int32Array  # item_index in the model, ascending for each user

    @classmethod
    def of_rows(cls, indptr: Int64Array, indices: Int32Array) -> HeldOut:
        """Wrap held-out interactions with the rows and columns of the model; users without any are skipped."""
        n_relevant = np.diff(indptr)
        users = np.flatnonzero(n_relevant)
        if len(users) == 0:
            raise DataError("there are no held-out interactions to evaluate on; give at least one")
        starts = np.append(indptr[users], indptr[-1])
        return cls(n_relevant[users], np.arange(len(users)), users, starts, indices)


def match_ids(
    users: Vocabulary, items: Vocabulary, seen: Interactions, held_out: Interactions
) -> tuple[HeldOut, Int64Array, Unmatched]:
    """Match held-out interactions with the ids and the training interactions of a model.

    Also returns the rows of `held_out` that are evaluated, and the numbers of unmatched data. Raises DataError without
    held-out interactions, if all users or all items are cold, and if all are training interactions.
    """
    given = HeldOut.of_rows(held_out.indptr, held_out.indices)
    user_ids, item_ids = held_out.users.ids[given.user_index], held_out.items.ids[np.unique(held_out.indices)]
    rows = users.index_of(user_ids, unknown="mark").astype(np.int64)
    known = np.flatnonzero(rows >= 0)
    n_cold_items = np.count_nonzero(items.index_of(item_ids, unknown="mark") < 0)
    if len(known) == 0:
        raise DataError(_explain_no_match("users", user_ids, users, items), mentions=_COLUMNS)
    if n_cold_items == len(item_ids):
        raise DataError(_explain_no_match("items", item_ids, items, users), mentions=_COLUMNS)
    item_index = items.index_of(held_out.items.ids, unknown="mark")[held_out.indices]
    positions = np.where(rows >= 0, np.cumsum(rows >= 0) - 1, -1)
    owner = np.repeat(positions, given.n_relevant)  # of each interaction: the user's index among the warm ones, or -1
    indptr, indices = _build_warm_rows(owner, item_index, len(known))
    n_seen = count_common(indptr, indices, rows[known], seen.indptr, seen.indices)
    if n_seen == held_out.n_interactions:
        raise DataError(
            f"all {n_seen:,} test interactions are training interactions of the model, which are masked; "
            "give interactions that were held out"
        )
    unmatched = Unmatched(
        users=len(rows) - len(known),
        items=int(n_cold_items),
        item_interactions=int(np.count_nonzero((owner >= 0) & (item_index < 0))),
        seen_interactions=n_seen,
    )
    return HeldOut(given.n_relevant, known, rows[known], indptr, indices), given.user_index, unmatched


def _explain_no_match(side: str, given: IdArray, trained: Vocabulary, others: Vocabulary) -> str:
    """Return an error message with example ids of both sides and what to check."""
    if bool((others.index_of(given, unknown="mark") >= 0).any()):
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


def _build_warm_rows(owner: Int64Array, item_index: Int32Array, n_known: int) -> tuple[Int64Array, Int32Array]:
    """Return the CSR matrix of pairs of warm users and items, with ascending items in each row."""
    kept = (owner >= 0) & (item_index >= 0)
    owner, item_index = owner[kept], item_index[kept]
    order = np.lexsort((item_index, owner))
    indptr = np.zeros(n_known + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner, minlength=n_known), out=indptr[1:])
    return indptr, item_index[order]
