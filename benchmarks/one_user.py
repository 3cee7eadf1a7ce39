"""Seconds of one epoch where one user has nine tenths of the items: in proportion to them, and no more.

python benchmarks/one_user.py [ITEMS ...]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from nestrec import Run, Trainer
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.training.losses import BPR, Loss


def one_user(n: int) -> Interactions:
    """Return n items of which the first user has nine tenths, and the second one the others."""
    cut = n - n // 10
    users, items = (Vocabulary(np.arange(size, dtype=np.int64)) for size in (2, n))
    return Interactions(users, items, np.array([0, cut, n], dtype=np.int64), np.arange(n, dtype=np.int32))


def seconds(n: int, loss: Loss | None) -> float:
    data, trainer = one_user(n), Trainer(widths=(2, 4), epochs=1, loss=loss)
    began = time.process_time()  # of one thread
    trainer.fit(data, validation=None, run=Run(threads=1))
    return time.process_time() - began


def main(sizes: list[int]) -> None:
    for loss in (None, BPR()):
        seconds(1_000, loss)  # kernels are compiled
    for n in sizes:
        taken = [min(seconds(n, loss) for _ in range(2)) for loss in (None, BPR())]
        print(f"| {n:,} | {taken[0]:.2f} | {taken[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10_000, 20_000, 40_000, 80_000, 100_000, 1_000_000, 2_000_000])
