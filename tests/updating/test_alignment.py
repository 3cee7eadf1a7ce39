"""Alignment is orthogonal in each block: it finds a transform that was made, and no score of any width changes."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.arrays import Float32Array
from nestrec.updating.alignment import align, fit_alignment
from nestrec.widths import Widths

WIDTHS = Widths((2, 3, 8))


def random_tables() -> tuple[Float32Array, Float32Array]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((50, 8), dtype=np.float32), rng.standard_normal((30, 8), dtype=np.float32)


def random_transforms() -> list[np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    rng = np.random.default_rng(1)
    return [np.linalg.qr(rng.standard_normal((size, size)))[0] for size in (2, 1, 5)]


def test_a_transform_of_each_block_is_undone() -> None:
    users, items = random_tables()
    moved = align(users, random_transforms()), align(items, random_transforms())
    matrices = fit_alignment(moved, (users, items), WIDTHS)
    for table, earlier in zip(moved, (users, items), strict=True):
        assert np.allclose(align(table, matrices), earlier, atol=1e-5)


@pytest.mark.parametrize("width", WIDTHS.values)
def test_scores_of_all_widths_stay(width: int) -> None:
    users, items = random_tables()
    other = np.random.default_rng(2).permutation(users), np.random.default_rng(3).permutation(items)
    matrices = fit_alignment((users, items), other, WIDTHS)
    after = align(users, matrices)[:, :width] @ align(items, matrices)[:, :width].T
    assert np.allclose(after, users[:, :width] @ items[:, :width].T, atol=1e-4)


def test_it_is_the_nearest_of_many_orthogonal_transforms() -> None:
    (users, items), (earlier, _) = random_tables(), random_tables()
    earlier = earlier + 0.5 * np.random.default_rng(4).standard_normal(earlier.shape, dtype=np.float32)
    matrices = fit_alignment((users, items[:0]), (earlier, items[:0]), WIDTHS)
    best = np.linalg.norm(align(users, matrices) - earlier)
    for _ in range(20):
        assert best <= np.linalg.norm(align(users, random_transforms()) - earlier)


def test_blocks_without_values_stay() -> None:
    zeros = np.zeros((4, 8), dtype=np.float32)
    assert not align(zeros, fit_alignment((zeros, zeros), (zeros, zeros), WIDTHS)).any()
