"""Measure a search config on sampled users: recall against the full scan, latency of single queries, throughput."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array
from nestrec.embeddings import NestedEmbeddings
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.retriever import Retriever
from nestrec.retrieval.search_config import Measurements, SearchConfig

_BYTES = 4  # of a float32
_BATCH = 512  # queries; users are repeated where there are fewer
_BATCHES = 3  # of which the quickest counts


@dataclass(frozen=True, eq=False)
class Sample:
    """Queries of sampled users, the items they have seen, and the full scan's answers."""

    queries: Float32Array  # (n, embedding_size)
    excluded: ItemLists
    best: Int32Array  # (n, k)
    k: int
    threads: int

    @classmethod
    def draw_halves(
        cls, model: NestedEmbeddings, width: int, n: int, k: int, seed: int, threads: int | None
    ) -> tuple[Sample, Sample]:
        """Draw users without replacement: half to choose a search config with, half to check it.

        A model of a single user has no others.
        """
        rows = np.random.default_rng(seed).permutation(model.n_users)[:n]
        others = rows[1::2] if len(rows) > 1 else rows
        first, second = (cls.of_users(model, width, half, k, threads) for half in (rows[::2], others))
        return first, second

    @classmethod
    def of_users(
        cls, model: NestedEmbeddings, width: int, rows: npt.NDArray[np.integer], k: int, threads: int | None
    ) -> Sample:
        """Return the sample of these users."""
        queries = np.ascontiguousarray(model.user_embeddings[rows])
        excluded = ItemLists(model.seen.indptr, model.seen.indices).select(rows)
        best = FullScan(model.item_embeddings, width).search(queries, k, excluded, threads=threads).ids
        return cls(queries, excluded, best, k, resolve_threads(threads))

    def measure(self, config: SearchConfig, items: Float32Array, index: CoarseIndex | None) -> SearchConfig:
        """Return the config with its measurements."""
        retriever = config.retriever(items, index)
        ranking = retriever.search(self.queries, self.k, self.excluded, threads=self.threads)
        single = [self._time(retriever, np.array([row])) for row in range(len(self.queries))]
        p50, p99 = np.percentile(single, [50, 99])
        return config.with_measurements(
            self.k,
            Measurements(
                recall=recall(ranking.ids, self.best),
                p50_ms=float(1e3 * p50),
                p99_ms=float(1e3 * p99),
                users_per_second=self._throughput(retriever),
                bytes_per_item=_BYTES * config.width if index is None else index.nbytes / len(items),
                pruned=ranking.work.pruned,
                threads=self.threads,
            ),
        )

    def _throughput(self, retriever: Retriever) -> float:
        """Return users per second in a batch."""
        rows = np.resize(np.arange(len(self.queries)), max(len(self.queries), _BATCH))
        return len(rows) / min(self._time(retriever, rows) for _ in range(_BATCHES))

    def _time(self, retriever: Retriever, rows: npt.NDArray[np.integer]) -> float:
        """Return the seconds of a search."""
        queries, excluded = self.queries[rows], self.excluded.select(rows)
        started = time.perf_counter()
        retriever.search(queries, self.k, excluded, threads=self.threads)
        return time.perf_counter() - started


def recall(found: npt.NDArray[np.integer], best: Int32Array) -> float:
    """Return the mean share of each user's best items that were found; users with none left are left out."""
    pairs = [(got, wanted[wanted >= 0]) for got, wanted in zip(found, best, strict=True)]
    shares = [np.isin(wanted, got).mean() for got, wanted in pairs if len(wanted)]
    return float(np.mean(shares)) if shares else 1.0
