"""The kernel of least squares, against NumPy solving the same systems block by block."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nestrec import Widths
from nestrec.fold_in.histories import Histories
from nestrec.fold_in.objective import QuadraticObjective
from nestrec.fold_in.solvers import LeastSquares


@pytest.mark.parametrize("levels", [(6,), (2, 3, 6), (1, 6)])
def test_it_solves_the_normal_equations_of_every_block(levels: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(levels))
    table = rng.normal(size=(30, 6)).astype(np.float32)
    solver = LeastSquares(QuadraticObjective(7.0, 0.5), Widths(levels), table)
    lists, weights = [[1, 4, 9], [], [2], list(range(20))], rng.uniform(0.2, 3, 24)
    indptr = np.cumsum([0, *map(len, lists)])
    indices = np.array([row for one in lists for row in one], dtype=np.int32)
    kept = np.ones(4, dtype=np.bool_)
    none = indices[:0]
    histories = Histories(np.arange(4), indptr, indices, weights, none, single=False, skipped_names=none, kept=kept)
    found = solver.fold(histories, threads=2)
    for row, (low, high) in enumerate(itertools.pairwise(indptr)):
        own = table[indices[low:high]].astype(np.float64)
        expected = solver.contributions(own, weights[low:high]).sum(axis=0)
        np.testing.assert_allclose(found[row], expected, rtol=2e-5, atol=1e-6)
    assert (found[1] == 0).all()
