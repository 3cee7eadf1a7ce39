"""Panels cover every dimension once, by its own level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec.kernels.training import panels as kernel
from nestrec.kernels.training.block_lanes import DIMENSION_LANES

LAY_OUT: Any = kernel.lay_out_panels


@pytest.mark.parametrize("widths", [(4, 8, 16, 32, 64), (1, 2, 3), (7, 40), (64,), (1, 15, 16, 17, 33)])
def test_every_dimension_is_in_one_panel(widths: tuple[int, ...]) -> None:
    l2_weights = np.random.default_rng(1).random(-(-widths[-1] // 8) * 8).astype(np.float32)
    panels = LAY_OUT(np.array(widths), l2_weights)
    masks, decays = panels.masks.reshape(-1, DIMENSION_LANES), panels.decays.reshape(-1, DIMENSION_LANES)
    dimensions = panels.dimensions[:, None] + np.arange(DIMENSION_LANES)
    own = masks == 1
    assert (masks[~own] == 0).all()
    assert (decays[~own] == 0).all()
    assert (np.diff(panels.dimensions) >= 0).all()
    np.testing.assert_array_equal(dimensions[own], np.arange(widths[-1]))
    np.testing.assert_array_equal(decays[own], l2_weights[: widths[-1]])
    levels = np.searchsorted(widths, np.arange(widths[-1]), side="right")
    np.testing.assert_array_equal(np.broadcast_to(panels.levels[:, None], own.shape)[own], levels)
