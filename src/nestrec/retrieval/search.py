"""Searches by id: rows of the model in, a `Ranking` of ids out."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array
from nestrec.data.vocabulary import Vocabulary
from nestrec.retrieval.exclusions import Exclusions, exclude_itself
from nestrec.retrieval.id_lookup import Ids, ItemFilters, LookedUp, Unknown, look_up
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.request import check_k, check_result_size
from nestrec.retrieval.retriever import Retriever
from nestrec.retrieval.top_k import top_k

_PAIRS_AT_ONCE = 65_536  # bounds the copies of their vectors


class Side(NamedTuple):
    """Users or items: their vectors and their ids."""

    noun: str  # in errors
    vectors: Float32Array  # (n, >= width)
    vocabulary: Vocabulary


def search_neighbours(side: Side, ids: Ids, k: int, width: int, unknown: Unknown, threads: int | None) -> Ranking:
    """Return the k rows of greatest cosine with each of the given ids of the same side, itself left out."""
    vectors, queries, k = side.vectors, look_up(side.vocabulary, ids, side.noun, unknown), check_k(k)
    check_result_size(k, len(queries.rows), len(vectors))
    itself = exclude_itself(len(vectors))
    best = top_k(vectors, vectors, width, k, rows=queries.rows, excluded=itself, cosine=True, threads=threads)
    return _with_ids(Ranking(*best, queries.ids, queries.skipped), side.vocabulary, single=queries.single)


def search_items(
    retriever: Retriever,
    queries: LookedUp,
    query_vectors: Float32Array,  # (n_rows, >= width)
    vocabulary: Vocabulary,  # of the items
    k: int,
    *,
    excluded: Exclusions | None = None,  # item indices, by row of the query vectors
    filters: ItemFilters,
    threads: int | None = None,
) -> Ranking:
    """Return the k best items of the given rows, found by a retriever."""
    own = None if excluded is None else excluded.select(queries.rows)
    found = retriever.search(
        query_vectors[queries.rows], k, own, allow=filters.allow, deny=filters.deny, threads=threads
    )
    ranking = Ranking(found.ids, found.scores, queries.ids, queries.skipped, filters.skipped, found.work)
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
