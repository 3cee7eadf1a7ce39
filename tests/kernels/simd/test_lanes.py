"""Each operation on eight numbers at once against numpy on the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pytest

from nestrec.kernels.simd import lanes
from nestrec.kernels.simd.lanes import LANES, largest, load, multiply_add, prefetch, splat, store, total

Vector = npt.NDArray[np.float32]

OFFSET = 3  # no multiple of anything: no alignment is asked for

add: Any = lanes.add
subtract: Any = lanes.subtract
multiply: Any = lanes.multiply


def vector(seed: int, scale: float = 1.0) -> Vector:
    """Eight numbers behind OFFSET others and before two."""
    return (np.random.default_rng(seed).normal(size=OFFSET + LANES + 2) * scale).astype(np.float32)


def inner(array: Vector) -> Vector:
    return array[OFFSET : OFFSET + LANES]


def lane_by_lane(operation: Any) -> Callable[[Vector, Vector, Vector], None]:
    """Compile `out[OFFSET:] = operation(left[OFFSET:], right[OFFSET:])`."""

    @numba.njit
    def run(left: Any, right: Any, out: Any) -> None:
        store(out, OFFSET, operation(load(left, OFFSET), load(right, OFFSET)))

    result: Callable[[Vector, Vector, Vector], None] = run
    return result


@pytest.mark.parametrize(
    ("operation", "expected"),
    [(add, np.add), (subtract, np.subtract), (multiply, np.multiply)],
    ids=["add", "subtract", "multiply"],
)
def test_operations_of_two_go_lane_by_lane(operation: Any, expected: Any) -> None:
    """The left operand stays left; memory before and behind the eight is not touched."""
    left, right, out = vector(1, 100), vector(2), vector(3)
    before = out.copy()
    lane_by_lane(operation)(left, right, out)
    np.testing.assert_allclose(inner(out), expected(inner(left), inner(right)), rtol=1e-6)
    np.testing.assert_array_equal(out[:OFFSET], before[:OFFSET])
    np.testing.assert_array_equal(out[OFFSET + LANES :], before[OFFSET + LANES :])


@numba.njit
def copy_lanes(source: Any, target: Any, at: int) -> None:
    store(target, at, load(source, OFFSET))


def test_load_and_store_keep_bits() -> None:
    """NaN, infinities, zero's sign and subnormal numbers included."""
    source = vector(1)
    inner(source)[:] = [np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38, 1.5, -2.5]
    target = np.zeros(LANES + 1, dtype=np.float32)
    copy_lanes(source, target, 1)
    np.testing.assert_array_equal(target[1:].view(np.uint32), inner(source).view(np.uint32))


@numba.njit
def fill_lanes(number: Any, target: Any) -> None:
    store(target, 0, splat(number))


def test_splat_repeats_one_number() -> None:
    target = np.zeros(LANES, dtype=np.float32)
    fill_lanes(np.float32(0.1), target)
    np.testing.assert_array_equal(target, np.full(LANES, 0.1, dtype=np.float32))


@numba.njit
def multiply_add_lanes(left: Any, right: Any, addend: Any, out: Any) -> None:
    store(out, 0, multiply_add(load(left, 0), load(right, 0), load(addend, 0)))


def test_multiply_add_adds_last() -> None:
    left, right, addend = (vector(seed)[:LANES] for seed in range(3))
    out = np.empty(LANES, dtype=np.float32)
    multiply_add_lanes(left, right, addend, out)
    np.testing.assert_allclose(out, left * right + addend, rtol=1e-5, atol=1e-6)


@numba.njit
def total_of(values: Any) -> Any:
    return total(load(values, OFFSET))


@numba.njit
def largest_of(values: Any) -> Any:
    return largest(load(values, OFFSET))


@pytest.mark.parametrize("seed", range(5))
def test_total_and_largest_see_the_eight_and_no_others(seed: int) -> None:
    values = vector(seed)
    values[:OFFSET] = values[OFFSET + LANES :] = 1e6
    assert total_of(values) == pytest.approx(inner(values).sum(), rel=1e-5, abs=1e-5)
    assert largest_of(values) == inner(values).max()


@pytest.mark.parametrize("place", range(LANES))
def test_largest_is_found_in_every_lane(place: int) -> None:
    """Minus infinity, which strikes a candidate out, is below every number."""
    values = np.full(OFFSET + LANES, -np.inf, dtype=np.float32)
    assert largest_of(values) == -np.inf
    values[OFFSET + place] = -3e38
    assert largest_of(values) == np.float32(-3e38)


def test_a_total_that_is_not_finite_stays_so() -> None:
    """A diverging run must show: NaN and infinity are not optimised away."""
    values = vector(1)
    inner(values)[2] = np.inf
    assert total_of(values) == np.inf
    inner(values)[5] = np.nan
    assert np.isnan(total_of(values))


@numba.njit
def reaching_lanes(values: Any, thresholds: Any) -> Any:
    return lanes.reaching(load(values, 0), load(thresholds, 0))


@pytest.mark.parametrize("seed", range(8))
def test_reaching_marks_lanes_at_or_above(seed: int) -> None:
    """Equal reaches, NaN never does on either side; bit i is lane i."""
    rng = np.random.default_rng(seed)
    values, thresholds = (rng.choice([-np.inf, -1, 0, 1, np.inf, np.nan], LANES).astype(np.float32) for _ in range(2))
    expected = sum(1 << lane for lane in range(LANES) if values[lane] >= thresholds[lane])
    assert reaching_lanes(values, thresholds) == expected


@numba.njit
def lowest_of(bits: Any) -> Any:
    return lanes.lowest_bit(bits)


def test_lowest_bit_is_the_number_of_zeros_below_it() -> None:
    for bits in (1, 2, 3, 0b1010_0000, 255, 1 << 40):
        assert lowest_of(bits) == (bits & -bits).bit_length() - 1


@numba.njit
def touch(values: Any, at: int) -> None:
    prefetch(values, at)


def test_prefetch_changes_nothing() -> None:
    """It is a hint: even an address outside of the array is allowed."""
    values = vector(1)
    before = values.copy()
    touch(values, OFFSET)
    touch(values, 10**9)
    np.testing.assert_array_equal(values, before)
