"""Atomic operations, by several threads at once."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from nestrec.kernels.atomics import add_atomically, read_atomically, take, wait_for
from nestrec.kernels.compiled import compiled
from nestrec.parallel.threads import map_in_threads

WAIT_FOR: Any = wait_for


@compiled
def count_up(counters: Any, n: int) -> int:
    """Add 1 n times; return the last sum."""
    last = 0
    for _ in range(n):
        last = add_atomically(counters, 1, 1) + 1
    return last


@compiled
def take_all(claims: Any, expected: int, replacement: int) -> int:
    """Return how many were as expected."""
    n = 0
    for at in range(len(claims)):
        n += take(claims, at, expected, replacement)
    return n


@compiled
def read_first(counters: Any) -> Any:
    return read_atomically(counters, 0)


def test_no_addition_is_lost() -> None:
    counters = np.zeros(3, np.int64)
    sums = map_in_threads(lambda n: count_up(counters, n), [200_000, 300_000], 2)
    assert counters.tolist() == [0, 500_000, 0]
    assert max(sums) == 500_000


def test_each_place_is_taken_once() -> None:
    claims = np.zeros(100_000, np.int64)
    taken = map_in_threads(lambda _: take_all(claims, 0, 1), range(3), 3)
    assert sum(taken) == len(claims)
    assert (claims == 1).all()
    assert take_all(claims, 0, 2) == 0


def test_waiting_ends_when_another_thread_has_counted() -> None:
    counters = np.array([4, 0], np.int64)
    WAIT_FOR(counters, 0, 4)  # compiles
    waiting = threading.Thread(target=WAIT_FOR, args=(counters, 0, 5))
    waiting.start()
    time.sleep(0.05)
    assert waiting.is_alive()
    counters[0] = 5
    waiting.join(10)
    assert not waiting.is_alive()
    assert read_first(counters) == 5
