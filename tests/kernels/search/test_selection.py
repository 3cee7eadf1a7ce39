"""Cutting a buffer of keys ends and leaves room, even where keys are not unique."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.kernels.search.selection import keep_best


@pytest.mark.parametrize("slack", [0, 2])
@pytest.mark.parametrize("n_copies", [1, 3, 200])
def test_keys_that_are_not_unique_are_cut_too(n_copies: int, slack: int) -> None:
    """The file of a coarse index that held an item twice made equal keys: halving their interval never ended."""
    best, copies = np.arange(100, 105), np.full(n_copies, 50)
    keys = np.concatenate([copies, best, np.arange(-200, 0)])
    count, floor = keep_best(keys, len(keys), 7, slack)
    assert 7 <= count <= 7 + slack
    assert (keys[:count] >= floor).all()
