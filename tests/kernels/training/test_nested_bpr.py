"""The fused kernel against a plain reading of the objective, and its choice of negatives against brute force."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.kernels.counter_rng import below, half_bits_of, permute
from nestrec.kernels.training import nested_bpr as kernel
from nestrec.kernels.training.candidates import any_unseen
from nestrec.kernels.training.tile_sizes import BLOCK
from tests.kernels.test_counter_rng import bits_of

Matrix = npt.NDArray[np.float64]
KEY: Any = np.uint64(99)


@dataclass
class Case:
    """A small world in the kernel's layout."""

    widths: tuple[int, ...]
    weights: tuple[float, ...]
    n_candidates: int
    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    n_items: int
    users: npt.NDArray[np.float32]
    items: npt.NDArray[np.float32]
    l2_weights: npt.NDArray[np.float32]  # (stride,)
    rate: float = 0.1
    importance: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # none: all 1

    def weighted(self) -> Case:
        """The same with a weight for each interaction, some of them far from 1."""
        n = len(self.indices)
        return replace(self, importance=np.random.default_rng(4).exponential(size=n).astype(np.float32) ** 2)

    @property
    def stride(self) -> int:
        return int(self.users.shape[1])

    def run(self, start: int = 0, stop: int | None = None) -> tuple[dict[str, npt.NDArray[np.float32]], float, int]:
        state = {"users": self.users.copy(), "items": self.items.copy()}
        state["user_squares"] = np.full_like(self.users, 1e-4)
        state["item_squares"] = np.full_like(self.items, 1e-4)
        loss, n = self.train(state, start, len(self.indices) if stop is None else stop)
        return state, loss, n

    def train(self, state: dict[str, npt.NDArray[np.float32]], start: int, stop: int) -> tuple[float, int]:
        widths = np.array(self.widths)
        kernel_of_any_types: Any = kernel.train_slice
        result: tuple[float, int] = kernel_of_any_types(
            *(state[name].reshape(-1) for name in ("users", "items", "user_squares", "item_squares")),
            self.indptr,
            self.indices,
            np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int32), np.diff(self.indptr)),
            self.importance,
            widths,
            np.array(self.weights, np.float32),
            (np.arange(self.stride) < widths[:, None]).astype(np.float32).ravel(),
            self.stride,
            self.n_candidates,
            np.float32(self.rate),
            self.l2_weights,
            KEY,
            start,
            stop,
        )
        return result


def case(
    widths: tuple[int, ...] = (3, 8, 20),
    n_candidates: int = 5,
    n_users: int = 30,
    n_items: int = 60,
    density: float = 0.2,
    scale: float = 0.4,
    weights: tuple[float, ...] | None = None,
) -> Case:
    rng = np.random.default_rng(3)
    matrix = rng.random((n_users, n_items)) < density
    stride = -(-widths[-1] // 8) * 8
    vectors = []
    for n_rows in (n_users, n_items):
        values = np.zeros((n_rows, stride), np.float32)
        values[:, : widths[-1]] = rng.normal(size=(n_rows, widths[-1])) * scale
        vectors.append(values)
    indptr = np.concatenate([[0], matrix.sum(1).cumsum()]).astype(np.int64)
    indices = np.flatnonzero(matrix.ravel()) % n_items
    weights = weights or (1 / len(widths),) * len(widths)
    l2_weights = np.linspace(0.05, 0.01, stride, dtype=np.float32)
    return Case(
        widths, weights, n_candidates, indptr, indices.astype(np.int32), n_items, vectors[0], vectors[1], l2_weights
    )


ANY_UNSEEN: Any = any_unseen
SOFTPLUS: Any = kernel.softplus_and_slope


def choose(world: Case, users: Matrix, items: Matrix, tile: Matrix, position: int) -> list[tuple[int, float]]:
    """Plain reading of the choice: (item, score) per level, the best unseen of the level's window of the block's pool.

    The tile is a copy of the items made when the block began; where it offers nothing, any unseen item as it is now.
    """
    n, n_levels = len(world.indices), len(world.widths)
    window = -(-world.n_candidates // 8) * 8
    size = -(-window // 64) * 64
    n_windows = size // window
    block = position // BLOCK
    pool = [below(bits_of(KEY, block * size + lane), world.n_items) for lane in range(size)]
    row = permute(position, n, half_bits_of(n), KEY)
    user = int(np.searchsorted(world.indptr, row, side="right")) - 1
    seen = set(world.indices[world.indptr[user] : world.indptr[user + 1]].tolist())
    bits = bits_of(~KEY, position)
    result = []
    for level in range(n_levels):
        width = world.widths[level]
        first = ((below(bits, n_windows) + level) % n_windows) * window
        candidates = [item for item in pool[first : first + world.n_candidates] if item not in seen]
        if candidates:
            result.append(
                max(((c, float(users[user, :width] @ tile[c, :width])) for c in candidates), key=lambda c: c[1])
            )
        else:
            unseen = [item for item in range(world.n_items) if item not in seen]
            item = unseen[below(bits_of(bits, level), len(unseen))]
            result.append((item, float(users[user, :width] @ items[item, :width])))
    return result


def plain(world: Case) -> tuple[dict[str, Matrix], float]:
    """The objective and its Adagrad steps in float64, one positive at a time, from formulas alone."""
    users, items = world.users.astype(float), world.items.astype(float)
    squares = np.full_like(users, 1e-4), np.full_like(items, 1e-4)
    total, n = 0.0, len(world.indices)
    tile = items.copy()
    for position in range(n):
        if position % BLOCK == 0:
            tile = items.copy()
        row = permute(position, n, half_bits_of(n), KEY)
        user, item = int(np.searchsorted(world.indptr, row, side="right")) - 1, int(world.indices[row])
        negatives = choose(world, users, items, tile, position)
        u, v = users[user].copy(), items[item].copy()
        user_gradient, item_gradient = world.l2_weights * u, world.l2_weights * v
        importance = world.importance[row] if len(world.importance) else 1.0
        updates = []
        for (negative, score), width, weight in zip(negatives, world.widths, world.weights, strict=True):
            margin = score - u[:width] @ v[:width]
            total += importance * weight * np.logaddexp(0, margin)
            slope = importance * weight / (1 + np.exp(-margin))
            item_gradient[:width] -= slope * u[:width]
            user_gradient[:width] -= slope * v[:width]
            updates.append((negative, width, weight, slope))
        for negative, width, weight, slope in updates:
            j = items[negative, :width]
            user_gradient[:width] += slope * j
            gradient = slope * u[:width] + weight * world.l2_weights[:width] * j
            squares[1][negative, :width] += gradient**2
            items[negative, :width] -= world.rate * gradient / np.sqrt(squares[1][negative, :width])
        # the positive's row may also be a negative's: its regulariser is taken at the step
        item_gradient += world.l2_weights * (items[item] - v)
        squares[1][item] += item_gradient**2
        items[item] -= world.rate * item_gradient / np.sqrt(squares[1][item])
        squares[0][user] += user_gradient**2
        users[user] -= world.rate * user_gradient / np.sqrt(squares[0][user])
    return {"users": users, "items": items, "user_squares": squares[0], "item_squares": squares[1]}, total


@pytest.mark.parametrize(
    ("widths", "n_candidates", "weights"),
    [
        ((3, 8, 20), 5, None),
        ((4, 8, 16), 16, (0.5, 0.3, 0.2)),
        ((7,), 1, None),
        ((1, 2, 9, 33), 70, None),
    ],
)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_one_pass_is_the_plain_one(
    widths: tuple[int, ...], n_candidates: int, weights: tuple[float, ...] | None, is_weighted: bool
) -> None:
    """Parameters, accumulators and loss of a whole pass agree with float64 to float32's precision."""
    world = case(widths, n_candidates, weights=weights)
    world = world.weighted() if is_weighted else world
    state, loss, n_trained = world.run()
    expected, expected_loss = plain(world)
    assert n_trained == len(world.indices)
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    for name, array in state.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-2, atol=2e-3, err_msg=name)


def test_coordinates_beyond_the_embedding_size_stay_zero() -> None:
    world = case((3, 5))
    state, _, _ = world.run()
    assert not state["users"][:, 5:].any()
    assert not state["items"][:, 5:].any()


def test_slices_cut_at_blocks_are_one_pass() -> None:
    """Where an epoch is cut does not change what it does, so a resumed run repeats nothing."""
    world = case()
    whole, loss, _ = world.run()
    first, loss_first, _ = world.run(0, 4 * BLOCK)
    loss_second, _ = world.train(first, 4 * BLOCK, len(world.indices))
    assert loss_first + loss_second == pytest.approx(loss, rel=1e-12)
    for name, array in whole.items():
        np.testing.assert_array_equal(array, first[name])


def test_whoever_has_everything_is_passed_over() -> None:
    """A user without an unseen item has no negative; nobody is given a false one."""
    world = case(n_users=3, n_items=10, density=1.1)
    state, loss, n_trained = world.run()
    assert (loss, n_trained) == (0.0, 0)
    np.testing.assert_array_equal(state["users"], world.users)


def test_with_one_item_left_that_item_is_the_negative() -> None:
    """However few items are unseen, a negative is found and it is one of them."""
    world = case((4,), n_candidates=2, n_users=1, n_items=500, density=1.1)
    world.indices = np.delete(world.indices, 321).astype(np.int32)
    world.indptr = np.array([0, 499], dtype=np.int64)
    world.l2_weights[:] = 0
    state, _, n_trained = world.run()
    assert n_trained == 499
    assert state["item_squares"][321, 0] == state["item_squares"][:, 0].max()
    assert state["items"][321] @ state["users"][0] < np.delete(state["items"] @ state["users"][0], 321).min()


def test_any_unseen_draws_each_unseen_item_equally() -> None:
    """Ranks map one to one to the unseen items."""
    seen = np.array([0, 3, 4, 9], dtype=np.int32)
    drawn = {ANY_UNSEEN(seen, 0, 4, 10, np.uint64(rank) << np.uint64(61)) for rank in range(8)}
    assert drawn <= {1, 2, 5, 6, 7, 8}
    counts = np.bincount([ANY_UNSEEN(seen, 0, 4, 10, bits_of(KEY, k)) for k in range(6000)], minlength=10)
    assert counts[[0, 3, 4, 9]].sum() == 0
    assert counts[[1, 2, 5, 6, 7, 8]].min() > 800


@pytest.mark.parametrize("margin", [-1e4, -89.0, -1.0, 0.0, 1.0, 89.0, 1e4])
def test_loss_is_finite_at_any_margin(margin: float) -> None:
    """log(1 + exp(x)) would be infinite in float32 from x = 89."""
    loss, slope = SOFTPLUS(np.float32(margin))
    assert loss == pytest.approx(np.logaddexp(0, margin), rel=1e-5, abs=1e-30)
    assert slope == pytest.approx(1 / (1 + np.exp(-np.float64(margin))) if margin > -700 else 0.0, rel=1e-5, abs=1e-30)
