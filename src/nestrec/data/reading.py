"""Read interactions from a file or a Python table, with a report of every row.

Text is split by compiled code that knows the line of every row; Parquet and tables are read through duckdb. Rows come
in batches: ids are indexed in order of appearance, pairs are buffered (in a temporary file, if many) and sorted into
rows at the end. Memory grows with distinct ids and the result, not with the file, and the result depends neither on the
order of the rows nor on the number of threads.
"""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from nestrec.arguments import check_keywords, name_group
from nestrec.data.dislikes import with_dislikes
from nestrec.data.filters import k_core
from nestrec.data.id_index import IdIndex
from nestrec.data.interactions import Interactions
from nestrec.data.pair_weights import WeightRule
from nestrec.data.pairs import PairStore, RepeatRule
from nestrec.data.read_options import ReadOptions
from nestrec.data.read_report import ReadReport, format_count
from nestrec.data.readers.batch import Batch, Reader, read_usable_batches
from nestrec.data.readers.open_reader import open_reader
from nestrec.data.rejections import (
    BAD_WEIGHT,
    BELOW_CORE,
    BELOW_MIN_RATING,
    DISLIKED,
    REMEDY_OPTIONS,
    REPEATED,
    RejectionLog,
)
from nestrec.errors import DataError

__all__ = ["Progress", "ReadOptions", "ReadReport", "read_interactions"]


class Progress(Protocol):
    """Callback that receives the progress of a reading."""

    def __call__(self, done: int, total: int | None) -> None:
        """Take bytes or rows read, and how many there are where that is known."""
        ...


@dataclass
class _Collected:
    """Ids, pairs and rows read so far."""

    users: IdIndex
    items: IdIndex
    pairs: PairStore
    n_rows: int = 0


@name_group("options", ReadOptions)
@check_keywords
def read_interactions(
    source: object, *, options: ReadOptions | None = None, progress: Progress | None = None
) -> Interactions:
    """Return the distinct interactions of a source, with the report of its rows as `report`.

    `source` is a path (CSV, TSV, RecBole's TSV, JSON lines, adjacency text, Parquet; plain, .gz or .zst), a scipy
    sparse matrix, any table that speaks the Arrow C stream, or a dictionary of columns. Raises DataError where it
    cannot be read or leaves nothing, and OptionError where an option does not fit it.

    >>> from scipy.sparse import csr_array
    >>> interactions = read_interactions(csr_array([[5, 0, 1], [0, 0, 2]]))
    >>> interactions.n_users, interactions.items.ids.tolist(), interactions.report.n_kept
    (2, [0, 2], 3)
    """
    options = options or ReadOptions()
    reader, name = open_reader(source, options)
    rejections = RejectionLog(name, strict=options.strict)
    rule = _choose_repeat_rule(options)
    with_times, memory = "timestamp" in reader.columns, options.memory_limit_mb * 500_000
    with (
        closing(reader),
        PairStore(memory, with_times=with_times, rule=rule, weights=_choose_weight_rule(options)) as store,
        PairStore(memory // 2, with_times=with_times) as disliked_store,
    ):
        collected = _Collected(IdIndex(), IdIndex(), store)
        disliked = _Collected(IdIndex(), IdIndex(), disliked_store)
        _read_all(reader, collected, disliked, rejections, options, progress)
        _check_anything(name, collected, rejections, collected.pairs.n_pairs)
        interactions = _build_interactions(collected, options)
        dislikes = _build_interactions(disliked, options) if disliked_store.n_pairs else None
    rejections.count(REPEATED, collected.pairs.n_pairs - collected.pairs.n_distinct)
    if rule is not None and rule.uses_ratings:
        rejections.count(BELOW_MIN_RATING, collected.pairs.n_distinct - interactions.n_interactions)
        _check_anything(name, collected, rejections, interactions.n_interactions)
        interactions = k_core(interactions, 0, 0)  # without the users and items of which no pair is left
    notes = [*reader.notes, *_describe_decimal_ids(collected)]
    interactions = _apply_k_core(name, interactions, rejections, options)
    if dislikes is not None:
        interactions = with_dislikes(interactions, dislikes)
        notes += _describe_dislikes(interactions, dislikes.n_interactions)
    return replace(
        interactions, report=_build_report(name, reader, collected.n_rows, interactions, rejections, notes), check=False
    )


def _choose_repeat_rule(options: ReadOptions) -> RepeatRule | None:
    """Return the rule that needs all rows of a pair; the default, by which any rating counts, decides row by row."""
    if options.repeats in (None, "max") or (options.repeats == "last" and options.min_rating is None):
        return None
    return RepeatRule(options.repeats or "", options.min_rating)


def _choose_weight_rule(options: ReadOptions) -> WeightRule | None:
    """Return how values of rows become weights of pairs; None without weights."""
    if not options.has_weights:
        return None
    return WeightRule(options.half_life, options.weight_transform, options.repeats or "sum")


def _read_all(
    reader: Reader,
    collected: _Collected,
    disliked: _Collected,
    rejections: RejectionLog,
    options: ReadOptions,
    progress: Progress | None,
) -> None:
    min_rating = options.min_rating if _choose_repeat_rule(options) is None else None
    with ThreadPoolExecutor(1) as threads:
        pool = threads if options.n_threads > 1 else None
        for batch in read_usable_batches(reader, rejections):
            collected.n_rows += batch.n_read
            left = _take_dislikes(batch, options.dislike_below, disliked, rejections)
            left = _drop_rated_below(left, min_rating, rejections)
            _add(_weigh(left, options, rejections), collected, pool)
            if progress is not None:
                progress(*reader.progress())


def _take_dislikes(batch: Batch, bound: float | None, disliked: _Collected, rejections: RejectionLog) -> Batch:
    """Move the rows rated below the bound to the dislikes."""
    if bound is None or batch.ratings is None:
        return batch
    low = batch.ratings < bound
    if not low.any():
        return batch
    rejections.count(DISLIKED, int(np.count_nonzero(low)))
    _add(batch.select(low), disliked, None)
    return batch.select(~low)


def _weigh(batch: Batch, options: ReadOptions, rejections: RejectionLog) -> Batch:
    """Give rows the values that their weights are made of; leave out those that are not above 0."""
    if not options.has_weights:
        return batch
    values = batch.ratings if options.rating_weights else batch.weights
    if values is None:
        return replace(batch, weights=np.ones(len(batch.users)))
    bad = ~(values > 0)
    rejections.reject_rows(BAD_WEIGHT, bad, batch.format_place, lambda row: f"{values[row]:g}")
    batch = replace(batch, weights=values)
    return batch.select(~bad) if bad.any() else batch


def _drop_rated_below(batch: Batch, min_rating: float | None, rejections: RejectionLog) -> Batch:
    """Leave out the rows rated below the minimum."""
    if min_rating is None or batch.ratings is None:
        return batch
    enough = batch.ratings >= min_rating
    rejections.count(BELOW_MIN_RATING, int(np.count_nonzero(~enough)))
    return batch.select(enough)


def _add(batch: Batch, collected: _Collected, pool: Executor | None) -> None:
    """Keep the pairs; number users and items at the same time where there is a thread for it."""
    if batch.bare_users is not None:
        collected.users.add(batch.bare_users)
    if pool is None:
        users, items = collected.users.add(batch.users), collected.items.add(batch.items)
    else:
        waiting = pool.submit(collected.users.add, batch.users)
        items = collected.items.add(batch.items)
        users = waiting.result()
    collected.pairs.add(users, items, batch.times, batch.ratings, batch.weights)


def _check_anything(name: str, collected: _Collected, rejections: RejectionLog, n_left: int) -> None:
    if collected.n_rows == 0:
        raise DataError(f"{name} has no rows of interactions (a header at most); give a file with data")
    if n_left == 0:
        message = f"{name}: of {format_count(collected.n_rows, 'row')} none can be used: {rejections.summary()}"
        raise DataError(message, mentions=REMEDY_OPTIONS)


def _build_interactions(collected: _Collected, options: ReadOptions) -> Interactions:
    users, user_ranks = collected.users.finish()
    items, item_ranks = collected.items.finish()
    indptr, indices, times = collected.pairs.rows(user_ranks, item_ranks, options.n_threads)
    times = times if options.keep_timestamps else None
    return Interactions(users, items, indptr, indices, times, weights=collected.pairs.weights)


def _apply_k_core(
    name: str, interactions: Interactions, rejections: RejectionLog, options: ReadOptions
) -> Interactions:
    by_user, by_item = options.min_user_interactions, options.min_item_interactions
    if by_user == by_item == 0:
        return interactions
    try:
        result = k_core(interactions, by_user, by_item)
    except DataError as error:
        raise DataError(f"{name}: {error}", mentions=error.mentions) from error
    rejections.count(BELOW_CORE, interactions.n_interactions - result.n_interactions)
    return result


def _build_report(
    name: str, reader: Reader, n_rows: int, interactions: Interactions, rejections: RejectionLog, notes: list[str]
) -> ReadReport:
    examples = {reason: shown for reason, shown in rejections.examples.items() if shown}
    return ReadReport(
        source=name, format=reader.format, columns=reader.columns, n_rows=n_rows, n_kept=interactions.n_interactions,
        rejected=rejections.counts, examples=examples, n_users=interactions.n_users, n_items=interactions.n_items,
        notes=[*notes, *_describe_unusual(interactions)], training_notes=_describe_obstacles(interactions),
    )  # fmt: skip


def _describe_dislikes(interactions: Interactions, n_read: int) -> list[str]:
    """Say how many dislikes are kept, and why the others are not."""
    dislikes = interactions.dislikes
    if dislikes is None:
        return []
    n_users = int(np.count_nonzero(np.diff(dislikes.indptr)))
    kept = f"{format_count(dislikes.n_interactions, 'dislike')} of {format_count(n_users, 'user')} kept as negatives"
    n_lost = n_read - dislikes.n_interactions
    why = "of users or items without interactions, or of pairs that are interactions"
    return [kept + (f"; {n_lost:,} left out: {why}" if n_lost else "")]


def _describe_decimal_ids(collected: _Collected) -> list[str]:
    """Say where ids written as floats were read as whole numbers."""
    examples = (("user", collected.users.decimal_example), ("item", collected.items.decimal_example))
    return [
        f"{role} ids written as floats, such as {example!r}, are read as whole numbers"
        for role, example in examples
        if example is not None
    ]


def _describe_unusual(interactions: Interactions) -> list[str]:
    """Say what is allowed here and yet likely to surprise later."""
    bare = int(np.count_nonzero(np.diff(interactions.indptr) == 0))
    notes = [f"{format_count(bare, 'user')} without interactions"] if bare else []
    return notes + _describe_sequences(interactions)


def _describe_obstacles(interactions: Interactions) -> list[str]:
    """Say from what a model could learn nothing."""
    complete = int(np.count_nonzero(np.diff(interactions.indptr) == interactions.n_items))
    notes = []
    if interactions.n_users == 1:
        notes.append("there is only one user: nothing can be learnt from how users differ")
    if interactions.n_items == 1:
        notes.append("there is only one item: nothing can be ranked")
    if complete and interactions.n_items > 1:
        users = format_count(complete, "user")
        notes.append(f"{users} interacted with every item: no item is left as a negative there")
    return notes


def _describe_sequences(interactions: Interactions) -> list[str]:
    """Say where most item ids have blanks inside, as those of sequences in a cell have."""
    ids = [str(item) for item in interactions.items.ids[:1_000].tolist()]
    with_blanks = [item for item in ids if " " in item]
    if 2 * len(with_blanks) <= len(ids):
        return []
    example = with_blanks[0][:60] + "…" * (len(with_blanks[0]) > 60)
    where = "where a cell holds several items, read each as one interaction with sequence (--sequence)"
    return [f"most item ids contain blanks, such as {example!r}: {where}"]
