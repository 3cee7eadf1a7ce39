"""EASE: the linear model of items on items with a zero diagonal, in closed form (Steck 2019, arXiv 1905.03375).

B minimises |X - X B|^2 + regularization |B|^2 with diag(B) = 0. With P the inverse of X'X + regularization I,
B_ij = -P_ij / P_jj. One matrix of n_items x n_items float32 is filled, inverted (LAPACK's Cholesky) and divided, all in
place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nestrec.arguments import check_range
from nestrec.arrays import Float32Array
from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.blas import blas_threads
from nestrec.baselines.fitting import prepare_interactions
from nestrec.baselines.memory import available_memory
from nestrec.data.interactions import Interactions
from nestrec.errors import DataError, TrainingError
from nestrec.item_similarities import ItemSimilarities
from nestrec.parallel.threads import resolve_threads
from nestrec.training.options import Run
from nestrec.widths import Widths

_ROWS_AT_ONCE = 1024
_MATRICES = 1.5  # the matrix, and half as much for what is multiplied and scored a block at a time


@dataclass(frozen=True)
class Ease:
    """Item-to-item weights in closed form.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> Ease().fit(interactions, Widths([4]), Run())
    <ItemSimilarities: 200 users, 160 items>
    """

    regularization: float = 300.0
    """What is added to the diagonal, in interactions."""

    name: ClassVar[str] = "ease"
    kind: ClassVar[Kind] = Kind.WHOLE
    space: ClassVar[dict[str, Range | Choice]] = {"regularization": Range(10, 5000, log=True)}
    extra: ClassVar[str | None] = "baselines"

    def __post_init__(self) -> None:
        """Check the number."""
        check_range("regularization", self.regularization, 1e-3, 1e9, 300)

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> ItemSimilarities:
        """Solve. Involves no chance. Raises DataError where there are too many items for the memory there is."""
        interactions = prepare_interactions(self, interactions, run)
        _check_memory(interactions.n_items)
        matrix = _gram(interactions)
        matrix[np.diag_indices_from(matrix)] += np.float32(self.regularization)
        with blas_threads(resolve_threads(run.threads)):
            _invert(matrix, self.regularization)
        matrix /= -np.diag(matrix)  # a row of n_items: column j is divided by -P_jj
        np.fill_diagonal(matrix, 0)
        return ItemSimilarities(matrix, interactions)


def _check_memory(n_items: int) -> None:
    needed, there = int(_MATRICES * 4 * n_items**2), available_memory()
    if there is not None and needed > there:
        raise DataError(
            f"ease needs a matrix of {n_items:,} x {n_items:,} items, {needed / 2**30:.1f} GiB with what is made "
            f"beside it, and {there / 2**30:.1f} GiB are available; leave ease out, or filter rare items"
        )


def _gram(interactions: Interactions) -> Float32Array:
    """Return X'X, (n_items, n_items): how many users each two items share; exact up to 2^24."""
    rows = interactions.to_scipy()
    columns = rows.T.tocsr()
    matrix = np.empty((interactions.n_items, interactions.n_items), dtype=np.float32)
    for start in range(0, interactions.n_items, _ROWS_AT_ONCE):  # a sparse product of all would be larger than matrix
        matrix[start : start + _ROWS_AT_ONCE] = (columns[start : start + _ROWS_AT_ONCE] @ rows).toarray()
    return matrix


def _invert(matrix: Float32Array, regularization: float) -> None:
    """Replace a symmetric positive definite matrix by its inverse."""
    from scipy.linalg.lapack import spotrf, spotri

    turned = matrix.T  # LAPACK counts columns first: this is the same matrix, the same memory, nothing copied
    factor, failed = spotrf(turned, lower=1, overwrite_a=1, clean=0)
    if failed == 0:
        inverse, failed = spotri(factor, lower=1, overwrite_c=1)
    if failed != 0:
        raise TrainingError(
            f"the item matrix cannot be inverted in 32-bit floats at regularization {regularization:g}; give more"
        )
    if not np.shares_memory(inverse, matrix):
        matrix[:] = inverse.T
    _mirror(matrix)


def _mirror(matrix: Float32Array) -> None:
    """Copy what is above the diagonal below it."""
    for start in range(0, len(matrix), _ROWS_AT_ONCE):
        stop = start + _ROWS_AT_ONCE
        matrix[start:stop, :start] = matrix[:start, start:stop].T
        corner = matrix[start:stop, start:stop]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
