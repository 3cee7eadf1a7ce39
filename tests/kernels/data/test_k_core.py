"""The k-core kernels on their own: the transpose against scipy, the queue on a graph that falls apart step by step."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from nestrec.kernels.data.k_core import peel, transpose


def test_transpose_is_that_of_scipy() -> None:
    matrix = csr_array((np.random.default_rng(1).random((30, 20)) < 0.2).astype(np.float64))
    item_indptr, users = np.empty(21, dtype=np.int64), np.empty(matrix.nnz, dtype=np.int32)
    transpose(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), item_indptr, users)
    expected = matrix.tocsc()
    assert item_indptr.tolist() == expected.indptr.tolist()
    assert users.tolist() == expected.indices.tolist()


def test_a_path_falls_apart_from_its_ends_and_counts_never_go_below_zero() -> None:
    """Users 0, 1, 2 and items 0, 1 in a row: 0-0-1-1-2; with a minimum of 2 everybody leaves."""
    indptr, indices = np.array([0, 1, 3, 4], dtype=np.int64), np.array([0, 0, 1, 1], dtype=np.int32)
    item_indptr, users = np.empty(3, dtype=np.int64), np.empty(4, dtype=np.int32)
    transpose(indptr, indices, item_indptr, users)
    user_counts, item_counts = np.diff(indptr), np.diff(item_indptr)
    peel(indptr, indices, item_indptr, users, 2, 2, user_counts, item_counts)
    assert (user_counts < 2).all()
    assert (item_counts < 2).all()
    assert min(user_counts.min(), item_counts.min()) >= 0
