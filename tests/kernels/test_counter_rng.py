"""Random order and numbers without memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec.kernels.counter_rng import below, half_bits_of, permute, random_bits

KEY: Any = np.uint64(0x1234_5678_9ABC_DEF0)


def bits_of(key: Any, position: int) -> Any:
    """Called from Python, a kernel's uint64 comes back as int."""
    return np.uint64(random_bits(key, position))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 17, 1000, 1024, 1025])
def test_every_position_is_visited_once(n: int) -> None:
    half_bits = half_bits_of(n)
    order = [permute(position, n, half_bits, KEY) for position in range(n)]
    assert sorted(order) == list(range(n))


def test_keys_give_different_orders_that_leave_no_trend() -> None:
    """Positions and the values there are uncorrelated: |r| stays under 4 standard errors."""
    n = 20_000
    half_bits = half_bits_of(n)
    orders = [
        np.array([permute(position, n, half_bits, bits_of(KEY, epoch)) for position in range(n)]) for epoch in range(2)
    ]
    assert not np.array_equal(orders[0], orders[1])
    for other in (np.arange(n), orders[1]):
        assert abs(np.corrcoef(orders[0], other)[0, 1]) < 4 / np.sqrt(n)


def test_numbers_below_a_bound_are_uniform() -> None:
    """A chi-square over 10 cells with 9 degrees of freedom stays under its 99.99% point."""
    draws = np.bincount([below(bits_of(KEY, k), 10) for k in range(50_000)], minlength=10)
    assert len(draws) == 10
    assert ((draws - 5000) ** 2 / 5000).sum() < 33.7
