"""The kernel that folds in users, against a plain minimization of the same loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from nestrec.kernels.fold_in.cholesky import solve_cholesky
from nestrec.kernels.fold_in.softmax_users import PoolArrays, fold_in_users

WIDTHS = np.array([2, 3, 7])
SHARP = np.array([5.0, 4.0, 3.0])
L2 = np.array([0.1, 0.1, 0.2, 0.05, 0.05, 0.05, 0.3])


NONE, NOWHERE = PoolArrays(np.zeros((7, 0), np.float32), np.zeros(0, np.float32), 0), np.full(6, -1)


def world(n_pool: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = np.zeros((7, -(-n_pool // 16) * 16), dtype=np.float32)
    columns[:, :n_pool] = rng.normal(0, 0.5, (7, n_pool))
    logs = np.zeros(columns.shape[1], dtype=np.float32)
    logs[:n_pool] = rng.uniform(0, 2, n_pool)
    return columns, logs, rng.normal(0, 0.5, (6, 7)).astype(np.float32)


def minimum(own: np.ndarray, weights: np.ndarray, pool: np.ndarray, logs: np.ndarray, masked: list[int]) -> np.ndarray:
    """Minimize level by level with scipy, in float64."""
    pool, own = pool.astype(float), own.astype(float)
    kept = [j for j in range(len(logs)) if j not in masked]
    x, first = np.zeros(7), 0
    for last, sharp in zip(WIDTHS, SHARP, strict=True):
        base, own_base = x[:first] @ pool[:first, kept], own[:, :first] @ x[:first]

        def loss(y: np.ndarray) -> float:
            block = slice(first, last)  # noqa: B023
            negatives = np.logaddexp.reduce(sharp * (base + y @ pool[block, kept]) + logs[kept])  # noqa: B023
            margins = negatives - sharp * (own_base + own[:, block] @ y)  # noqa: B023
            each = np.logaddexp(0, margins) / sharp + (L2[block] * y**2).sum() / 2  # noqa: B023
            return float(weights @ each)

        x[first:last] = minimize(loss, np.zeros(last - first), tol=1e-12).x
        first = last
    return x


@pytest.mark.parametrize(("n_pool", "masked"), [(24, []), (21, [3, 20]), (5, [0, 1])])
def test_it_finds_the_minimum_of_every_level(n_pool: int, masked: list[int]) -> None:
    pool, logs, own = world(n_pool, seed=n_pool)
    in_pool = np.full(6, -1, dtype=np.int64)
    in_pool[: len(masked)] = masked
    weights = np.linspace(0.5, 2, 6)
    users = np.full((1, 7), np.nan, dtype=np.float32)
    unused = pool.shape[1] - n_pool
    small = PoolArrays(pool, logs, unused)
    fold_in_users(own, weights, np.array([0, 6]), small, in_pool, NONE, NOWHERE, WIDTHS, SHARP, L2, users)
    expected = minimum(own, weights, pool[:, :n_pool], logs[:n_pool], masked)
    np.testing.assert_allclose(users[0], expected, atol=5e-3)


@pytest.mark.parametrize("n_pool", [40, 1000, 1500])
def test_the_minimum_for_a_small_pool_is_corrected_to_that_for_the_large_one(n_pool: int) -> None:
    """In chunks; items of the history are masked in both pools, and high scores far behind change the scale."""
    pool, logs, own = world(n_pool, seed=n_pool)
    logs[n_pool - 2] += 2
    unused, taken = pool.shape[1] - n_pool, np.arange(0, n_pool, max(1, n_pool // 500))
    drawn = np.zeros((7, -(-len(taken) // 16) * 16), dtype=np.float32)
    drawn[:, : len(taken)] = pool[:, taken]
    log_drawn = np.zeros(drawn.shape[1], dtype=np.float32)
    log_drawn[: len(taken)] = logs[taken] + np.log(n_pool / len(taken))
    in_large, in_small = np.full(6, -1), np.full(6, -1)
    in_large[:2], in_small[0] = [taken[3], n_pool - 1], 3
    weights, users = np.linspace(0.5, 2, 6), np.full((1, 7), np.nan, dtype=np.float32)
    small, large = PoolArrays(drawn, log_drawn, drawn.shape[1] - len(taken)), PoolArrays(pool, logs, unused)
    fold_in_users(own, weights, np.array([0, 6]), small, in_small, large, in_large, WIDTHS, SHARP, L2, users)
    expected = minimum(own, weights, pool[:, :n_pool], logs[:n_pool], [int(taken[3]), n_pool - 1])
    corrected = np.abs(users[0] - expected).max()
    assert corrected < 5e-3
    fold_in_users(own, weights, np.array([0, 6]), small, in_small, NONE, NOWHERE, WIDTHS, SHARP, L2, users)
    assert n_pool == 40 or np.abs(users[0] - expected).max() > 5 * corrected


def test_a_pool_of_seen_items_alone_leaves_zeros_and_an_empty_row_is_left_alone() -> None:
    pool, logs, own = world(2, seed=0)
    users = np.full((2, 7), 9, dtype=np.float32)
    in_pool = np.array([0, 1, -1, -1, -1, -1])
    small, indptr = PoolArrays(pool, logs, 14), np.array([0, 6, 6])
    fold_in_users(own, np.ones(6), indptr, small, in_pool, NONE, NOWHERE, WIDTHS, SHARP, L2, users)
    assert np.abs(users[0]).max() < 1e-6
    assert (users[1] == 9).all()


def test_cholesky_solves_a_part_of_a_matrix() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5, 5))
    matrix, right = root @ root.T + np.eye(5), rng.normal(size=5)
    solution, lower = right.copy(), np.tril(matrix)
    solve_cholesky(lower, solution, 4)
    np.testing.assert_allclose(matrix[:4, :4] @ solution[:4], right[:4], rtol=1e-10)
    assert solution[4] == right[4]
