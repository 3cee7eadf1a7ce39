"""A full buffer of keys is cut, even if keys are not unique; keys made at once are those made one by one."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.kernels.search.selection import decode_items, encode_key, encode_keys, keep_best


@pytest.mark.parametrize("slack", [0, 2])
@pytest.mark.parametrize("n_copies", [1, 3, 200])
def test_keys_that_are_not_unique_are_cut_too(n_copies: int, slack: int) -> None:
    """The file of a coarse index that held an item twice made equal keys: halving their interval never ended."""
    best, copies = np.arange(100, 105), np.full(n_copies, 50)
    keys = np.concatenate([copies, best, np.arange(-200, 0)])
    count, floor = keep_best(keys, len(keys), 7, slack)
    assert 7 <= count <= 7 + slack
    assert (keys[:count] >= floor).all()


def test_keys_made_at_once_are_those_made_one_by_one() -> None:
    scores = np.array([0.0, -0.0, 1.5, -2.25, 3e38, -3e38, 1e-40], dtype=np.float32)
    items = np.array([0, 1, 5, 2**31 - 1, 7, 9, 3], dtype=np.int64)
    one_by_one = [encode_key(bits, np.int32(item)) for bits, item in zip(scores.view(np.int32), items, strict=True)]
    keys = encode_keys(scores, items)
    assert keys.tolist() == one_by_one
    assert decode_items(keys).tolist() == items.tolist()
