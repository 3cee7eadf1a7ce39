"""One user with most of a catalogue, a bot or a shared account: training takes time in proportion, and a stop is heard.

The times are generous: what they tell apart is linear from quadratic.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from nestrec import Run, Trainer
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.training.losses import BPR
from nestrec.training.samplers import DynamicSampler, Sampler, UniformSampler


def one_user(n: int) -> Interactions:
    """Return n items of which the first user has nine tenths, and the second one the others."""
    cut = n - n // 10
    users, items = (Vocabulary(np.arange(size, dtype=np.int64)) for size in (2, n))
    return Interactions(users, items, np.array([0, cut, n], dtype=np.int64), np.arange(n, dtype=np.int32))


def seconds(trainer: Trainer, n: int) -> float:
    data = one_user(n)
    began = time.perf_counter()
    trainer.fit(data, validation=None, run=Run(threads=1))
    return time.perf_counter() - began


@pytest.mark.parametrize("sampler", [None, DynamicSampler(8), UniformSampler()])
def test_time_is_linear_in_the_items_of_one_user(sampler: Sampler | None) -> None:
    """Twice the items took four times as long: 11 s an epoch at 80,000 items, no end at a million."""
    trainer = Trainer(widths=(2, 4), epochs=1, loss=BPR() if sampler else None, sampler=sampler)
    seconds(trainer, 2_000)  # kernels are compiled
    few, many = (min(seconds(trainer, n) for _ in range(2)) for n in (10_000, 80_000))
    assert many < 30 * few + 0.5
    assert many < 5


def test_the_losses_of_the_heavy_user_are_finite_and_what_is_left_is_learned() -> None:
    model = Trainer(widths=(2, 4), epochs=3).fit(one_user(5_000), validation=None, run=Run(threads=1))
    assert np.isfinite(model.user_embeddings).all()
    ids, _ = model.recommend(0, k=500)
    assert sorted(ids.tolist()) == list(range(4_500, 5_000))
