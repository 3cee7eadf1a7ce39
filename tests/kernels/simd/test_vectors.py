"""Vectors of several counts against numpy on the same numbers."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from nestrec.kernels.compiled import compiled
from nestrec.kernels.simd import vectors

OFFSET = 3  # no multiple of anything: no alignment is asked for
load: Any = vectors.loading(8)
store: Any = vectors.store


def one_by_one(operation: Any) -> Any:
    """Compile `out[:] = operation(*arrays)` as kernels are, eight numbers at once."""

    @compiled
    def of_one(values: Any, out: Any) -> None:
        for at in range(0, len(values), 8):
            store(out, at, operation(load(values, at)))

    return of_one


def test_power_of_two_is_numpys_to_a_millionth() -> None:
    """From -86 on; below it the same as there, so that nothing becomes too small to be fast. NaN stays.

    Also where a kernel's sums may be reordered, which would undo the rounding of the exponent.
    """
    values = np.concatenate([np.linspace(-86, 127, 4000), [0, -0.0, 1e-8, np.nan], [-1e30, -np.inf, -87, -86]])
    values = values.astype(np.float32)
    out = np.empty_like(values)
    one_by_one(vectors.power_of_two)(values, out)
    np.testing.assert_allclose(out, np.exp2(np.maximum(values, -86).astype(float)), rtol=1e-6)


def test_inverse_root_is_numpys_to_a_millionth() -> None:
    """Over the range of accumulators; not finite for infinity and NaN, by which divergence is noticed."""
    values = np.append(np.geomspace(1e-12, 1e30, 4000), [np.inf, np.nan] * 4).astype(np.float32)
    out = np.empty_like(values)
    one_by_one(vectors.inverse_root)(values, out)
    np.testing.assert_allclose(out[:-8], 1 / np.sqrt(values[:-8].astype(float)), rtol=1e-6)
    assert not np.isfinite(out[-8:]).any()


@pytest.mark.parametrize("n", [1, 8, 16, 32])
def test_arithmetic_goes_number_by_number(n: int) -> None:
    """The left operand stays left; memory before and behind is not touched."""
    load_n: Any = vectors.loading(n)
    splat_n: Any = vectors.splatting(n)
    splat_at: Any = vectors.splatting_at(n)
    load_like: Any = vectors.load_like
    add, subtract, multiply, divide = (vectors.add, vectors.subtract, vectors.multiply, vectors.divide)
    multiply_add, maximum = vectors.multiply_add, vectors.maximum

    @numba.njit(error_model="numpy")
    def run(values: Any, out: Any) -> Any:
        x, y = load_n(values, OFFSET), splat_at(values, 1)
        z = load_like(x, values, 0)
        quotient = divide(subtract(x, y), add(z, splat_n(np.float32(9))))
        store(out, 1, maximum(multiply(quotient, x), multiply_add(x, y, z)))

    values = np.random.default_rng(n).normal(size=n + OFFSET).astype(np.float32)
    out = np.full(n + 2, -5, np.float32)
    run(values, out)
    x, y, z = values[OFFSET:], values[1], values[:n]
    np.testing.assert_allclose(out[1:-1], np.maximum((x - y) / (z + 9) * x, x * y + z), rtol=1e-4, atol=1e-6)
    assert out[0] == out[-1] == -5


@pytest.mark.parametrize("n", [4, 8, 16, 32])
def test_totals_of_four_vectors_are_stored_side_by_side(n: int) -> None:
    load_n: Any = vectors.loading(n)
    store_totals: Any = vectors.store_totals

    @compiled
    def run(values: Any, out: Any) -> None:
        v0, v1 = load_n(values, OFFSET), load_n(values, OFFSET + n)
        v2, v3 = load_n(values, OFFSET + 2 * n), load_n(values, OFFSET + 3 * n)
        store_totals(out, 1, v0, v1, v2, v3)

    values = np.random.default_rng(n).normal(size=4 * n + OFFSET).astype(np.float32)
    out = np.full(6, -5, np.float32)
    run(values, out)
    np.testing.assert_allclose(out[1:-1], values[OFFSET:].reshape(4, n).sum(1), rtol=1e-5, atol=1e-6)
    assert out[0] == out[-1] == -5
