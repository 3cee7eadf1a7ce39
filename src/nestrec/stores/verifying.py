"""`verify`: ask a store for sampled users, and compare its lists with nestrec's own.

Scored exactly in all dimensions, the lists must be equal to those of a full scan: ids in the same order, where items of
equal score (up to the rounding of 32-bit sums) may change places, and equal scores. The search as it is used, with the
store's index, is compared with a two-stage search that scores every item in its first stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from nestrec.arrays import BoolArray, Float32Array, Float64Array, Int32Array
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, StoreError
from nestrec.field_docs import show_field_docs
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.top_k import top_k
from nestrec.stores.layout import describe_layout
from nestrec.stores.metadata import StoreMetadata
from nestrec.stores.model_rows import select_model_rows
from nestrec.stores.operating_points import exclude_seen, sample_users
from nestrec.stores.requests import Stage, make_stages
from nestrec.stores.store import Store
from nestrec.stores.write_plan import plan_writes

_ROUNDING = 64 * float(np.finfo(np.float32).eps)  # of a score, as a share of the product of norms
_SHOWN = 5  # users that a message names


@show_field_docs
@dataclass(frozen=True)
class VerifyReport:
    """How the lists of a store compare with nestrec's."""

    n_users: int
    """Users that were asked for."""
    different: tuple[Any, ...]
    """Users whose exact lists differ from those of a full scan."""
    recall: float
    """Share of the exact two-stage lists that the store's search returns."""
    worst: tuple[Any, ...]
    """Users of the lowest recall, below 1, lowest first."""
    widths: tuple[int, ...]
    """Widths of the stages."""
    shortlist: int
    """Candidates of the first stage."""
    n_stale: int
    """Rows that are missing in the store, that it should not have, or whose contents are others."""

    def check(self, min_recall: float) -> None:
        """Raise StoreError, which names users, where a list differs, a row is stale or the recall is too low."""
        if self.n_stale:
            raise StoreError(f"the store must hold the rows of the model, and {self.n_stale:,} differ; export it again")
        if self.different:
            raise StoreError(
                f"exact lists must equal nestrec's, and those of {len(self.different):,} of {self.n_users:,} users "
                f"differ: {_name(self.different)}; export the model again with overwrite=True",
                mentions=("overwrite=True",),
            )
        if self.recall < min_recall:
            raise StoreError(
                f"recall of the two-stage search must be {min_recall} or more, got {self.recall:.4f}; lowest for "
                f"{_name(self.worst)}; take a longer shortlist, or give the index more effort",
            )


def verify(model: NestedEmbeddings, store: Store, *, n_users: int = 100, k: int = 10, seed: int = 0) -> VerifyReport:
    """Ask a store for the lists of sampled users, seen items left out, and compare them with nestrec's own.

    Raises StoreError for a store without items, or one that holds none of this model.
    """
    if n_users < 1:
        raise OptionError(f"n_users must be 1 or more, got {n_users}", option="verify")
    metadata = store.metadata
    stages = make_stages(metadata, k, None, None)
    users = sample_users(model, n_users, seed)
    sample = _Sample.draw(model, users, metadata)
    vectors, lists = sample.queries, sample.excluded_ids()
    exact = store.search(vectors, k, widths=(metadata.layout.size,), exclude=lists, exact=True)
    differs = sample.compare(exact, k)
    recall = sample.measure_recall(store.search(vectors, k, exclude=lists), stages)
    order = np.argsort(recall, kind="stable")
    return VerifyReport(
        len(users),
        tuple(model.users.ids_at(users[differs]).tolist()),
        float(np.nanmean(recall)) if np.isfinite(recall).any() else 1.0,
        tuple(model.users.ids_at(users[order[recall[order] < 1]]).tolist()),
        tuple(stage.width for stage in stages),
        stages[0].limit,
        _count_stale(model, store),
    )


@dataclass(frozen=True, eq=False)
class _Sample:
    """Sampled users, and the items that a store should hold."""

    queries: Float32Array  # (n_users, size)
    vectors: Float32Array  # (n_items, size)
    items: Vocabulary
    seen: ItemLists  # positions among the items, by user

    @classmethod
    def draw(cls, model: NestedEmbeddings, users: Int32Array, metadata: StoreMetadata) -> _Sample:
        """Return the sample of these users and of the items of a store."""
        size = metadata.layout.size
        items = select_model_rows(model, "items", size, metadata.where).selected
        return cls(
            model.user_embeddings[users, :size],
            model.item_embeddings[items, :size],
            Vocabulary(model.items.ids_at(items)),
            exclude_seen(model, items, users),
        )

    def excluded_ids(self) -> list[list[Any]]:
        """Return the ids of the seen items of each user."""
        return [self.items.ids_at(rows).tolist() for rows in self._seen_rows()]

    def compare(self, found: Ranking, k: int) -> BoolArray:
        """Return whether each user's list differs from that of a full scan."""
        best, scores = top_k(self.queries, self.vectors, self.vectors.shape[1], k, excluded=self.seen)
        rows = zip(self.queries, best, scores, found.ids, found.scores, strict=True)
        return np.array([not self._agrees(*row) for row in rows], dtype=np.bool_)

    def measure_recall(self, found: Ranking, stages: tuple[Stage, ...]) -> Float64Array:
        """Return for each user the share of the exact list of these stages that was found; NaN for an empty one."""
        recall = np.full(len(self.queries), np.nan)
        for at, (user, seen) in enumerate(zip(self.queries, self._seen_rows(), strict=True)):
            expected = _search_exactly(user, self.vectors, seen, stages)
            rows = self._find(found.ids[at][found.scores[at] > -np.inf])
            if len(expected):
                recall[at] = np.isin(expected, rows).mean()
        return recall

    def _agrees(
        self, user: Float32Array, best: Int32Array, scores: Float32Array, found: Any, found_scores: Float32Array
    ) -> bool:
        """Tell whether a list found has the scores of the best items, and its items really have those scores."""
        n = int(np.count_nonzero(best >= 0))
        rows = self._find(found[found_scores > -np.inf])
        if len(rows) != n or (rows < 0).any() or len(set(rows.tolist())) != n:
            return False
        lengths = np.maximum(*(np.linalg.norm(self.vectors[some], axis=1) for some in (rows, best[:n])))
        own = self.vectors[rows].astype(np.float64) @ user.astype(np.float64)
        tolerance = _ROUNDING * lengths * np.linalg.norm(user)
        return all((np.abs(own - others) <= tolerance).all() for others in (scores[:n], found_scores[:n]))

    def _seen_rows(self) -> list[Int32Array]:
        return [self.seen.indices[start:end] for start, end in pairwise(self.seen.indptr.tolist())]

    def _find(self, ids: Any) -> Int32Array:
        """Return the position of each id, -1 for one that the store should not have."""
        return self.items.index_of(ids, unknown="mark")


def _search_exactly(
    user: Float32Array, vectors: Float32Array, seen: Int32Array, stages: tuple[Stage, ...]
) -> Int32Array:
    """Return the positions that a search of several stages finds, each stage exact; seen ones are left out first."""
    left = np.ones(len(vectors), dtype=np.bool_)
    left[seen] = False
    candidates = np.flatnonzero(left).astype(np.int32)
    for stage in stages:
        scores: Float64Array = vectors[candidates, : stage.width].astype(np.float64) @ user[: stage.width]
        candidates = candidates[np.argsort(-scores, kind="stable")[: stage.limit]]
    return candidates


def _count_stale(model: NestedEmbeddings, store: Store) -> int:
    """Return how many rows of the store differ from the model's."""
    metadata, n_stale = store.metadata, 0
    layout = metadata.layout
    if describe_layout(model, layout.sides, layout.widths, layout.quantize) != layout:
        return metadata.n_items + metadata.n_users
    for side in layout.sides:
        rows = select_model_rows(model, side, layout.size, metadata.where)
        plan = plan_writes(side, Vocabulary(rows.ids), rows.fingerprint(), store.read_rows(side))
        n_stale += plan.counts.n_writes
    return n_stale


def _name(users: tuple[Any, ...]) -> str:
    return ", ".join(map(repr, users[:_SHOWN])) + (", …" if len(users) > _SHOWN else "")
