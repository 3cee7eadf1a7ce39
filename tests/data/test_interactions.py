"""The matrix of interactions and its fingerprint."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError


def _interactions(items: list[int] | None = None, indices: list[int] | None = None) -> Interactions:
    return Interactions(
        Vocabulary.from_ids(["ann", "bob", "cy"]),
        Vocabulary.from_ids(items or [10, 20]),
        np.array([0, 2, 2, 3]),
        np.array(indices or [0, 1, 1], dtype=np.int32),
    )


def test_sizes_count_users_without_interactions() -> None:
    interactions = _interactions()
    assert (interactions.n_users, interactions.n_items, interactions.n_interactions) == (3, 2, 3)
    assert repr(interactions) == "<Interactions: 3 users, 2 items, 3 interactions>"


def test_the_scipy_matrix_has_a_one_for_each_pair() -> None:
    matrix = _interactions().to_scipy()
    assert matrix.toarray().tolist() == [[1, 1], [0, 0], [0, 1]]
    assert matrix.dtype == np.float32


def test_the_fingerprint_depends_on_ids_and_pairs() -> None:
    same = _interactions().fingerprint()
    assert same == _interactions().fingerprint()
    assert len(same) == 64
    assert len({same, _interactions(items=[10, 21]).fingerprint(), _interactions(indices=[0, 1, 0]).fingerprint()}) == 3


@pytest.mark.parametrize(
    ("indptr", "indices", "sentence"),
    [
        (np.array([0, 1], dtype=np.int32), np.zeros(1, np.int32), "int64 indptr and int32 indices, not int32"),
        (np.array([0, 1]), np.zeros(1, np.int64), "int64 indptr and int32 indices, not int64 and int64"),
        (np.array([0, 1, 1]), np.zeros(1, np.int32), "indptr of 3 values does not fit 1 users and 1 indices"),
        (np.array([0, 2]), np.zeros(1, np.int32), "runs from 0 to the number of indices"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(indptr: np.ndarray, indices: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        Interactions(Vocabulary.from_ids([1]), Vocabulary.from_ids([1]), indptr, indices)


def test_times_go_with_interactions() -> None:
    with pytest.raises(DataError, match="2 timestamps do not fit 1 interactions"):
        Interactions(
            Vocabulary.from_ids([1]), Vocabulary.from_ids([1]), np.array([0, 1]), np.zeros(1, np.int32), np.zeros(2)
        )
