"""Leaving out users and items with few interactions: the k-core of the bipartite graph (Seidman 1983, two minima).

Removing an item can push a user below its minimum, which can push another item, and so on; the core is what remains at
the end of that, the same in whatever order it is done. A work queue touches each interaction once from either side, so
the time is linear; beyond the input the memory is that of the result (at first, the transposed pairs) and of counters.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import BoolArray, Int64Array
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, OptionError
from nestrec.kernels.data import k_core as kernel

_NO_TIMES = np.empty(0, dtype=np.float64)


def k_core(interactions: Interactions, min_user_interactions: int, min_item_interactions: int) -> Interactions:
    """Return the largest part in which every user and every item has at least its minimum of interactions.

    Users and items outside of it leave the vocabularies too; those without any interaction always do, so a minimum of 0
    means the same as 1. How many interactions were removed is the difference of the two `n_interactions`. Raises
    OptionError for a negative minimum, DataError where nothing is left.

    >>> from scipy.sparse import csr_array
    >>> from nestrec.data.reading import read_interactions
    >>> interactions = read_interactions(csr_array([[1, 1, 0], [1, 1, 1], [0, 0, 1]]))
    >>> k_core(interactions, 2, 2)
    <Interactions: 2 users, 2 items, 4 interactions>
    """
    _check("min_user_interactions", min_user_interactions)
    _check("min_item_interactions", min_item_interactions)
    min_user, min_item = max(min_user_interactions, 1), max(min_item_interactions, 1)
    user_counts, item_counts = _core_counts(interactions, min_user, min_item)
    in_core, items_in_core = user_counts >= min_user, item_counts >= min_item
    if not in_core.any():
        raise DataError(
            f"no interaction is left where every user has at least {min_user_interactions} and every item at least "
            f"{min_item_interactions} (there were {interactions.n_interactions:,}); lower min_user_interactions or "
            "min_item_interactions"
        )
    if in_core.all() and items_in_core.all():
        return interactions
    return _restricted(interactions, user_counts, in_core, items_in_core)


def _check(name: str, minimum: int) -> None:
    if minimum < 0:
        raise OptionError(f"{name} {minimum} is negative; give the least number of interactions to have, such as 5")


def _core_counts(interactions: Interactions, min_user: int, min_item: int) -> tuple[Int64Array, Int64Array]:
    """Return the interactions of each user and item in the core; below the minimum means not in it."""
    item_indptr = np.empty(interactions.n_items + 1, dtype=np.int64)
    users = np.empty(interactions.n_interactions, dtype=np.int32)
    kernel.transpose(interactions.indptr, interactions.indices, item_indptr, users)
    user_counts, item_counts = np.diff(interactions.indptr), np.diff(item_indptr)
    kernel.peel(
        interactions.indptr, interactions.indices, item_indptr, users, min_user, min_item, user_counts, item_counts
    )
    return user_counts, item_counts


def _restricted(
    interactions: Interactions,
    user_counts: Int64Array,
    in_core: BoolArray,  # (n_users,)
    items_in_core: BoolArray,  # (n_items,)
) -> Interactions:
    """Return the core with vocabularies and indices of its own."""
    indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(user_counts[in_core])])
    item_ranks = np.where(items_in_core, np.cumsum(items_in_core) - 1, -1).astype(np.int32)
    indices = np.empty(indptr[-1], dtype=np.int32)
    times = interactions.timestamps
    core_times = _NO_TIMES if times is None else np.empty(len(indices), dtype=np.float64)
    kernel.keep_core(
        interactions.indptr, interactions.indices, _NO_TIMES if times is None else times, in_core, item_ranks, indices,
        core_times,
    )  # fmt: skip
    return Interactions(
        Vocabulary(interactions.users.ids[in_core]),
        Vocabulary(interactions.items.ids[items_in_core]),
        indptr,
        indices,
        None if times is None else core_times,
    )
