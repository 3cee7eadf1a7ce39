"""Full-ranking evaluation on arrays: rank all unseen items for every user at every width, then reduce to metrics.

Users are ranked in blocks of a few thousand, so that memory for lists is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.evaluation.beyond_accuracy import count_lists
from nestrec.evaluation.held_out import HeldOut
from nestrec.evaluation.metric_registry import AccuracyMetric, load_accuracy_metrics
from nestrec.evaluation.metrics import Hits, user_values
from nestrec.evaluation.rank_widths import rank_widths
from nestrec.item_similarities import ItemSimilarities
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.width_scan import StopCheck

Progress = Callable[[int, int], None]  # users ranked, users to rank

_USERS_AT_ONCE = 8192
_LISTED_AT_ONCE = 1 << 24  # items in the lists of so many users, at all widths


class Ranked(Protocol):
    """A model that can rank all unseen items for users."""

    @property
    def n_items(self) -> int:
        """Items to rank."""

    @property
    def n_widths(self) -> int:
        """Lists per user."""

    def lists(
        self, held: HeldOut, k: int, threads: int | None, check_stop: StopCheck | None = None
    ) -> Iterator[tuple[slice, Int32Array]]:
        """Yield a slice of held.known and these users' lists of unseen items, (n_widths, n, k), padded with -1.

        `check_stop` is called now and then, by any thread; what it raises ends the ranking.
        """


class Model(NamedTuple):
    """The arrays of a model needed for ranking."""

    user_embeddings: Float32Array  # (n_users, >= widest)
    item_embeddings: Float32Array  # (n_items, >= widest)
    widths: tuple[int, ...]  # ascending; those to evaluate
    seen_indptr: Int64Array  # (n_users + 1,)
    seen_indices: Int32Array

    @property
    def n_items(self) -> int:
        """Rows of the item matrix."""
        return len(self.item_embeddings)

    @property
    def n_widths(self) -> int:
        """Lists per user."""
        return len(self.widths)

    def lists(
        self, held: HeldOut, k: int, threads: int | None, check_stop: StopCheck | None = None
    ) -> Iterator[tuple[slice, Int32Array]]:
        """Yield a slice of held.known and these users' lists, (n_widths, n, k)."""
        size = max(1, min(_USERS_AT_ONCE, _LISTED_AT_ONCE // (k * self.n_widths)))
        for start in range(0, len(held.known), size):
            block = slice(start, min(start + size, len(held.known)))
            yield block, rank_widths(*self, held.user_index[block], k, threads, check_stop)


class SimilarityLists(NamedTuple):
    """An item-to-item model, whose users have one list each."""

    model: ItemSimilarities

    @property
    def n_items(self) -> int:
        """Items to rank."""
        return self.model.n_items

    @property
    def n_widths(self) -> int:
        """Lists per user."""
        return 1

    def lists(
        self, held: HeldOut, k: int, threads: int | None, check_stop: StopCheck | None = None
    ) -> Iterator[tuple[slice, Int32Array]]:
        """Yield a slice of held.known and these users' lists, (1, n, k)."""
        for start in range(0, len(held.known), _USERS_AT_ONCE):
            block = slice(start, min(start + _USERS_AT_ONCE, len(held.known)))
            if check_stop is not None:
                check_stop()
            yield block, self.model.top_items(held.user_index[block], k, resolve_threads(threads))[np.newaxis]


class Results(NamedTuple):
    """Ranked lists reduced to values per user and counts per item."""

    per_user: Float32Array  # (n_widths, n_users, n_labels), columns by cutoff, then by metric
    n_lists: Int64Array  # (n_widths, n_cutoffs, n_items) lists, cut there, that contain the item


def rank_and_score(
    model: Ranked,
    held: HeldOut,
    metrics: Sequence[AccuracyMetric],
    cutoffs: tuple[int, ...],
    threads: int | None,
    progress: Progress | None,
) -> Results:
    """Rank all unseen items and return metrics per user and list counts per item."""
    n_items, n_widths, functions = model.n_items, model.n_widths, [metric.function for metric in metrics]
    per_user = np.zeros((n_widths, len(held.n_relevant), len(cutoffs) * len(functions)), dtype=np.float32)
    n_lists = np.zeros((n_widths, len(cutoffs), n_items), dtype=np.int64)
    for block, lists in model.lists(held, max(cutoffs), threads):
        for level, ranked in enumerate(lists):
            per_user[level, held.known[block]] = user_values(_find_hits(held, block, ranked), functions, cutoffs)
            for position, k in enumerate(cutoffs):
                n_lists[level, position] += count_lists(ranked, k, n_items)
        if progress is not None:
            progress(block.stop, len(held.known))
    return Results(per_user, n_lists)


def _find_hits(held: HeldOut, block: slice, ranked: Int32Array) -> Hits:
    indptr = held.indptr[block.start : block.stop + 1]
    return Hits.of(ranked, indptr, held.indices, held.n_relevant[held.known[block]])


def evaluate_arrays(
    user_embeddings: Float32Array,  # (n_users, >= widest) float32
    item_embeddings: Float32Array,  # (n_items, >= widest) float32
    widths: tuple[int, ...],  # ascending
    seen_indptr: Int64Array,  # (n_users + 1,) of the training interactions
    seen_indices: Int32Array,
    held_indptr: Int64Array,  # (n_users + 1,) of the held-out interactions, same rows and columns
    held_indices: Int32Array,  # ascending in a row
    *,
    metrics: tuple[str, ...] = ("recall", "ndcg"),
    cutoffs: tuple[int, ...] = (20,),
    threads: int | None = None,
    check_stop: StopCheck | None = None,
) -> list[dict[str, float]]:
    """Return the means of metrics (`recall@20`, …) over users with held-out items, one dict per width.

    Used for early stopping. `check_stop` is called now and then, by any thread; what it raises ends the ranking. Raises
    DataError where nothing is held out or vectors are not finite.
    """
    model = Model(user_embeddings, item_embeddings, widths, seen_indptr, seen_indices)
    held = HeldOut.of_rows(held_indptr, held_indices)
    known = load_accuracy_metrics()
    columns = [(f"{name}@{k}", known[name].function, k) for k in cutoffs for name in metrics]
    sums: list[dict[str, float]] = [dict.fromkeys((label for label, _, _ in columns), 0.0) for _ in widths]
    for block, lists in model.lists(held, max(cutoffs), threads, check_stop):
        for level, ranked in enumerate(lists):
            hits = _find_hits(held, block, ranked)
            for label, function, k in columns:
                sums[level][label] += float(function(hits, k).sum())
    return [{label: total / len(held.n_relevant) for label, total in level.items()} for level in sums]
