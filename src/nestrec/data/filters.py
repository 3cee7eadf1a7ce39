"""Filter users and items with few interactions: the k-core of the bipartite graph (Seidman 1983, two minima).

Removing an item can push a user below its minimum, which can push another item, and so on; the core is what remains at
the end of that, the same in whatever order it is done. A work queue touches each interaction once from either side, so
the time is linear; beyond the input the memory is that of the result (at first, the transposed pairs) and of counters.
"""

from __future__ import annotations

import numpy as np

from nestrec.arguments import require
from nestrec.arrays import BoolArray, Int64Array
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import select_interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError
from nestrec.kernels.data import k_core as kernel


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
    require(min_user_interactions >= 0, "min_user_interactions", "be at least 0", min_user_interactions)
    require(min_item_interactions >= 0, "min_item_interactions", "be at least 0", min_item_interactions)
    min_user, min_item = max(min_user_interactions, 1), max(min_item_interactions, 1)
    user_counts, item_counts = _core_counts(interactions, min_user, min_item)
    in_core, items_in_core = user_counts >= min_user, item_counts >= min_item
    if not in_core.any():
        raise DataError(
            f"no interaction is left where every user has at least {min_user_interactions} and every item at least "
            f"{min_item_interactions} (there were {interactions.n_interactions:,}); lower min_user_interactions or "
            "min_item_interactions",
            mentions=("min_user_interactions", "min_item_interactions"),
        )
    if in_core.all() and items_in_core.all():
        return interactions
    return select_users_and_items(interactions, in_core, items_in_core)


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


def select_users_and_items(
    interactions: Interactions,
    users: BoolArray,  # (n_users,) those that stay
    items: BoolArray,  # (n_items,) those that stay
) -> Interactions:
    """Return the interactions between some users and items, with vocabularies and indices of their own.

    So are their dislikes.
    """
    vocabularies = _select(interactions.users, users), _select(interactions.items, items)
    return _select_pairs(interactions, users, items, vocabularies)


def _select_pairs(
    interactions: Interactions, users: BoolArray, items: BoolArray, vocabularies: tuple[Vocabulary, Vocabulary]
) -> Interactions:
    kept = np.repeat(users, np.diff(interactions.indptr)) & items[interactions.indices]
    part = select_interactions(interactions, kept)
    indptr = np.append(part.indptr[:-1][users], part.indptr[-1:])
    ranks = np.cumsum(items, dtype=np.int32) - np.int32(1)
    dislikes = None if part.dislikes is None else _select_pairs(part.dislikes, users, items, vocabularies)
    return Interactions(
        *vocabularies, indptr, ranks[part.indices], part.timestamps, weights=part.weights, dislikes=dislikes
    )


def _select(vocabulary: Vocabulary, kept: BoolArray) -> Vocabulary:
    return vocabulary if kept.all() else Vocabulary(vocabulary.ids[kept])
