"""Transposition in registers against numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.kernels.simd import transpose

TRANSPOSE: Any = transpose.transpose_tile


def test_a_tile_is_transposed_in_its_place_and_nothing_else_is_touched() -> None:
    source = np.arange(10 * 12, dtype=np.float32).reshape(10, 12)
    target = np.full((9, 20), -1, dtype=np.float32)
    expected = target.copy()
    TRANSPOSE(source.reshape(-1), 12 + 3, 12, target.reshape(-1), 20 + 5, 20)
    expected[1:9, 5:13] = source[1:9, 3:11].T
    np.testing.assert_array_equal(target, expected)
