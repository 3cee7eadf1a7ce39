"""Rounds of the softmax against a plain reading in float64, on several threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec.kernels.training import deterministic_softmax as kernel
from nestrec.kernels.training.block_lanes import DIMENSION_LANES
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.parallel.threads import map_in_threads
from tests.kernels.training.test_nested_bpr import Case, case
from tests.kernels.training.test_nested_softmax import arguments_of, new_state, plain

TRAIN: Any = kernel.train_rounds
SHARD_OF: Any = kernel.shard_of
FOLLOWING: Any = kernel.following


def run(world: Case, n_blocks: int, threads: int) -> tuple[dict[str, Any], float, int]:
    state = new_state(world)
    n_rows, padded = 2 * POOL_BLOCK + world.n_candidates, -(-world.stride // DIMENSION_LANES) * DIMENSION_LANES
    n_all = -(-len(world.indices) // POOL_BLOCK)
    losses, counts = np.empty(n_all), np.empty(n_all, np.int64)
    shared = (
        n_blocks,
        np.empty(n_blocks * n_rows, np.int64),
        np.empty(n_blocks * n_rows * padded, np.float32),
        np.empty(n_blocks * len(world.widths) * world.n_candidates, np.float32),
        np.zeros(n_blocks + threads, np.int64),
        np.zeros(kernel.N_COUNTERS, np.int64),
        losses,
        counts,
    )
    arguments = *arguments_of(world, state), 0, len(world.indices)
    map_in_threads(lambda thread: TRAIN(thread, threads, *shared, *arguments), range(threads), threads)
    return state, float(losses.sum()), int(counts.sum())


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("n_blocks", [1, 2, 3])
def test_rounds_are_the_plain_ones(n_blocks: int, is_weighted: bool) -> None:
    """Parameters, accumulators and loss of a whole pass agree with float64; the last round is not whole."""
    world = case((3, 8, 20), 64, n_items=60)
    world = world.weighted() if is_weighted else world
    assert len(world.indices) > 3 * POOL_BLOCK
    state, loss, n_trained = run(world, n_blocks, 2)
    expected, expected_loss = plain(world, n_blocks)
    assert n_trained == len(world.indices)
    assert loss == pytest.approx(expected_loss, rel=1e-4)
    for name, array in state.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-2, atol=2e-3, err_msg=name)


def test_threads_beyond_the_blocks_of_a_round_change_nothing() -> None:
    world = case((4, 8), 64, n_items=60)
    one, several = run(world, 2, 1), run(world, 2, 5)
    assert one[1:] == several[1:]
    for name, array in one[0].items():
        np.testing.assert_array_equal(array, several[0][name], err_msg=name)


def test_shards_are_alike_in_size() -> None:
    """Also for rows that are all even, or a range."""
    for rows in (range(3000), range(0, 6000, 2), range(10**9, 10**9 + 3000)):
        for n_shards in (1, 2, 3, 16):
            sizes = np.bincount([SHARD_OF(row, n_shards) for row in rows], minlength=n_shards)
            assert len(sizes) == n_shards
            assert sizes.max() - sizes.min() < 0.1 * 3000


def test_a_thread_goes_on_with_its_own_blocks() -> None:
    """Two threads, rounds of five blocks: thread 1 has the blocks 1, 3, 6, 8, …, and after another's its next round."""
    begin = 7 * POOL_BLOCK
    own = [begin + POOL_BLOCK * block for block in (1, 3, 6, 8, 11)]
    assert [FOLLOWING(start, begin, 1, 2, 5) for start in own[:-1]] == own[1:]
    assert FOLLOWING(begin, begin, 1, 2, 5) == begin + POOL_BLOCK * 6
