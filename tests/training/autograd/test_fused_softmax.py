"""The kernels of the softmax over pools do what plain torch does: on a GPU, else in Triton's interpreter."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.data.interactions import Interactions
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.training.engines import TorchEngine
from nestrec.training.losses import SampledSoftmax
from nestrec.training.options import Run
from nestrec.training.samplers import PoolSampler
from tests.training.worlds import from_sets, weighted

torch = pytest.importorskip("torch")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are imported
pytest.importorskip("triton")

from nestrec.training.autograd.autograd_engine import AutogradEngine, _concatenate  # noqa: E402
from nestrec.training.autograd.counter_rng import Draws  # noqa: E402
from nestrec.training.autograd.fused import pool_softmax  # noqa: E402
from nestrec.training.autograd.fused_loss import FusedPools  # noqa: E402
from nestrec.training.autograd.negatives import Moment  # noqa: E402
from nestrec.training.autograd.optimizer_steps import add_l2  # noqa: E402
from tests.training.autograd.engines import torch_trainer  # noqa: E402

Array = npt.NDArray[np.float32]


def world(*, is_weighted: bool = False) -> Interactions:
    """Return users who have seen next to nothing, half of the items, and all but one."""
    n_items = 150
    sets = [[3], list(range(0, n_items, 2)), list(range(n_items - 1)), [0, 149], list(range(5, 25))]
    return weighted(from_sets(sets, n_items)) if is_weighted else from_sets(sets, n_items)


def started(
    monkeypatch: pytest.MonkeyPatch, fused: bool, batch: int, is_weighted: bool = False, **options: Any
) -> AutogradEngine:
    monkeypatch.setattr("nestrec.training.autograd.fused.serves", lambda _device: fused)
    engine = torch_trainer(**{"engine": TorchEngine(DEVICE.type, None, batch), "regularization": 0.3, **options})
    started = engine.resolve(world(is_weighted=is_weighted)).start_engine(Run(seed=2))
    assert isinstance(started, AutogradEngine)
    return started


def gradients(engine: AutogradEngine, n: int) -> tuple[float, Array]:
    """Return the loss and all gradients of a batch of the first n positives in the epoch's order."""
    rows = engine._order_of(0)[:n]
    moment = engine._moment(0, 0)
    batch = engine._batches.batch(engine._positives.at(rows), engine._table[None], moment)
    nodes = engine._rows(batch)
    if isinstance(engine._fused_loss, FusedPools):
        loss, gradient = engine._fused_loss(engine._table, nodes, batch.weights)
        return float(loss), gradient.cpu().numpy()
    leaves = engine._leaves(nodes, engine._table[None])
    result = engine._loss(batch, leaves)
    found = [of[0] for of in result.gradients]
    add_l2(found, [leaf.detach()[0] for leaf in leaves.all()], result.l2_weights, n)
    return float(result.loss), _concatenate(found).cpu().numpy()


@pytest.mark.parametrize(
    ("widths", "n_candidates", "n", "options"),
    [
        ((1, 3, 20, 33), 64, POOL_BLOCK + 5, {}),
        ((4, 8, 16, 32, 64), 128, 2 * POOL_BLOCK, {"starting_scale": 0.3}),
        ((4, 20), 64, POOL_BLOCK + 5, {"is_weighted": True}),
        ((4, 20), 64, POOL_BLOCK, {"is_weighted": True, "regularize_whole": True}),
        ((7,), 192, 3, {}),
        ((16, 80), 64, POOL_BLOCK + 1, {"regularize_whole": True, "starting_scale": 1.0}),
        ((2, 9), 256, 2 * POOL_BLOCK, {"loss": SampledSoftmax(temperature=0.05, coupling=1.0)}),
    ],
)
def test_losses_and_gradients_are_those_of_plain_torch(
    widths: tuple[int, ...], n_candidates: int, n: int, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Levels narrower than a product takes and wider than a tile; a last block that is not full; seen items."""
    given = {"widths": widths, "sampler": PoolSampler(n_candidates), **options}
    (plain_loss, expected), (loss, found) = (
        gradients(started(monkeypatch, fused, 4 * POOL_BLOCK, **given), n) for fused in (False, True)
    )
    assert loss == pytest.approx(plain_loss, rel=1e-5)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_the_kernels_serve_the_default_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = started(monkeypatch, True, POOL_BLOCK)
    assert isinstance(engine.config.loss, SampledSoftmax)
    assert isinstance(engine._fused_loss, FusedPools)


@pytest.mark.parametrize(("key", "position"), [(3, 0), (2**63 + 11, 4 * POOL_BLOCK), (2**64 - 1, 2**40)])
@pytest.mark.parametrize("n_items", [40, 150, 2**31 - 1])
def test_pools_are_those_of_plain_torch(key: int, position: int, n_items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same items, in a catalogue that is smaller than the pool too."""
    plain, fused = (started(monkeypatch, of, POOL_BLOCK)._batches for of in (False, True))
    moment = Moment(0, key, position, Draws(key, position, DEVICE))
    plain.n_items = fused.n_items = n_items
    assert torch.equal(fused._pools(3 * POOL_BLOCK + 1, moment), plain._pools(3 * POOL_BLOCK + 1, moment))


def test_equal_batches_have_equal_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = started(monkeypatch, True, POOL_BLOCK)
    (one, first), (other, second) = (gradients(engine, POOL_BLOCK) for _ in range(2))
    assert one == other
    np.testing.assert_array_equal(first, second)


@pytest.mark.skipif(DEVICE.type == "cpu", reason="the interpreter computes all products in float32")
@pytest.mark.parametrize("precision", ["ieee", "tf32x3"])
def test_products_are_as_exact_as_float32(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_softmax, "PRECISION", precision)
    (_, expected), (_, found) = (
        gradients(started(monkeypatch, fused, POOL_BLOCK), POOL_BLOCK) for fused in (False, True)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
