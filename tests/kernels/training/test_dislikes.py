"""The kernel of dislikes against a plain reading of the objective in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.kernels.counter_rng import below, half_bits_of, permute
from nestrec.kernels.training import dislikes as kernel
from tests.kernels.test_counter_rng import bits_of
from tests.kernels.training.test_nested_bpr import KEY, Case, case
from tests.kernels.training.test_nested_softmax import FIRST_SQUARE, new_state, pulls_of, sharpness_of, take

Matrix = npt.NDArray[np.float64]
Dislikes = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]  # users and items
TRAIN: Any = kernel.train_slice


def dislikes_of(world: Case) -> Dislikes:
    """Return two items for every user that the user has not seen."""
    users, items = [], []
    for user in range(len(world.indptr) - 1):
        unseen = np.setdiff1d(np.arange(world.n_items), world.indices[world.indptr[user] : world.indptr[user + 1]])
        users += [user, user]
        items += unseen[[0, -1]].tolist()
    return np.array(users, dtype=np.int32), np.array(items, dtype=np.int32)


def run(
    world: Case, dislikes: Dislikes, start: int = 0, stop: int | None = None, state: dict[str, Any] | None = None
) -> tuple[dict[str, Any], float]:
    state = new_state(world) if state is None else state
    loss = TRAIN(
        *(state[name].reshape(-1) for name in ("users", "items", "user_squares", "item_squares")),
        world.indptr,
        world.indices,
        *dislikes,
        np.array(world.widths),
        np.array(world.weights, np.float32),
        pulls_of(world).ravel(),
        sharpness_of(world),
        world.stride,
        np.float32(world.rate),
        KEY,
        start,
        len(dislikes[0]) if stop is None else stop,
    )
    return state, loss


def plain(world: Case, dislikes: Dislikes) -> tuple[dict[str, Matrix], float]:
    """The objective and its Adagrad steps, one dislike after the other, from formulas alone."""
    users, items = world.users.astype(float), world.items.astype(float)
    squares = np.full_like(users, FIRST_SQUARE), np.full_like(items, FIRST_SQUARE)
    n, total = len(dislikes[0]), 0.0
    for position in range(n):
        row = permute(position, n, half_bits_of(n), KEY)
        user, item = int(dislikes[0][row]), int(dislikes[1][row])
        seen = world.indices[world.indptr[user] : world.indptr[user + 1]]
        if not len(seen):
            continue
        positive = int(seen[below(bits_of(KEY, position), len(seen))])
        u, v, k = users[user].copy(), items[positive].copy(), items[item].copy()
        slopes = np.zeros(world.stride)
        for level, (width, weight, sharp) in enumerate(
            zip(world.widths, world.weights, sharpness_of(world), strict=True)
        ):
            margin = sharp * (k[:width] - v[:width]) @ u[:width]
            total += weight * np.logaddexp(0, margin) / sharp
            pull = np.repeat(pulls_of(world)[: level + 1, level], np.diff((0, *world.widths[: level + 1])))
            slopes[:width] += pull / (1 + np.exp(-margin))
        take(users, squares[0], user, slopes * (k - v), world.rate)
        take(items, squares[1], item, slopes * u, world.rate)
        take(items, squares[1], positive, -slopes * u, world.rate)
    return {"users": users, "items": items, "user_squares": squares[0], "item_squares": squares[1]}, total


@pytest.mark.parametrize("widths", [(3, 8, 20), (7,), (1, 2, 9, 33)])
def test_one_pass_is_the_plain_one(widths: tuple[int, ...]) -> None:
    """Parameters, accumulators and loss of a whole pass agree with float64 to float32's precision."""
    world = case(widths, 64)
    dislikes = dislikes_of(world)
    state, loss = run(world, dislikes)
    expected, expected_loss = plain(world, dislikes)
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    for name, array in state.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-2, atol=2e-3, err_msg=name)


def test_slices_are_one_pass() -> None:
    world = case((4, 8), 64)
    dislikes = dislikes_of(world)
    whole, loss = run(world, dislikes)
    parts, first = run(world, dislikes, 0, 20)
    parts, second = run(world, dislikes, 20, None, parts)
    assert loss == pytest.approx(first + second)
    for name, array in whole.items():
        np.testing.assert_array_equal(array, parts[name], err_msg=name)


def test_a_user_without_interactions_is_skipped() -> None:
    world = case((4,), 64, n_users=3, density=0.0)
    dislikes = np.array([0, 2], dtype=np.int32), np.array([5, 6], dtype=np.int32)
    state, loss = run(world, dislikes)
    assert loss == 0
    np.testing.assert_array_equal(state["items"], world.items)


def test_coordinates_beyond_the_embedding_size_stay_zero() -> None:
    world = case((3, 5), 64)
    state, _ = run(world, dislikes_of(world))
    assert not state["users"][:, 5:].any()
    assert not state["items"][:, 5:].any()
