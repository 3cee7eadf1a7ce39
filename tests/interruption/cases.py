"""Work that takes long, each in the worst shape that is known: `python -m tests.interruption.cases NAME` does it.

It prints "begun" when the work begins, is told by SIGINT to stop, and is watched for how long that takes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from nestrec import NestedEmbeddings, Run, Trainer, evaluate
from nestrec.data.filters import k_core
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import LeaveLastOut, RandomSplit
from nestrec.data.vocabulary import Vocabulary
from nestrec.retrieval.build_index import build_index
from nestrec.retrieval.exact import Exact
from nestrec.training.losses import BPR
from nestrec.training.samplers import DynamicSampler
from nestrec.widths import Widths
from scaling_data import generate_interactions

SMALL, LARGE = 3_000, 1_000_000


def matrix(n_users: int, n_items: int, sizes: list[int]) -> Interactions:
    """Return users with neighbouring items of a catalogue, as many as their sizes say; the last ones have one."""
    counts = np.array(sizes + [1] * (n_users - len(sizes)))
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    first_items = np.arange(n_users) * 13 % (n_items - counts + 1)
    indices = (np.arange(indptr[-1]) + np.repeat(first_items - indptr[:-1], counts)).astype(np.int32)
    users, items = (Vocabulary(np.arange(n, dtype=np.int64)) for n in (n_users, n_items))
    return Interactions(users, items, indptr, indices, np.random.default_rng(0).random(len(indices)))


def model(seen: Interactions, size: int) -> NestedEmbeddings:
    rng = np.random.default_rng(1)
    users, items = (rng.standard_normal((n, size), dtype=np.float32) for n in (seen.n_users, seen.n_items))
    return NestedEmbeddings(users, items, Widths((4, size)), seen.users, seen.items, seen)


def train_one_user(n: int) -> Callable[[], object]:
    data = matrix(3, n + 10, [n])
    return lambda: Trainer(widths=(2, 4)).fit(data, validation=None)


def train_wide_pairs(n: int) -> Callable[[], object]:
    data = matrix(n // 500, 4_000, [3_900] * (n // 3_000))
    trainer = Trainer(widths=(4, 1024), loss=BPR(), sampler=DynamicSampler(1024), epochs=None if n == LARGE else 1)
    return lambda: trainer.fit(data, validation=None, run=Run(threads=1))


def train_many_levels(n: int) -> Callable[[], object]:
    data = matrix(n // 500, 4_000, [3_900] * (n // 3_000))
    trainer = Trainer(widths=range(1, 513), epochs=None if n == LARGE else 1)
    return lambda: trainer.fit(data, validation=None, run=Run(threads=1))


def rank_validation(n: int) -> Callable[[], object]:
    """One epoch is short, the ranking after it is not."""
    data = matrix(n // 16, n // 20, [20] * (n // 16))
    return lambda: Trainer(widths=(4, 256), epochs=1).fit(data, validation=RandomSplit(0.5))


def evaluate_heavy_users(n: int) -> Callable[[], object]:
    seen = matrix(400, n, [n - 100] * 20)
    last = np.arange(400, dtype=np.int64)
    held_out = Interactions(seen.users, seen.items, np.append(last, 400), np.full(400, n - 1, dtype=np.int32))
    whole = model(seen, 64)
    return lambda: evaluate(whole, held_out, threads=1, bootstrap_samples=0)


def recommend_wide(n: int) -> Callable[[], object]:
    wide = model(matrix(600, n // 5, []), 1024)
    return lambda: [wide.recommend(np.arange(600), 10) for _ in range(9)]


def search_coarse_index(n: int) -> Callable[[], object]:
    rng = np.random.default_rng(2)
    items = rng.standard_normal((2 * n, 16), dtype=np.float32)
    exact = Exact(items, build_index(items, 16, 16))
    queries = rng.standard_normal((4_096, 16), dtype=np.float32)
    return lambda: [exact.search(queries, 10) for _ in range(9)]


def generate(n: int) -> Callable[[], object]:
    return lambda: generate_interactions(20, 8 * n, 60 * n, threads=2)


def split_and_filter(n: int) -> Callable[[], object]:
    data = matrix(2, 10 * n, [10 * n - 5])

    def work() -> None:
        for _ in range(1 if n < LARGE else 1000):
            RandomSplit(0.1).split(data)
            LeaveLastOut(3).split(data)
            k_core(data, 2, 1)

    return work


CASES = {
    case.__name__: case
    for case in (
        train_one_user, train_wide_pairs, train_many_levels, rank_validation, evaluate_heavy_users, recommend_wide,
        search_coarse_index, generate, split_and_filter,
    )
}  # fmt: skip


def main(name: str) -> None:
    CASES[name](SMALL)()  # kernels are compiled: that is not interrupted
    work = CASES[name](LARGE)
    print("begun", flush=True)
    work()


if __name__ == "__main__":
    main(sys.argv[1])
