"""A plain reading of the protocol, one user at a time: the oracle of the fast path."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.widths import Widths


def plain_metrics(ranked: Sequence[int], relevant: Collection[int], k: int) -> dict[str, float]:
    """Return the six metrics of one user's list, item by item."""
    hits = 0
    gain = precisions = first = 0.0
    for rank, item in enumerate(ranked[:k], start=1):
        if item in relevant:
            hits += 1
            gain += 1 / math.log2(rank + 1)
            precisions += hits / rank
            first = first or 1 / rank
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return {
        f"recall@{k}": hits / len(relevant),
        f"ndcg@{k}": gain / ideal,
        f"precision@{k}": hits / k,
        f"hit_rate@{k}": float(hits > 0),
        f"mrr@{k}": first,
        f"map@{k}": precisions / len(relevant),
    }


def plain_list(scores: npt.NDArray[np.float32], seen: Collection[int]) -> list[int]:
    """Rank all unseen items: higher score first, then lower index."""
    return sorted((item for item in range(len(scores)) if item not in seen), key=lambda item: (-scores[item], item))


def interactions(
    pairs: Mapping[str, Sequence[str]], users: Sequence[str] = (), items: Sequence[str] = ()
) -> Interactions:
    """Build interactions from a user's items, by name; `users` and `items` add ids without interactions."""
    user_ids = Vocabulary.from_ids([*pairs, *users])
    item_ids = Vocabulary.from_ids([*(item for row in pairs.values() for item in row), *items])
    rows = [
        np.sort(item_ids.index_of(list(pairs.get(str(user), ())) or np.zeros(0, np.int64))) for user in user_ids.ids
    ]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Interactions(user_ids, item_ids, indptr, np.concatenate([np.zeros(0, np.int32), *rows]).astype(np.int32))


def random_rows(rng: np.random.Generator, n_users: int, n_items: int, share: float) -> list[list[int]]:
    """Return the items of each user, each with this chance."""
    return [np.flatnonzero(rng.random(n_items) < share).tolist() for _ in range(n_users)]


def csr(rows: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Return indptr and indices of rows of items."""
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return indptr, np.array([item for row in rows for item in row], dtype=np.int32)


def numbered(rows: Sequence[Sequence[int]], n_items: int) -> Interactions:
    """Return interactions whose ids are the row and column numbers."""
    return Interactions(Vocabulary(np.arange(len(rows))), Vocabulary(np.arange(n_items)), *csr(rows))


def whole_number_model(rng: np.random.Generator, seen: Interactions, widths: Sequence[int]) -> NestedEmbeddings:
    """Return a model with products that are exact and often equal."""
    users, items = (rng.integers(-2, 3, size=(n, widths[-1])).astype(np.float32) for n in (seen.n_users, seen.n_items))
    return NestedEmbeddings(users, items, Widths(widths), seen.users, seen.items, seen)
