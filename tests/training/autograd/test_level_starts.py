"""Levels that start one after the other in the torch engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.training.worlds import tiny

torch = pytest.importorskip("torch")

from nestrec.training.autograd.autograd_engine import AutogradEngine  # noqa: E402
from nestrec.training.samplers import UniformSampler  # noqa: E402
from tests.training.autograd.engines import one_epoch, started, torch_trainer  # noqa: E402

WIDTHS, WEIGHTS, L2 = (2, 5, 9), (0.2, 0.3, 0.5), (0.05, 0.1, 0.2)


def engine_of(n: int, **options: Any) -> AutogradEngine:
    """Return an engine of the n narrowest widths, without regularization of its own choice."""
    weights = [weight / sum(WEIGHTS[:n]) for weight in WEIGHTS[:n]]
    trainer = torch_trainer(widths=WIDTHS[:n], level_weights=weights, regularization=L2[:n], **options)
    return started(trainer)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(
    "options", [{}, {"loss": "bsl"}, {"loss": "directau"}, {"backbone": "lightgcn", "loss": "softmax"}], ids=str
)
def test_the_first_levels_are_trained_as_an_engine_of_these_widths_trains_them(n: int, options: dict[str, Any]) -> None:
    """The oracle has the same initial values; the other dimensions keep every bit."""
    whole, alone = engine_of(len(WIDTHS), **options), engine_of(n, **options)
    width = WIDTHS[n - 1]
    alone._table.copy_(whole._table[:, :width])
    before = whole._table.clone()
    whole.use_levels(n)
    assert one_epoch(whole) == pytest.approx(one_epoch(alone), rel=1e-5)
    np.testing.assert_allclose(whole._table[:, :width].numpy(), alone._table.numpy(), rtol=2e-4, atol=1e-5)
    np.testing.assert_array_equal(whole._table[:, width:].numpy(), before[:, width:].numpy())


@pytest.mark.parametrize(
    "options", [{"loss": "bpr"}, {"sampler": "adaptive"}, {"sampler": UniformSampler(shared=True)}], ids=str
)
def test_pairs_leave_dimensions_of_levels_that_have_not_started(options: dict[str, Any]) -> None:
    """Their negatives are drawn for all levels, so there is no engine of fewer that draws the same."""
    engine = engine_of(len(WIDTHS), **options)
    before = engine._table.clone()
    engine.use_levels(2)
    one_epoch(engine)
    assert (engine._table[:, :5] != before[:, :5]).any(dim=0).all()
    np.testing.assert_array_equal(engine._table[:, 5:].numpy(), before[:, 5:].numpy())
    engine.use_levels(3)
    one_epoch(engine, epoch=1)
    assert (engine._table != before).any(dim=0).all()


def test_all_levels_train_again_after_a_few() -> None:
    one, other = engine_of(3), engine_of(3)
    one.use_levels(1)
    one.use_levels(3)
    assert one_epoch(one) == one_epoch(other)
    assert torch.equal(one._table, other._table)


def test_default_starts_train_on_both_engines_alike() -> None:
    """The same options are in both manifests."""
    options: dict[str, Any] = {"widths": (2, 4, 8), "epochs": 10, "rotate": False}
    from nestrec.training.trainer import Trainer

    starts = [
        trainer.fit(tiny(), validation=None).manifest["training"]["options"]["level_starts"]
        for trainer in (Trainer(**options), torch_trainer(**options))
    ]
    assert starts[0] == starts[1] == pytest.approx([0, 0.1, 0.15])
