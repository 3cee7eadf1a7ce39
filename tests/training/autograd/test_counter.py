"""Bits on tensors are those of the kernels; what a batch draws depends on positions alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec.kernels import counter_rng as shuffle

torch = pytest.importorskip("torch")

from nestrec.training.autograd.counter_rng import Draws, below, derive_key, random_bits  # noqa: E402

CPU = torch.device("cpu")
KEYS = [0, 1, 7, 2**31, 2**62 + 5, 2**63 - 1, 2**63, 2**63 + 9, 2**64 - 1]
POSITIONS = [0, 1, 2, 31, 12345, 2**31, 2**40 + 3]


def kernel_bits(key: int, position: int) -> int:
    bits: Any = shuffle.random_bits(np.uint64(key), position)
    return int(bits)


@pytest.mark.parametrize("key", KEYS)
def test_bits_are_those_of_the_kernels(key: int) -> None:
    """Keys from 2^63 on included, which int64 holds as negative numbers."""
    bits = random_bits(key, torch.tensor(POSITIONS)).numpy().view(np.uint64)
    assert bits.tolist() == [kernel_bits(key, position) for position in POSITIONS]


@pytest.mark.parametrize("bound", [1, 2, 10, 1000, 2**31 - 1])
def test_numbers_below_a_bound_are_those_of_the_kernels(bound: int) -> None:
    """One bound for all, or one for each; every number stays below it."""
    bits = random_bits(2**63 + 5, torch.arange(200))
    expected = [shuffle.below(np.uint64(word), bound) for word in bits.numpy().view(np.uint64)]
    assert below(bits, bound).tolist() == expected
    assert below(bits, torch.full((200,), bound)).tolist() == expected
    assert 0 <= min(expected) <= max(expected) < bound


def test_derived_keys_differ() -> None:
    keys = {derive_key(key, number) for key in KEYS for number in range(5)}
    assert len(keys) == 5 * len(KEYS)
    assert all(0 <= key < 2**64 for key in keys)


def draws(first_position: int = 0, key: int = 2**63 + 1) -> Draws:
    return Draws(key, first_position, CPU)


def test_every_call_draws_anew_and_a_second_time_the_same() -> None:
    one, other = draws(), draws()
    first, second = (one.uniform(100, 3) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(other.uniform(100, 3), first)
    assert torch.equal(other.uniform(100, 3), second)
    assert not torch.equal(draws(key=4).uniform(100, 3), first)


def test_what_a_positive_draws_does_not_depend_on_where_batches_are_cut() -> None:
    """Rows of a batch of 96 are those of one of 64 and one of 32 behind it, in each of the calls."""
    whole, parts = draws(128), (draws(128), draws(192))
    for shape in ((3,), (2, 4), ()):
        expected = torch.cat([part.uniform(n, *shape) for part, n in zip(parts, (64, 32), strict=True)])
        assert torch.equal(whole.uniform(96, *shape), expected)
        expected = torch.cat([part.below(9, n, *shape) for part, n in zip(parts, (64, 32), strict=True)])
        assert torch.equal(whole.below(9, 96, *shape), expected)


def test_numbers_are_uniform() -> None:
    """Ten cells of 20,000 draws: a chi-square with 9 degrees of freedom stays under its 99.99% point; none is 1."""
    numbers = draws().uniform(20_000)
    assert numbers.dtype == torch.float32
    assert 0 <= float(numbers.min()) < float(numbers.max()) < 1
    for cells in ((numbers * 10).long(), draws(7).below(10, 20_000)):
        counts = np.bincount(cells.numpy(), minlength=10)
        assert len(counts) == 10
        assert ((counts - 2000) ** 2 / 2000).sum() < 33.7
