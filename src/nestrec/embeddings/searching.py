"""Searches of a model's items: by its search config, reranked, or with a penalty on popular items."""

from __future__ import annotations

from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from nestrec.arguments import check_range
from nestrec.arrays import Float32Array
from nestrec.embeddings.base import ModelParts
from nestrec.reranking.catalogue import Catalogue
from nestrec.reranking.reranker import Reranker, apply_reranker, check_reranker
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.id_lookup import LookedUp
from nestrec.retrieval.item_filters import ItemFilters
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.request import check_k, check_result_size
from nestrec.retrieval.retriever import Retriever
from nestrec.retrieval.search import search_items

_STRONGEST = 1_000_000


class ListOptions(NamedTuple):
    """How lists are chosen: the options that `recommend` and `recommend_for` have in common, filters aside."""

    k: int
    width: int | None
    exclude_seen: bool
    rerank: Reranker | None
    popularity_penalty: float
    exact: bool
    threads: int | None


class SearchMethods(ModelParts):
    """Find the best items of query vectors."""

    def _search(
        self,
        queries: LookedUp,
        vectors: Float32Array,  # (n_rows, embedding_size)
        histories: ItemLists,  # of the same rows
        filters: ItemFilters,
        options: ListOptions,
    ) -> Ranking:
        """Return the answers of queries, which are rows of the vectors."""
        k, width, penalty, choose = check_k(options.k), options.width, options.popularity_penalty, None
        wanted = k
        if options.rerank is not None:
            rerank = check_reranker(options.rerank)
            wanted = max(k, min(self.n_items, k * rerank.candidates))
            own = histories.select(queries.rows)
            choose = partial(apply_reranker, rerank, k=k, histories=own, catalogue=self._catalogue)
        check_result_size(wanted, len(queries.rows), self.n_items)
        check_range("popularity_penalty", penalty, 0, _STRONGEST, 0.1)
        if penalty:
            retriever, vectors = self._penalize_popularity(penalty, vectors[queries.rows], width)
            histories = histories.select(queries.rows)
            queries = queries._replace(rows=np.arange(len(queries.rows), dtype=np.int32))
        else:
            retriever = self.retriever(width, k=wanted, exact=options.exact, n_queries=len(queries.rows))
        return search_items(
            retriever,
            queries,
            vectors,
            self.items,
            wanted,
            excluded=histories if options.exclude_seen else None,
            filters=filters,
            item_table=self.item_table,
            choose=choose,
            threads=options.threads,
        )

    def _penalize_popularity(
        self, strength: float, vectors: Float32Array, width: int | None
    ) -> tuple[Retriever, Float32Array]:
        """Return a full scan, and queries, in one dimension more: minus the penalty for items, 1 for queries."""
        size = self._width(width)
        penalties = -strength * np.log1p(np.bincount(self.seen.indices, minlength=self.n_items))
        items = np.column_stack([self.item_embeddings[:, :size], penalties]).astype(np.float32)
        queries = np.column_stack([vectors[:, :size], np.ones(len(vectors), dtype=np.float32)]).astype(np.float32)
        return FullScan(items, size + 1), queries

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self.item_embeddings, self.widths, self.item_table)
