"""Cold users and cold items: those without training interactions, which get no vectors.

Splits keep the ids of both parts, so that an index means the same in each. `drop_cold` removes cold users and items
before training, and `restrict_to` maps held-out interactions to the rows and columns that are left.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import BoolArray, Int32Array
from nestrec.data.filters import select_users_and_items
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary


def drop_cold(interactions: Interactions) -> Interactions:
    """Return the interactions without cold users and items; the same object where there are none.

    >>> from scipy.sparse import csr_array
    >>> from nestrec import RandomSplit, read_interactions
    >>> interactions = read_interactions(csr_array([[1, 1, 1], [1, 1, 0]]))
    >>> train, _ = RandomSplit(0.4, seed=1).split(interactions)
    >>> train, drop_cold(train)
    (<Interactions: 2 users, 3 items, 3 interactions>, <Interactions: 2 users, 2 items, 3 interactions>)
    """
    interactions.check_indices()  # those of a large model's file were not read when it was loaded
    warm_users = np.diff(interactions.indptr) > 0
    warm_items = find_warm_items(interactions)
    if warm_users.all() and warm_items.all():
        return interactions
    return select_users_and_items(interactions, warm_users, warm_items)


def find_warm_items(interactions: Interactions) -> BoolArray:
    """Return for each item whether it has interactions, (n_items,)."""
    mask = np.zeros(interactions.n_items, dtype=np.bool_)
    mask[interactions.indices] = True
    return mask


def restrict_to(interactions: Interactions, users: Vocabulary, items: Vocabulary) -> Interactions:
    """Return the interactions and dislikes between these users and items, with their indices; drop all others."""
    if interactions.users is users and interactions.items is items:
        return interactions
    row_of = users.index_of(interactions.users.ids, unknown="mark")
    column_of = items.index_of(interactions.items.ids, unknown="mark")
    rows = np.repeat(row_of, np.diff(interactions.indptr))
    columns = column_of[interactions.indices]
    kept = (rows >= 0) & (columns >= 0)
    rows, columns = rows[kept], columns[kept]
    times = None if interactions.timestamps is None else interactions.timestamps[kept]
    weights = None if interactions.weights is None else interactions.weights[kept]
    if not (_ascends(row_of) and _ascends(column_of)):  # ids of text beside numbers have another order
        order = np.lexsort((columns, rows))
        rows, columns, times = rows[order], columns[order], None if times is None else times[order]
        weights = None if weights is None else weights[order]
    indptr = np.zeros(len(users) + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=len(users)), out=indptr[1:])
    dislikes = None if interactions.dislikes is None else restrict_to(interactions.dislikes, users, items)
    return Interactions(users, items, indptr, columns, times, weights=weights, dislikes=dislikes)


def _ascends(rows: Int32Array) -> bool:
    known = rows[rows >= 0]
    return bool(np.all(known[1:] > known[:-1]))
