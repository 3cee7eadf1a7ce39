"""Finding the best 100 items: nestrec, exact and by funnels, beside implicit, faiss, torch and HNSW, in turns.

    python benchmarks/retrieval_speed.py [--items 100000,1000000] [--sizes 64,128,256] [--queries 400] [--rounds 5]
    python benchmarks/retrieval_speed.py --trained --items 100000 --sizes 64,256
    python benchmarks/retrieval_speed.py --curve --items 100000,1000000 --sizes 64
    python benchmarks/retrieval_speed.py --parts
    python benchmarks/retrieval_speed.py --codes --items 100000,1000000 --sizes 64

Generated vectors are normal numbers whose size falls with the dimension d as d^-0.375 on both sides, so that the share
of the scores' variance in the first 4, 8, 16 and 32 of 64 dimensions (.70, .81, .90, .96) is that of models trained on
MovieLens 100K and, after the SVD rotation, on Amazon Cell Phones; norms of items are spread by a lognormal factor of
0.25. `--trained` trains embeddings on synthetic data of that many items instead.

How to read it: `batch` lines give queries per second and the ratio to implicit's exact rate and to that of the bare
matrix product (torch, nothing selected), `single` lines the median milliseconds of one query and how many times longer
faiss.knn takes; medians over the rounds of what both sides took in the same round. The funnel is the fastest of some
widths and shortlists whose recall of the full width's best 100 reaches .99 on half of the queries and holds on the
other half; the recall shown is that of the other half. `refined`: candidates are rescored by int8 refinement codes of
the full width, and 150 are reranked. `bytes` is the size of the coarse index per item, in addition to the vectors.
`--curve` prints recall against queries per second for graph indexes of hnswlib and FAISS with build time and memory,
and for search configs of nestrec.
`--parts` prints the thread time of a query in a batch: coarse scan and selection, by width and shortlist, and scoring
the candidates by refinement codes or by the vectors.
`--codes` prints build time and bytes of codes, and milliseconds of one user at every width: see codes_speed.py.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import faiss
import numpy as np
import numpy.typing as npt
import torch
from implicit.cpu.topk import topk

from codes_speed import compare_codes
from nestrec import Run, SyntheticData, Trainer
from nestrec.arrays import Float32Array
from nestrec.autotune.trial import recall
from nestrec.kernels.search.rerank import rerank
from nestrec.retrieval.coarse_candidates import Candidates, ScanOptions
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_scan import scan_coarsely
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.funnel import Funnel, Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.request import Request, validate_request
from nestrec.retrieval.retriever import Retriever
from nestrec.retrieval.search_config import CoarseIndexOptions

K = 100
TARGET = 0.99
FROM_ROWS = 150  # items that rows of all numbers let through
SHORTLISTS = (125, 150, 200, 300, 500, 750, 1000, 1250, 1500, 2000, 2500, 3000)
Ways = dict[str, Callable[[], Any]]


class Vectors(NamedTuple):
    """What is searched, and 3,000 users like those who ask, to find axes by."""

    name: str
    items: npt.NDArray[np.float32]
    queries: npt.NDArray[np.float32]
    users: npt.NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure retrieval.")
    parser.add_argument("--items", default="100000,1000000")
    parser.add_argument("--sizes", default="64,128,256")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trained", action="store_true", help="vectors trained on a generated world")
    parser.add_argument("--curve", action="store_true", help="recall against speed beside HNSW")
    parser.add_argument("--parts", action="store_true", help="what a query of a batch spends its time on")
    parser.add_argument("--codes", action="store_true", help="one user at every width, by codes and by a full scan")
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    for n_items in map(int, options.items.split(",")):
        for size in map(int, options.sizes.split(",")):
            make = trained if options.trained else generated
            vectors = make(n_items, size, options.queries)
            print(f"\n{vectors.name}: {n_items:,} items x {size}, {len(vectors.queries)} queries", flush=True)
            if options.parts:
                parts(vectors, options.threads, options.rounds)
            elif options.codes:
                compare_codes(vectors.items, vectors.queries)
            elif options.curve:
                curve(vectors, options.threads, options.rounds)
            else:
                compare(vectors, options.threads, options.rounds)


def generated(n_items: int, size: int, n_queries: int) -> Vectors:
    rng = np.random.default_rng(0)
    fall = np.arange(1, size + 1) ** -0.375
    items = np.empty((n_items, size), dtype=np.float32)
    for start in range(0, n_items, 50_000):
        n = len(items[start : start + 50_000])
        items[start : start + n] = rng.normal(size=(n, size)) * fall * rng.lognormal(0, 0.25, size=(n, 1))
    asking = (rng.normal(size=(n_queries + 3_000, size)) * fall).astype(np.float32)
    return Vectors("generated", items, asking[:n_queries], asking[n_queries:])


def trained(n_items: int, size: int, n_queries: int) -> Vectors:
    world = SyntheticData(
        n_users=n_items, n_items=n_items, n_subtopics_per_topic=200, interactions_per_user=20
    ).generate(seed=0)
    widths = tuple(width for width in (4, 8, 16, 32, 64, 128, 256) if width <= size)
    model = Trainer(widths=widths, epochs=8).fit(world.interactions, validation=None, run=Run(threads=2))
    asking = model.user_embeddings[np.random.default_rng(0).permutation(model.n_users)]
    return Vectors("trained", model.item_embeddings, asking[:n_queries], asking[n_queries:][:3_000])


def compare(vectors: Vectors, threads: int, rounds: int) -> None:
    _, items, queries, users = vectors
    held, held_queries = torch.from_numpy(items), torch.from_numpy(queries)
    exact = Exact(items, CoarseIndexOptions(items.shape[1]).build(users, items, items.shape[1]))
    best = exact.search(queries, K, threads=threads).ids
    found = list(funnels(vectors, best, threads))
    batch: Ways = {
        "implicit": lambda: topk(items, queries, K, num_threads=threads),
        "product alone": lambda: held_queries @ held.T,
        "torch": lambda: torch.topk(held_queries @ held.T, K, dim=1),
        "faiss.knn": lambda: faiss.knn(queries, items, K, metric=faiss.METRIC_INNER_PRODUCT),
    }
    single: Ways = {
        "faiss.knn": lambda: faiss.knn(queries[:1], items, K, metric=faiss.METRIC_INNER_PRODUCT),
        "implicit": lambda: topk(items, queries[:1], K, num_threads=threads),
    }
    for name, retriever in [("exact", exact), *found]:
        batch[name] = partial(retriever.search, queries, K, threads=threads)
        single[name] = partial(retriever.search, queries[:1], K, threads=threads)
    show_batch(in_turns(batch, rounds), len(queries))
    show_single(in_turns(single, 4 * rounds))


def funnels(vectors: Vectors, best: npt.NDArray[np.int32], threads: int) -> Iterator[tuple[str, Retriever]]:
    """Yield the shortest shortlist of each index that reaches the recall, and the index with certified exact search."""
    _, items, queries, users = vectors
    size, half = items.shape[1], len(queries) // 2
    for rotated in (False, True) if vectors.name == "trained" else (False,):  # generated ones lie along their axes
        for width in (width for width in (16, 32, 48, 64, 128) if width <= size):
            rows = size if 2 * width <= size else 0
            index = CoarseIndexOptions(width, Storage.INT8, rotated, refinement_width=rows).build(users, items, size)
            stages = (Stage(size, FROM_ROWS),) if rows else ()
            name = f"int8 {width}{' rotated' if rotated else ''}{' refined' if rows else ''}"
            if width < size:
                certified = Exact(items, index)
                work = certified.search(queries[:20], K, threads=threads).work
                if work.pruned > 0.9:
                    yield f"{name} certified, {100 * work.pruned:.2f}% pruned", certified
            for shortlist in SHORTLISTS:
                funnel = Funnel(items, index, shortlist, stages)
                if recall(funnel.search(queries[:half], K).ids, best[:half]) < TARGET:
                    continue
                reached = recall(funnel.search(queries[half:], K).ids, best[half:])
                if reached >= TARGET:
                    held = index.nbytes / len(items)
                    yield f"{name} shortlist {shortlist}, recall {reached:.4f}, {held:.0f} bytes", funnel
                    break


def in_turns(ways: Ways, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each way in each round; a first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(seconds: dict[str, list[float]], peer: str, name: str) -> str:
    ratios = sorted(theirs / own for theirs, own in zip(seconds[peer], seconds[name], strict=True))
    return f"{median(ratios):6.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def show_batch(seconds: dict[str, list[float]], n_queries: int) -> None:
    for name, taken in seconds.items():
        rate = n_queries / median(taken)
        against = ratio(seconds, "implicit", name), ratio(seconds, "product alone", name)
        print(f"  batch  {name:52} {rate:8,.0f}/s  implicit x {against[0]}, product x {against[1]}", flush=True)


def show_single(seconds: dict[str, list[float]]) -> None:
    for name, taken in seconds.items():
        ms = 1e3 * median(taken)
        print(
            f"  single {name:52} {ms:8.3f} ms  faiss.knn takes {ratio(seconds, 'faiss.knn', name)} times that",
            flush=True,
        )


def curve(vectors: Vectors, threads: int, rounds: int) -> None:
    _, items, queries, users = vectors
    exact = Exact(items, CoarseIndexOptions(items.shape[1]).build(users, items, items.shape[1]))
    best = exact.search(queries, K).ids
    points: list[tuple[str, float, int, Callable[[], npt.NDArray[Any]]]] = []
    points.extend(graph_points(vectors, threads))
    size = items.shape[1]
    for options in (
        CoarseIndexOptions(16),
        CoarseIndexOptions(32),
        CoarseIndexOptions(32, refinement_width=size),
        CoarseIndexOptions(size),
    ):
        started = time.perf_counter()
        index = options.build(users, items, size)
        took = time.perf_counter() - started
        stages = (Stage(size, FROM_ROWS),) if options.refinement_width else ()
        for shortlist in (125, 300, 1000, 2000) if options.width < size else (125,):
            way = partial(search_items, Funnel(items, index, shortlist, stages), queries, threads)
            name = f"int8 {options.width}{' refined' if stages else ''}, shortlist {shortlist}"
            points.append((name, took, index.nbytes, way))
    points.append(("exact", 0.0, exact.nbytes, partial(search_items, exact, queries, threads)))
    seconds = in_turns({name: search for name, _, _, search in points}, rounds)
    for name, took, size, search in points:
        rate = len(queries) / median(seconds[name])
        found = recall(search().astype(np.int32), best)
        print(f"  {name:34} recall {found:.4f} {rate:9,.0f}/s  build {took:7.1f} s  {size / 1e6:7.1f} MB", flush=True)


def parts(vectors: Vectors, threads: int, rounds: int) -> None:
    """Print the parts of a query: a thread's milliseconds, medians of the rounds."""
    _, items, queries, users = vectors
    size = items.shape[1]
    asked = validate_request(queries, K, None, None, None, n_items=len(items), width=size)
    for width in (width for width in (16, 32, 48, 64) if width <= size):
        index = CoarseIndexOptions(width, refinement_width=size).build(users, items, size)
        for shortlist in (250, 1000, 2000):
            spent: dict[str, list[float]] = {"all": [], "rows": [], "vectors": []}
            for _ in range(rounds + 1):
                for part, seconds in one_round(index, asked, items, shortlist, threads).items():
                    spent[part].append(1e3 * seconds / len(queries))
            took = {part: median(times[1:]) for part, times in spent.items()}
            took["coarse scan and selection"] = took.pop("all") - took["rows"] - took["vectors"]
            told = ", ".join(f"{part} {ms:.3f} ms" for part, ms in reversed(took.items()))
            print(f"  int8 {width:3}, shortlist {shortlist:5}: {told}", flush=True)


def one_round(
    index: CoarseIndex, asked: Request, items: Float32Array, shortlist: int, threads: int
) -> dict[str, float]:
    """Return the threads' seconds for the parts of a scan that scores its shortlist once by rows, once by vectors."""
    spent: list[tuple[float, float]] = []

    def rerank_both(some: slice, found: Candidates) -> None:
        started = time.perf_counter()
        index.refine(found.keys.copy(), found.counts, asked.queries[some], exact=False)
        between = time.perf_counter()
        rerank(found.keys, found.counts, asked.queries[some], items, 0, items.shape[1], K)
        spent.append((between - started, time.perf_counter() - between))

    started = time.perf_counter()
    scan_coarsely(index, asked, ScanOptions(shortlist, exact=False, at_least=K), rerank_both, threads)
    took = threads * (time.perf_counter() - started)
    return {"all": took, "rows": sum(one for one, _ in spent), "vectors": sum(other for _, other in spent)}


def search_items(retriever: Retriever, queries: npt.NDArray[np.float32], threads: int) -> npt.NDArray[Any]:
    return retriever.search(queries, K, threads=threads).ids


def graph_points(vectors: Vectors, threads: int) -> Iterator[tuple[str, float, int, Callable[[], npt.NDArray[Any]]]]:
    """Yield HNSW of faiss and hnswlib (where it is installed: it comes as source) at several efforts of the search."""
    items, queries = vectors.items, vectors.queries
    started = time.perf_counter()
    graph = faiss.IndexHNSWFlat(items.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 100
    graph.add(items)
    took, size = time.perf_counter() - started, len(faiss.serialize_index(graph))
    for effort in (100, 200, 400, 800):

        def by_faiss(effort: int = effort) -> npt.NDArray[Any]:
            graph.hnsw.efSearch = effort
            found: npt.NDArray[Any] = graph.search(queries, K)[1]
            return found

        yield f"faiss HNSW 16, efSearch {effort}", took, size, by_faiss
    try:
        import hnswlib
    except ImportError:
        print("  hnswlib is not installed")
        return
    started = time.perf_counter()
    index = hnswlib.Index(space="ip", dim=items.shape[1])
    index.init_index(max_elements=len(items), ef_construction=100, M=16)
    index.add_items(items, num_threads=threads)
    took, size = time.perf_counter() - started, int(index.index_file_size())
    for effort in (100, 200, 400, 800):

        def by_hnswlib(effort: int = effort) -> npt.NDArray[Any]:
            index.set_ef(effort)
            found: npt.NDArray[Any] = index.knn_query(queries, k=K, num_threads=threads)[0]
            return found

        yield f"hnswlib 16, ef {effort}", took, size, by_hnswlib


if __name__ == "__main__":
    main()
