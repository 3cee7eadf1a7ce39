"""Small interactions for tests of filters and splits, made from a table of user, item and time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary

Row = tuple[int, int, float]  # user id, item id, time


def from_rows(rows: list[Row], *, with_times: bool = True) -> Interactions:
    """Return interactions whose vocabularies are the ids that occur."""
    ordered = sorted({(user, item): time for user, item, time in rows}.items())
    users = Vocabulary.from_ids(np.array([user for (user, _), _ in ordered], dtype=np.int64))
    items = Vocabulary.from_ids(np.array([item for (_, item), _ in ordered], dtype=np.int64))
    user_index = users.index_of(np.array([user for (user, _), _ in ordered], dtype=np.int64))
    item_index = items.index_of(np.array([item for (_, item), _ in ordered], dtype=np.int64))
    sizes = np.bincount(user_index, minlength=len(users))
    indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes, dtype=np.int64)])
    times = np.array([time for _, time in ordered], dtype=np.float64) if with_times else None
    return Interactions(users, items, indptr, item_index.astype(np.int32), times)


def rows_of(interactions: Interactions) -> list[Row]:
    """Return user id, item id and time of each interaction, in order; time 0 where none is kept."""
    users = np.repeat(np.arange(interactions.n_users), np.diff(interactions.indptr))
    times = interactions.timestamps if interactions.timestamps is not None else np.zeros(len(users))
    return list(
        zip(
            interactions.users.ids_at(users).tolist(),
            interactions.items.ids_at(interactions.indices).tolist(),
            times.tolist(),
            strict=True,
        )
    )


def many(seed: int, n_users: int = 300, n_items: int = 200, n_draws: int = 6000) -> Interactions:
    """Return interactions of users of unequal activity, with times that repeat."""
    rng = np.random.default_rng(seed)
    users = (n_users * rng.random(n_draws) ** 2).astype(np.int64)
    items = (n_items * rng.random(n_draws) ** 2).astype(np.int64)
    times = rng.integers(0, 500, n_draws).astype(np.float64)
    return from_rows(list(zip(users.tolist(), items.tolist(), times.tolist(), strict=True)))


def shuffled_rows(interactions: Interactions, rng: np.random.Generator) -> list[Row]:
    """Return the same rows in another order."""
    rows = rows_of(interactions)
    order: npt.NDArray[np.int64] = rng.permutation(len(rows))
    return [rows[place] for place in order]


def row_lists(max_size: int = 60) -> st.SearchStrategy[list[Row]]:
    """Draw rows over few users, items and times, so that repeats and ties are common."""
    row = st.tuples(st.integers(0, 8), st.integers(100, 108), st.integers(0, 5).map(float))
    return st.lists(row, min_size=1, max_size=max_size)
