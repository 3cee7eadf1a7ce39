"""What kernels follow without looking is checked where interactions are made, whoever makes them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nestrec.data import interactions as module
from nestrec.data.dislikes import with_dislikes
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError


def made(indptr: list[int], indices: list[int], n_items: int = 4) -> Interactions:
    users, items = (Vocabulary(np.arange(n, dtype=np.int64)) for n in (len(indptr) - 1, n_items))
    return Interactions(users, items, np.array(indptr, dtype=np.int64), np.array(indices, dtype=np.int32))


@pytest.mark.parametrize(
    ("indptr", "indices", "message"),
    [
        ([0, 2, 3], [0, 4, 1], "from 0 to 3"),
        ([0, 2, 3], [0, 2**31 - 1, 1], "from 0 to 3"),
        ([0, 2, 3], [-1, 2, 1], "from 0 to 3"),
        ([0, 2, 3], [2, 0, 1], "2 before 0 in row 0"),
        ([0, 1, 3], [3, 1, 1], "1 before 1 in row 1"),
        ([0, 1, 1, 3], [3, 2, 1], "2 before 1 in row 2"),
        ([0, 3, 1, 3], [0, 1, 2], "indptr must ascend"),
        ([0, -1, 3], [0, 1, 2], "indptr must ascend"),
        ([0, 7, 3], [0, 1, 2], "indptr must ascend"),
    ],
)
def test_indices_that_lead_out_of_an_array_are_refused(indptr: list[int], indices: list[int], message: str) -> None:
    """The constructor took them, and training on them wrote into other memory."""
    with pytest.raises(DataError, match=message):
        made(indptr, indices)


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 100])
def test_rows_are_checked_across_the_parts_that_they_are_checked_in(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", at_once)
    rng = np.random.default_rng(at_once)
    for _ in range(200):
        sizes = rng.integers(0, 4, 6)
        indptr = [0, *np.cumsum(sizes).tolist()]
        indices = rng.integers(0, 3, indptr[-1]).tolist()
        rows = [indices[low:high] for low, high in pairwise(indptr)]
        if all(row == sorted(set(row)) for row in rows):
            assert made(indptr, indices).n_interactions == len(indices)
        else:
            with pytest.raises(DataError, match="must ascend"):
                made(indptr, indices)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.array([1, 0, 1], dtype=np.float32), "above 0, got 0"),
        (np.array([1, 1, -2], dtype=np.float32), "above 0, got -2"),
        (np.array([np.nan, 1, 1], dtype=np.float32), "got nan"),
        (np.array([1, np.inf, 1], dtype=np.float32), "got inf"),
        (np.ones(2, dtype=np.float32), "one for each of the 3"),
        (np.ones(3), "float64"),
        ([1, 1, 1], "list"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(made([0, 2, 3], [0, 2, 1]), weights=weights)


def test_dislikes_of_other_ids_are_refused() -> None:
    interactions = made([0, 2, 3], [0, 2, 1])
    with pytest.raises(DataError, match=r"same Vocabulary.*with_dislikes"):
        replace(interactions, dislikes=made([0, 1, 1], [3]))
    with pytest.raises(DataError, match="dislikes must be Interactions, got tuple"):
        replace(interactions, dislikes=(1, 3))  # type: ignore[arg-type]
    assert with_dislikes(interactions, made([0, 1, 1], [3])).dislikes is not None


def test_the_fingerprint_tells_weights_and_dislikes() -> None:
    plain = made([0, 2, 3], [0, 2, 1])
    weights = np.array([1, 2, 3], dtype=np.float32)
    others = [plain, replace(plain, weights=weights), with_dislikes(plain, made([0, 1, 1], [3]))]
    assert len({other.fingerprint() for other in others}) == 3
