"""Full-ranking evaluation on arrays: rank all unseen items for every user at every width, then reduce to metrics.

Users are ranked in blocks of a few thousand, so that memory for lists is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.evaluation.beyond_accuracy import count_lists
from nestrec.evaluation.held_out import HeldOut
from nestrec.evaluation.metric_registry import AccuracyMetric, load_accuracy_metrics
from nestrec.evaluation.metrics import Hits, user_values
from nestrec.evaluation.rank_widths import rank_widths
from nestrec.item_similarities import ItemSimilarities
from nestrec.parallel.slices import position_slices
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.width_scan import StopCheck

Progress = Callable[[int, int], None]  # users ranked, users to rank

_USERS_AT_ONCE = 8192
_LISTED_AT_ONCE = 1 << 24  # items in the lists of so many users, at all widths


Lists = Iterator[tuple[slice, Int32Array]]
"""Blocks of `HeldOut.known` and their users' lists of unseen items, (n_widths, n, k), padded with -1."""


def rank_embeddings(
    user_embeddings: Float32Array,  # (n_users, >= widest)
    item_embeddings: Float32Array,  # (n_items, >= widest)
    widths: tuple[int, ...],  # ascending
    seen_indptr: Int64Array,  # (n_users + 1,)
    seen_indices: Int32Array,
    held: HeldOut,
    k: int,
    threads: int | None,
    check_stop: StopCheck | None = None,  # called now and then, by any thread; what it raises ends the ranking
) -> Lists:
    """Yield the lists of nested embeddings."""
    arrays = user_embeddings, item_embeddings, widths, seen_indptr, seen_indices
    for block in _split_users(held, max(1, min(_USERS_AT_ONCE, _LISTED_AT_ONCE // (k * len(widths))))):
        yield block, rank_widths(*arrays, held.user_index[block], k, threads, check_stop)


def rank_similarities(model: ItemSimilarities, held: HeldOut, k: int, threads: int | None) -> Lists:
    """Yield the lists of an item-to-item model, as those of one width."""
    for block in _split_users(held, _USERS_AT_ONCE):
        yield block, model.top_items(held.user_index[block], k, resolve_threads(threads))[np.newaxis]


def _split_users(held: HeldOut, size: int) -> Iterator[slice]:
    return (slice(first, last) for first, last in position_slices(len(held.known), size))


class Results(NamedTuple):
    """Ranked lists reduced to values per user and counts per item."""

    per_user: Float32Array  # (n_widths, n_users, n_labels), columns by cutoff, then by metric
    n_lists: Int64Array  # (n_widths, n_cutoffs, n_items) lists, cut there, that contain the item


def score_lists(
    lists: Lists,
    shape: tuple[int, int],  # n_widths, n_items
    held: HeldOut,
    metrics: Sequence[AccuracyMetric],
    cutoffs: tuple[int, ...],
    progress: Progress | None,
) -> Results:
    """Return metrics per user and list counts per item."""
    (n_widths, n_items), functions = shape, [metric.function for metric in metrics]
    per_user = np.zeros((n_widths, len(held.n_relevant), len(cutoffs) * len(functions)), dtype=np.float32)
    n_lists = np.zeros((n_widths, len(cutoffs), n_items), dtype=np.int64)
    for block, by_width in lists:
        for level, ranked in enumerate(by_width):
            per_user[level, held.known[block]] = user_values(_find_hits(held, block, ranked), functions, cutoffs)
            for position, k in enumerate(cutoffs):
                n_lists[level, position] += count_lists(ranked, k, n_items)
        if progress is not None:
            progress(block.stop, len(held.known))
    return Results(per_user, n_lists)


def _find_hits(held: HeldOut, block: slice, ranked: Int32Array) -> Hits:
    indptr = held.indptr[block.start : block.stop + 1]
    return Hits.of(ranked, indptr, held.indices, held.n_relevant[held.known[block]])


def evaluate_arrays(  # noqa: PLR0913 - arrays of a model, and options
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
    held = HeldOut.of_rows(held_indptr, held_indices)
    known = load_accuracy_metrics()
    columns = [(f"{name}@{k}", known[name].function, k) for k in cutoffs for name in metrics]
    sums: list[dict[str, float]] = [dict.fromkeys((label for label, _, _ in columns), 0.0) for _ in widths]
    lists = rank_embeddings(
        user_embeddings, item_embeddings, widths, seen_indptr, seen_indices, held, max(cutoffs), threads, check_stop
    )
    for block, by_width in lists:
        for level, ranked in enumerate(by_width):
            hits = _find_hits(held, block, ranked)
            for label, function, k in columns:
                sums[level][label] += float(function(hits, k).sum())
    return [{label: total / len(held.n_relevant) for label, total in level.items()} for level in sums]
