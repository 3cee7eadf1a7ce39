"""Finding numbers in stretches of ascending arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec.kernels.data.sorted_lookup import holds

HOLDS: Any = holds


@pytest.mark.parametrize("n_seen", [0, 1, 7, 8, 9, 40, 100])
def test_seen_items_are_distinguished_from_the_others(n_seen: int) -> None:
    """Whether the list is short enough to be walked or is halved first, at every place of a longer array."""
    items = np.sort(np.random.default_rng(n_seen).choice(200, n_seen, replace=False)).astype(np.int32)
    indices = np.concatenate([np.arange(5), items, np.arange(5)]).astype(np.int32)
    found = [item for item in range(200) if HOLDS(indices, 5, 5 + n_seen, item)]
    assert found == items.tolist()


def test_holds_agrees_with_membership() -> None:
    values = np.array([1, 4, 6, 9], dtype=np.int32)
    assert [number for number in range(-1, 12) if HOLDS(values, 0, len(values), number)] == [1, 4, 6, 9]
    assert not HOLDS(values[:0], 0, 0, 0)
