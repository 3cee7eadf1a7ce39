"""The compiled kernel draws and scores as plain torch does."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from tests.training.worlds import from_sets, tiny

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from nestrec.training.autograd.candidates import CandidateRequest, Candidates  # noqa: E402
from nestrec.training.autograd.scoring import Compiled, Plain  # noqa: E402
from nestrec.training.autograd.unseen import SeenItems  # noqa: E402

CPU = torch.device("cpu")
WIDTHS = (1, 3, 20, 33)


def vectors(seed: int = 4) -> tuple[Tensor, Tensor]:
    """Return 33 numbers of each user and each item of the tiny world."""
    rng = np.random.default_rng(seed)
    users, items = (
        torch.from_numpy(rng.standard_normal((n, 33), dtype=np.float32)) for n in (tiny().n_users, tiny().n_items)
    )
    return users, items


def positives(n: int) -> Tensor:
    users: Tensor = torch.from_numpy(np.random.default_rng(5).integers(0, tiny().n_users, n))
    return users


def plain(users: Tensor, items: Tensor, wanted: CandidateRequest) -> Candidates:
    return Plain(tiny().indptr, tiny().indices, tiny().n_items, CPU)(users, items, wanted)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("first_position", "key"), [(0, 3), (4096, 2**63 + 11)])
def test_the_kernel_is_the_plain_reading(threads: int, first_position: int, key: int) -> None:
    """The same candidates exactly, scores to float32's precision; 1,001 positives are shared by threads unevenly."""
    users, items = vectors()
    wanted = CandidateRequest(positives(1001), WIDTHS, 5, key, first_position)
    kernel = Compiled(tiny().indptr, tiny().indices, tiny().n_items, threads)(users, items, wanted)
    expected = plain(users, items, wanted)
    assert kernel.items.shape == (1001, 4, 5)
    assert torch.equal(kernel.items, expected.items)
    np.testing.assert_allclose(kernel.scores.numpy(), expected.scores.numpy(), rtol=1e-5, atol=1e-5)


def test_scores_are_those_of_the_prefix() -> None:
    """By one product at a time, in float64."""
    users, items = vectors()
    rows = positives(20)
    drawn = plain(users, items, CandidateRequest(rows, WIDTHS, 3, 9, 0))
    for row, user in enumerate(rows.tolist()):
        for level, width in enumerate(WIDTHS):
            for item, score in zip(drawn.items[row, level].tolist(), drawn.scores[row, level].tolist(), strict=True):
                expected = users[user, :width].double() @ items[item, :width].double()
                assert score == pytest.approx(float(expected), rel=1e-5, abs=1e-5)


def test_levels_and_positives_have_candidates_of_their_own() -> None:
    users, items = vectors()
    drawn = plain(users, items, CandidateRequest(torch.zeros(40, dtype=torch.int64), (8, 8), 6, 9, 0)).items
    assert len({tuple(pool) for pool in drawn.view(80, 6).tolist()}) == 80


@pytest.mark.parametrize("n_items", [5, 64, 97])
def test_seen_lanes_are_those_that_are_held(n_items: int) -> None:
    """Of pools that neighbours share, the last by fewer; of catalogues smaller than the pool too."""
    rng = np.random.default_rng(n_items)
    world = from_sets([rng.choice(n_items, n_items // 3, replace=False).tolist() for _ in range(30)], n_items)
    pools = torch.from_numpy(np.sort(np.arange(64) * n_items // 64 + np.zeros((3, 1), dtype=np.int64), axis=1))
    users = torch.from_numpy(rng.integers(0, 30, 2 * POOL_BLOCK + 7))
    seen = Compiled(world.indptr, world.indices, n_items, 1).seen_lanes(users, pools, POOL_BLOCK)
    spread = pools.repeat_interleave(POOL_BLOCK, dim=0)[: len(users)]
    holds = SeenItems(world.indptr, world.indices, n_items, CPU).holds(users[:, None].expand_as(spread), spread)
    assert torch.equal(seen, holds)
    assert 0.1 < float(seen.float().mean()) < 0.6


def test_choices_in_half_precision_are_mostly_those_in_full() -> None:
    """bfloat16 keeps 8 bits: of 16 candidates the best changes only where the two best nearly tie."""
    users, items = vectors()
    rows = positives(2000)
    full, half = (
        plain(users.to(kind), items.to(kind), CandidateRequest(rows, WIDTHS, 16, 3, 0))
        for kind in (torch.float32, torch.bfloat16)
    )
    assert torch.equal(full.items, half.items)
    assert half.scores.dtype == torch.float32
    agreeing = (full.scores.argmax(-1) == half.scores.argmax(-1)).float().mean()
    assert 0.95 < float(agreeing) < 1.0
