"""The fused softmax kernel against a plain reading of the objective in float64."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.kernels.counter_rng import half_bits_of, permute
from nestrec.kernels.training import nested_softmax as kernel
from nestrec.kernels.training.block_softmax import exponentiate_scores, sum_losses
from nestrec.kernels.training.pool import draw_ascending
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from tests.kernels.training.test_nested_bpr import KEY, Case, case

Matrix = npt.NDArray[np.float64]
TRAIN: Any = kernel.train_slice
DRAW: Any = draw_ascending
EXPONENTIATE: Any = exponentiate_scores
SUM_LOSSES: Any = sum_losses
FIRST_SQUARE = 1e-4


def sharpness_of(world: Case) -> npt.NDArray[np.float32]:
    return np.linspace(3, 1, len(world.widths)).astype(np.float32)


def pulls_of(world: Case) -> npt.NDArray[np.float32]:
    """Some pull of every level on the blocks of narrower ones, none of it the same: (n_levels, n_levels)."""
    n = len(world.widths)
    return np.triu(np.random.default_rng(8).uniform(0.2, 1, (n, n))).astype(np.float32)


def new_state(world: Case) -> dict[str, Any]:
    state = {"users": world.users.copy(), "items": world.items.copy()}
    return state | {f"{name[:-1]}_squares": np.full_like(array, FIRST_SQUARE) for name, array in state.items()}


def arguments_of(world: Case, state: dict[str, Any]) -> tuple[Any, ...]:
    """What kernels of the softmax take before the positions."""
    return (
        *(state[name].reshape(-1) for name in ("users", "items", "user_squares", "item_squares")),
        world.indptr,
        world.indices,
        np.repeat(np.arange(len(world.indptr) - 1, dtype=np.int32), np.diff(world.indptr)),
        world.importance,
        np.array(world.widths),
        np.array(world.weights, np.float32),
        pulls_of(world).ravel(),
        sharpness_of(world),
        world.stride,
        world.n_candidates,
        np.float32(world.rate),
        world.l2_weights,
        KEY,
    )


def run(
    world: Case, start: int = 0, stop: int | None = None, state: dict[str, Any] | None = None
) -> tuple[dict[str, Any], float, int]:
    if state is None:
        state = new_state(world)
    loss, n = TRAIN(*arguments_of(world, state), start, len(world.indices) if stop is None else stop)
    return state, loss, n


def take(parameters: Matrix, squares: Matrix, row: int, gradient: Matrix, rate: float) -> None:
    squares[row] += gradient**2
    parameters[row] -= rate * gradient / np.sqrt(squares[row])


def plain(world: Case, n_blocks: int = 1) -> tuple[dict[str, Matrix], float]:
    """The objective and its Adagrad steps, one positive after the other, from formulas alone.

    Gradients are those at the start of the block, or of the round of n_blocks.
    """
    users, items = world.users.astype(float), world.items.astype(float)
    user_squares, item_squares = np.full_like(users, FIRST_SQUARE), np.full_like(items, FIRST_SQUARE)
    n, each, total = len(world.indices), world.n_items / world.n_candidates, 0.0
    pool = np.empty(world.n_candidates, np.int64)
    for begin in range(0, n, POOL_BLOCK):
        DRAW(pool, world.n_items, KEY, begin // POOL_BLOCK)
        if begin % (n_blocks * POOL_BLOCK) == 0:
            block_users, block_items = users.copy(), items.copy()
        tile = block_items[pool]
        pool_gradient, mass = np.zeros_like(tile), np.zeros_like(tile)
        for position in range(begin, min(n, begin + POOL_BLOCK)):
            row = permute(position, n, half_bits_of(n), KEY)
            user, item = int(np.searchsorted(world.indptr, row, side="right")) - 1, int(world.indices[row])
            unseen = ~np.isin(pool, world.indices[world.indptr[user] : world.indptr[user + 1]])
            u, v = block_users[user], block_items[item]
            importance = world.importance[row] if len(world.importance) else 1.0
            user_gradient, item_gradient = world.l2_weights * users[user], world.l2_weights * items[item]
            for level, (width, weight, sharp) in enumerate(
                zip(world.widths, world.weights, sharpness_of(world), strict=True)
            ):
                pull = np.zeros(world.stride)  # of this level on each coordinate that it has
                pull[:width] = np.repeat(pulls_of(world)[: level + 1, level], np.diff((0, *world.widths[: level + 1])))
                margins = sharp * (tile[:, :width] @ u[:width] - v[:width] @ u[:width])
                terms = each * np.exp(margins) * unseen
                total += importance * weight * np.log1p(terms.sum()) / sharp
                shares = importance * terms / (1 + terms.sum())
                user_gradient += pull * (shares @ tile - shares.sum() * v)
                item_gradient -= pull * shares.sum() * u
                pool_gradient += pull * shares[:, None] * u
                mass += pull * shares[:, None]
            take(items, item_squares, item, item_gradient, world.rate)
            take(users, user_squares, user, user_gradient, world.rate)
        for lane, row in enumerate(pool):
            gradient = pool_gradient[lane] + mass[lane] * world.l2_weights * items[row]
            take(items, item_squares, int(row), gradient, world.rate)
    return {"users": users, "items": items, "user_squares": user_squares, "item_squares": item_squares}, total


@pytest.mark.parametrize(
    ("widths", "pool_size", "n_items", "weights"),
    [
        ((3, 8, 20), 64, 60, None),
        ((4, 8, 16), 128, 200, (0.5, 0.3, 0.2)),
        ((7,), 64, 64, None),
        ((1, 2, 9, 33), 64, 150, None),
    ],
)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_one_pass_is_the_plain_one(
    widths: tuple[int, ...], pool_size: int, n_items: int, weights: tuple[float, ...] | None, is_weighted: bool
) -> None:
    """Parameters, accumulators and loss of a whole pass agree with float64 to float32's precision."""
    world = case(widths, pool_size, n_items=n_items, weights=weights)
    world = world.weighted() if is_weighted else world
    state, loss, n_trained = run(world)
    expected, expected_loss = plain(world)
    assert n_trained == len(world.indices)
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    for name, array in state.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-2, atol=2e-3, err_msg=name)


@pytest.mark.slow
def test_one_pass_with_narrow_registers(tmp_path: Path) -> None:
    """The same on a processor with no more than the instructions that all of its kind have."""
    environment = os.environ | {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "plain_one", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_where_the_pool_is_the_catalogue_the_loss_is_the_whole_softmax() -> None:
    """64 items, a pool of 64: nothing is estimated. A step of 0 keeps the starting vectors."""
    world = replace(case((4, 8), 64, n_items=64), rate=0.0)
    _, loss, _ = run(world)
    expected = 0.0
    for user in range(len(world.indptr) - 1):
        seen = world.indices[world.indptr[user] : world.indptr[user + 1]]
        unseen = np.setdiff1d(np.arange(64), seen)
        for width, weight, sharp in zip(world.widths, world.weights, sharpness_of(world), strict=True):
            scores = sharp * (world.items[:, :width] @ world.users[user, :width])
            for item in seen:
                everything = np.append(scores[unseen], scores[item])
                expected += weight * (np.log(np.exp(everything).sum()) - scores[item]) / sharp
    assert loss == pytest.approx(expected, rel=1e-5)


def test_weights_of_1_are_no_weights() -> None:
    """To the bit in the parameters; losses are summed in another order."""
    world = case(n_candidates=64)
    state, loss, _ = run(world)
    same, same_loss, _ = run(replace(world, importance=np.ones(len(world.indices), np.float32)))
    assert loss == pytest.approx(same_loss)
    for name, array in state.items():
        np.testing.assert_array_equal(array, same[name], err_msg=name)


def test_slices_cut_at_blocks_are_one_pass() -> None:
    """Where an epoch is cut does not change what it does, so a resumed run repeats nothing."""
    world = case(n_candidates=64)
    whole, loss, _ = run(world)
    parts, loss_first, _ = run(world, 0, 4 * POOL_BLOCK)
    parts, loss_second, _ = run(world, 4 * POOL_BLOCK, None, parts)
    assert loss == pytest.approx(loss_first + loss_second)
    for name, array in whole.items():
        np.testing.assert_array_equal(array, parts[name], err_msg=name)


def test_coordinates_beyond_the_embedding_size_stay_zero() -> None:
    state, _, _ = run(case((3, 5), 64))
    assert not state["users"][:, 5:].any()
    assert not state["items"][:, 5:].any()


def test_a_user_who_has_seen_everything_is_passed_over() -> None:
    world = case((4,), 64, n_items=60, density=1.0)
    state, loss, n_trained = run(world)
    assert (loss, n_trained) == (0.0, 0)
    np.testing.assert_array_equal(state["users"], world.users)


@pytest.mark.parametrize("size", [1e3, 1e4])
def test_the_loss_is_finite_at_large_scores(size: float) -> None:
    """Far above and far below: no infinity, and a positive that has won has no slope."""
    scores = np.repeat(np.linspace(-size, size, 64), POOL_BLOCK).astype(np.float32)
    positives = np.where(np.arange(POOL_BLOCK) % 2, -size, 2 * size).astype(np.float32)
    scales, slopes, denominators, margins = (np.empty(POOL_BLOCK, np.float32) for _ in range(4))
    trained = np.ones(POOL_BLOCK, np.float32)
    EXPONENTIATE(
        scores, 0, 64, positives, 0, trained, np.float32(10), np.float32(5), scales, slopes, denominators, margins
    )
    shares = scores.reshape(64, POOL_BLOCK) * scales
    assert np.isfinite(SUM_LOSSES(denominators, margins, POOL_BLOCK))
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(slopes, positives < 0, atol=1e-6)
    np.testing.assert_allclose(shares.sum(0), slopes, rtol=1e-5)


def test_losses_of_a_block_are_summed_by_one_logarithm() -> None:
    """At the ends of what denominators can be, for as many items as there can be: no infinity, no zero."""
    margins = np.linspace(-5, 0, POOL_BLOCK, dtype=np.float32)
    for denominator in (2**-11, 1, 2**31 + 1):
        denominators = np.full(POOL_BLOCK, denominator, np.float32)
        expected = (np.log(denominators.astype(float)) - margins).sum()
        assert SUM_LOSSES(denominators, margins, POOL_BLOCK) == pytest.approx(expected)
