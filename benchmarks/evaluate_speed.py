"""Evaluating five widths: nestrec in one pass over the users, implicit's `ranking_metrics_at_k` called once per width.

    python benchmarks/evaluate_speed.py [--data FOLDER] [--rounds 5] [--threads 2] [--cutoff 20]

FOLDER holds `train.txt` and `test.txt`; by default a world of 20,000 users and 10,000 items is generated. Both rank
with the same vectors, the truncated SVD of the training matrix (64 numbers, singular values shared out by square roots;
the scores of random vectors would be spread unlike those of any model), and the same number of threads, in turns in one
process; BLAS is held to one thread, as implicit's documentation asks for.

How to read it: medians over the rounds, and the ratio implicit / nestrec, lowest to highest. Above 1, nestrec is
faster. `means only` does the job implicit does (full ranking, means at one cutoff), as early stopping calls it;
`evaluate` is what a user calls: 6 metrics at 3 cutoffs up to 50, every user's values, 95% intervals, figures of the
catalogue. `ranking alone` is the one pass in both, and `indexes` the same lists found as retrieval finds them: a proven
int8 index of each width, one after another. `products` is the least any ranking costs: the largest width's scores,
computed and thrown away. The ndcg of both stand last: they agree where both rank alike, but for the users and items
that the training part does not know, which nestrec counts as misses and implicit never sees.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.evaluation import ranking_metrics_at_k
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_limits

from nestrec.data.interactions import Interactions
from nestrec.data.reading import read_interactions
from nestrec.data.splitting import RandomSplit
from nestrec.data.synthetic import SyntheticData
from nestrec.embeddings import NestedEmbeddings
from nestrec.evaluation import evaluate, evaluate_arrays
from nestrec.evaluation.held_out import match_ids
from nestrec.evaluation.rank_widths import rank_widths
from nestrec.retrieval.build_index import build_index
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.item_lists import ItemLists
from nestrec.widths import Widths

WIDTHS = Widths((4, 8, 16, 32, 64))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure evaluation.")
    parser.add_argument("--data", type=Path, help="folder of train.txt and test.txt; a generated world by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cutoff", type=int, default=20, help="of implicit and of `means only`")
    options = parser.parse_args()
    train, test = parts_of(options.data)
    with threadpool_limits(1, "blas"):
        model = svd_model(train)
        compare(model, test, options.rounds, options.threads, options.cutoff)


def parts_of(folder: Path | None) -> tuple[Interactions, Interactions]:
    if folder is None:
        world = SyntheticData(n_users=20_000, n_items=10_000, n_subtopics_per_topic=50, interactions_per_user=10)
        return RandomSplit(0.2, seed=0).split(world.generate().interactions)
    return read_interactions(folder / "train.txt"), read_interactions(folder / "test.txt")


def svd_model(train: Interactions) -> NestedEmbeddings:
    left: Any
    right: Any
    left, values, right = svds(train.to_scipy().astype(np.float64), k=WIDTHS.embedding_size, random_state=0)
    order = np.argsort(-values)
    share = np.sqrt(values[order])
    users, items = (left[:, order] * share).astype(np.float32), (right[order].T * share).astype(np.float32)
    return NestedEmbeddings(users, items, WIDTHS, train.users, train.items, train)


def compare(model: NestedEmbeddings, test: Interactions, rounds: int, threads: int, k: int) -> None:
    held = test_matrix(model, test)
    train: Any = csr_matrix(model.seen.to_scipy())
    peers = [implicit_model(model, width) for width in WIDTHS]
    ways: dict[str, Callable[[], Any]] = {
        "implicit": lambda: [
            ranking_metrics_at_k(p, train, held, k, show_progress=False, num_threads=threads) for p in peers
        ],
        "nestrec, means only": lambda: means_only(model, held, k, threads),
        "nestrec, evaluate": lambda: evaluate(model, test, threads=threads),
        "nestrec, ranking alone": lambda: ladder(model, held, k, threads),
        "nestrec, indexes": partial(by_indexes, model, held, k, threads),
        "products": lambda: products(model, held),
    }
    results = {name: way() for name, way in ways.items()}  # compiles, and warms the caches
    np.testing.assert_array_equal(results["nestrec, ranking alone"], results["nestrec, indexes"])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    print(f"{np.count_nonzero(np.diff(held.indptr)):,} test users x {model.n_items:,} items, {threads} threads")
    show(seconds)
    for width, theirs, own in zip(WIDTHS, results["implicit"], results["nestrec, means only"], strict=True):
        print(f"ndcg@{k} at width {width:2}: implicit {theirs['ndcg']:.6f}, nestrec {own[f'ndcg@{k}']:.6f}")


def show(seconds: dict[str, list[float]]) -> None:
    for name, taken in seconds.items():
        ratios = sorted(theirs / own for theirs, own in zip(seconds["implicit"], taken, strict=True))
        spread = f"implicit takes {median(ratios):5.2f} times that ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(f"{name:22} {median(taken):7.3f} s   {spread}")


def test_matrix(model: NestedEmbeddings, test: Interactions) -> Any:
    """Return the test interactions of known users and items as implicit wants them."""
    held, _, _ = match_ids(model.users, model.items, model.seen, test)
    rows = np.repeat(held.user_index, np.diff(held.indptr))
    ones = np.ones(len(held.indices), dtype=np.float32)
    return csr_matrix((ones, (rows, held.indices)), shape=(model.n_users, model.n_items))


def implicit_model(model: NestedEmbeddings, width: int) -> Any:
    """Return implicit's recommender with this prefix of the vectors."""
    peer = AlternatingLeastSquares(factors=width)
    peer.user_factors = np.ascontiguousarray(model.user_embeddings[:, :width])
    peer.item_factors = np.ascontiguousarray(model.item_embeddings[:, :width])
    return peer


def means_only(model: NestedEmbeddings, held: Any, k: int, threads: int) -> list[dict[str, float]]:
    users, items, seen = model.user_embeddings, model.item_embeddings, model.seen
    indptr, indices = held.indptr.astype(np.int64), held.indices.astype(np.int32)
    widths = tuple(WIDTHS)
    return evaluate_arrays(
        users, items, widths, seen.indptr, seen.indices, indptr, indices, cutoffs=(k,), threads=threads
    )


def ladder(model: NestedEmbeddings, held: Any, k: int, threads: int) -> Any:
    users = np.flatnonzero(np.diff(held.indptr))
    sides = model.user_embeddings, model.item_embeddings
    return rank_widths(*sides, tuple(WIDTHS), model.seen.indptr, model.seen.indices, users, k, threads)


def by_indexes(model: NestedEmbeddings, held: Any, k: int, threads: int) -> Any:
    """Rank by a coarse index of each width, built here as it would have to be for each epoch's vectors."""
    users = np.flatnonzero(np.diff(held.indptr))
    seen = ItemLists(model.seen.indptr, model.seen.indices).select(users)
    found = []
    for width in WIDTHS:
        exact = Exact(model.item_embeddings, build_index(model.item_embeddings, width, width))
        found.append(exact.search(model.user_embeddings[users], k, seen, threads=threads).ids)
    return np.stack(found)


def products(model: NestedEmbeddings, held: Any) -> None:
    users = np.flatnonzero(np.diff(held.indptr))
    for start in range(0, len(users), 512):
        model.user_embeddings[users[start : start + 512]] @ model.item_embeddings.T


if __name__ == "__main__":
    main()
