"""Trying plans on sampled users: recall against the full scan, and the time of single questions and of many."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array
from nestrec.embeddings import NestedEmbeddings
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.full_scan import FullScan, Retriever
from nestrec.retrieval.search_config import Measurements, SearchConfig
from nestrec.retrieval.top_k import Exclusions

_BYTES = 4  # of a float32
_AT_ONCE = 512  # questions of a batch; users are repeated where there are fewer
_BATCHES = 3  # of which the quickest counts


@dataclass(frozen=True, eq=False)
class Sample:
    """Users who ask, what they may not get, and what a full scan answers."""

    queries: Float32Array  # (n, embedding_size)
    excluded: Exclusions
    best: Int32Array  # (n, k)
    k: int
    threads: int

    @classmethod
    def halves(
        cls, model: NestedEmbeddings, width: int, n: int, k: int, seed: int, threads: int | None
    ) -> tuple[Sample, Sample]:
        """Draw users without repetition: some to choose a plan with, others to see whether it holds.

        A model of a single user has no others.
        """
        rows = np.random.default_rng(seed).permutation(model.n_users)[:n]
        others = rows[1::2] if len(rows) > 1 else rows
        return cls.of(model, width, rows[::2], k, threads), cls.of(model, width, others, k, threads)

    @classmethod
    def of(
        cls, model: NestedEmbeddings, width: int, rows: npt.NDArray[np.integer], k: int, threads: int | None
    ) -> Sample:
        """Return what these users ask and should get."""
        queries = np.ascontiguousarray(model.user_embeddings[rows])
        excluded = Exclusions(*Exclusions(model.seen.indptr, model.seen.indices).of(rows))
        found = FullScan(model.item_embeddings, width).search(queries, k, excluded, threads=threads)
        return cls(queries, excluded, found.items, k, resolve_threads(threads))

    def tried(self, plan: SearchConfig, items: Float32Array, screen: CoarseIndex | None) -> SearchConfig:
        """Return the plan with what is measured of it."""
        retriever = plan.retriever(items, screen)
        found = retriever.search(self.queries, self.k, self.excluded, threads=self.threads)
        single = [self._seconds(retriever, np.array([row])) for row in range(len(self.queries))]
        p50, p99 = np.percentile(single, [50, 99])
        return plan.with_measurements(
            self.k,
            Measurements(
                recall=recall(found.items, self.best),
                p50_ms=float(1e3 * p50),
                p99_ms=float(1e3 * p99),
                users_per_second=self._rate(retriever),
                bytes_per_item=_BYTES * plan.width if screen is None else screen.nbytes / len(items),
                pruned=found.work.pruned,
                threads=self.threads,
            ),
        )

    def _rate(self, retriever: Retriever) -> float:
        """Return users a second, many at once."""
        rows = np.resize(np.arange(len(self.queries)), max(len(self.queries), _AT_ONCE))
        return len(rows) / min(self._seconds(retriever, rows) for _ in range(_BATCHES))

    def _seconds(self, retriever: Retriever, rows: npt.NDArray[np.integer]) -> float:
        queries, excluded = self.queries[rows], Exclusions(*self.excluded.of(rows))
        started = time.perf_counter()
        retriever.search(queries, self.k, excluded, threads=self.threads)
        return time.perf_counter() - started


def recall(found: Int32Array, best: Int32Array) -> float:
    """Mean share of each user's best items that were found; divides by those there are, users with none left out."""
    pairs = [(got, wanted[wanted >= 0]) for got, wanted in zip(found, best, strict=True)]
    shares = [np.isin(wanted, got).mean() for got, wanted in pairs if len(wanted)]
    return float(np.mean(shares)) if shares else 1.0
