"""Searches by id: rows of the model in, a `Ranking` of ids out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array
from nestrec.data.vocabulary import Vocabulary
from nestrec.item_table.item_table import ItemTable
from nestrec.kernels.search.selection import decode_items, decode_scores
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.id_lookup import LookedUp
from nestrec.retrieval.item_filters import ItemFilters
from nestrec.retrieval.item_lists import ItemLists, exclude_itself
from nestrec.retrieval.listed_items import rank_lists, select_candidates
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.request import Request, check_k, check_result_size, combine_filters
from nestrec.retrieval.retriever import Retriever
from nestrec.retrieval.top_k import top_k
from nestrec.retrieval.width_scan import scale_to_norm_1

_PAIRS_AT_ONCE = 65_536  # bounds the copies of their vectors
_NO_FILTERS = ItemFilters()


class Side(NamedTuple):
    """Users or items: their vectors and their ids."""

    vectors: Float32Array  # (n, >= width)
    vocabulary: Vocabulary


def search_neighbours(
    side: Side,
    queries: LookedUp,
    k: int,
    width: int,
    *,
    filters: ItemFilters = _NO_FILTERS,
    threads: int | None = None,
) -> Ranking:
    """Return the k rows of greatest cosine with each of the given rows of the same side, itself left out."""
    k, n = check_k(k), len(side.vectors)
    check_result_size(k, len(queries.rows), n)
    excluded = exclude_itself(queries.rows)
    if filters.deny_lists is not None:
        excluded = excluded.join(filters.deny_lists)
    allowed, asking = combine_filters(filters.allow, filters.deny, n), side.vectors[queries.rows, :width]
    if filters.allow_lists is None:
        candidates = None if allowed is None else np.flatnonzero(allowed).astype(np.int32)
        best = top_k(
            asking, side.vectors, width, k, candidates=candidates, excluded=excluded, cosine=True, threads=threads
        )
    else:
        request = Request(scale_to_norm_1(asking), k, excluded, allowed, filters.allow_lists)
        best = _find_neighbours_in_lists(request, side.vectors[:, :width], resolve_threads(threads))
    ranking = Ranking(*best, queries.ids, queries.skipped, filters.skipped)
    return _with_ids(ranking, side.vocabulary, single=queries.single)


def _find_neighbours_in_lists(request: Request, vectors: Float32Array, threads: int) -> tuple[Int32Array, Float32Array]:
    """Return the best of each query's allow-list by cosine; only vectors on some list are copied and scaled."""
    lists = select_candidates(request, len(vectors))
    listed, places = np.unique(lists.indices, return_inverse=True)
    local = lists._replace(indices=places.astype(np.int32))
    keys = rank_lists(request.queries, scale_to_norm_1(vectors[listed]), local, request.k, threads)
    found, scores = decode_items(keys), decode_scores(keys)
    return np.where(found < 0, found, np.append(listed, -1)[found]).astype(np.int32), scores


def search_items(  # noqa: PLR0913 - each is a choice of its own
    retriever: Retriever,
    queries: LookedUp,
    query_vectors: Float32Array,  # (n_rows, >= width)
    vocabulary: Vocabulary,  # of the items
    k: int,
    *,
    excluded: ItemLists | None = None,  # item indices, by row of the query vectors
    filters: ItemFilters = _NO_FILTERS,
    item_table: ItemTable | None = None,  # for the titles of the answers
    choose: Callable[[Ranking], Ranking] | None = None,  # makes the answers of item indices, best first
    threads: int | None = None,
) -> Ranking:
    """Return the k best items of the given rows, found by a retriever, or what is chosen of them."""
    own = ItemLists.empty(len(queries.rows)) if excluded is None else excluded.select(queries.rows)
    if filters.deny_lists is not None:
        own = own.join(filters.deny_lists)
    found = retriever.search(
        query_vectors[queries.rows], k, own,
        allow=filters.allow, deny=filters.deny, lists=filters.allow_lists, threads=threads,
    )  # fmt: skip
    ranking = Ranking(found.ids, found.scores, queries.ids, queries.skipped, filters.skipped, found.work, item_table)
    ranking = ranking if choose is None else choose(ranking)
    return _with_ids(ranking, vocabulary, single=queries.single)


def score_pairs(
    users: Float32Array,  # (n_users, >= width)
    items: Float32Array,  # (n_items, >= width)
    user_rows: Int32Array,  # (n,)
    item_rows: Int32Array,  # (n,)
    width: int,
) -> Float32Array:
    """Return the inner product of the prefixes of each pair, (n,)."""
    scores = np.empty(len(user_rows), dtype=np.float32)
    for start in range(0, len(scores), _PAIRS_AT_ONCE):
        pairs = slice(start, start + _PAIRS_AT_ONCE)
        scores[pairs] = np.vecdot(users[user_rows[pairs], :width], items[item_rows[pairs], :width])
    return scores


def _with_ids(ranking: Ranking, vocabulary: Vocabulary, *, single: bool) -> Ranking:
    """Replace indices by ids; cut padding from the list of a single query."""
    rows, scores = ranking.ids, ranking.scores
    if single:
        left = rows.ravel() >= 0
        return replace(ranking, ids=vocabulary.ids_at(rows.ravel()[left]), scores=scores.ravel()[left])
    ids = vocabulary.ids_at(np.maximum(rows, 0))
    ids[rows < 0] = _padding(vocabulary)
    return replace(ranking, ids=ids, scores=scores)


def _padding(vocabulary: Vocabulary) -> int | str:
    if vocabulary.ids.dtype.kind == "T":
        return ""
    return -1 if vocabulary.index_of(-1, unknown="mark") < 0 else int(np.iinfo(np.int64).min)
