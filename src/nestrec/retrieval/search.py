"""The best k of one width, named: rows of the model in, a `Ranking` of ids out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array
from nestrec.data.ids import IdArray
from nestrec.data.vocabulary import Vocabulary
from nestrec.retrieval.full_scan import Retriever
from nestrec.retrieval.id_lookup import Found
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.request import checked_k
from nestrec.retrieval.top_k import Exclusions, top_k

_PAIRS_AT_ONCE = 65_536  # bounds the copies of their vectors
_NO_IDS = np.zeros(0, dtype=np.int64)


class Side(NamedTuple):
    """Users or items: their vectors and their names."""

    vectors: Float32Array  # (n, >= width)
    vocabulary: Vocabulary


def best(
    asked: Found,
    queries: Float32Array,  # (n_rows, >= width); asked.rows are rows of it
    answers: Side,
    width: int,
    k: int,
    *,
    excluded: Exclusions | None = None,  # rows of the answers, by row of the queries
    allowed: Found | None = None,
    cosine: bool = False,
    threads: int | None = None,
) -> Ranking:
    """Rank all the answers for the rows asked for; raise OptionError for a k below 1."""
    wanted = checked_k(k)
    candidates = None if allowed is None else allowed.rows
    n_candidates = len(answers.vectors) if candidates is None else len(candidates)
    found = top_k(
        queries,
        answers.vectors,
        (width,),
        min(wanted, n_candidates),
        rows=asked.rows,
        candidates=candidates,
        excluded=excluded,
        cosine=cosine,
        threads=threads,
    )
    ids, scores = _named(found.items[:, 0], found.scores[:, 0], answers.vocabulary, None if asked.single else wanted)
    return Ranking(ids, scores, asked.ids, asked.skipped, _NO_IDS if allowed is None else allowed.skipped)


def found_by(
    retriever: Retriever,
    asked: Found,
    queries: Float32Array,  # (n_rows, >= width); asked.rows are rows of it
    vocabulary: Vocabulary,  # of the answers
    k: int,
    *,
    excluded: Exclusions | None = None,  # rows of the answers, by row of the queries
    allowed: Found | None = None,
    threads: int | None = None,
) -> Ranking:
    """Let a retriever find the answers for the rows asked for."""
    shown = min(k, retriever.n_items)
    barred = None if excluded is None else Exclusions(*excluded.of(asked.rows))
    allow = None if allowed is None else allowed.rows
    found = retriever.search(queries[asked.rows], shown, barred, allow=allow, threads=threads)
    ids, scores = _named(found.items, found.scores, vocabulary, None if asked.single else k)
    return Ranking(ids, scores, asked.ids, asked.skipped, _NO_IDS if allowed is None else allowed.skipped)


def pair_scores(
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


def each_itself(n_rows: int) -> Exclusions:
    """Exclude from every row that row: nothing is its own neighbour."""
    return Exclusions(np.arange(n_rows + 1, dtype=np.int64), np.arange(n_rows, dtype=np.int32))


def _named(
    rows: Int32Array,  # (n_queries, n) -1 where nothing is left
    scores: Float32Array,
    vocabulary: Vocabulary,
    k: int | None,  # columns to fill up to; None: a single query, nothing is filled up
) -> tuple[IdArray, Float32Array]:
    if k is None:
        left = rows.ravel() >= 0
        return vocabulary.ids_at(rows.ravel()[left]), scores.ravel()[left]
    if rows.shape[1] < k:
        missing = ((0, 0), (0, k - rows.shape[1]))
        rows, scores = np.pad(rows, missing, constant_values=-1), np.pad(scores, missing, constant_values=-np.inf)
    ids = vocabulary.ids_at(np.maximum(rows, 0))
    ids[rows < 0] = _filling(vocabulary)
    return ids, scores


def _filling(vocabulary: Vocabulary) -> int | str:
    if vocabulary.ids.dtype.kind == "T":
        return ""
    return -1 if vocabulary.index_of(-1) < 0 else int(np.iinfo(np.int64).min)
