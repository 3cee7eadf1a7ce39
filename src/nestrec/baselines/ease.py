"""EASE: a linear item-to-item model with zero diagonal in closed form (Steck 2019, arXiv 1905.03375).

B minimises |X - X B|^2 + regularization |B|^2 with diag(B) = 0. With P the inverse of X'X + regularization I,
B_ij = -P_ij / P_jj. One (n_items, n_items) float32 matrix is filled, inverted (LAPACK's Cholesky) and divided in place.
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
_MATRICES = 1.5  # the matrix, and half as much for blocks of products and scores


@dataclass(frozen=True)
class Ease:
    """Item-to-item weights in closed form.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> Ease().fit(interactions, Widths([4]), Run())
    <ItemSimilarities: 200 users, 160 items>
    """

    regularization: float = 300.0
    """L2 regularization: added to the diagonal, in units of interactions."""

    name: ClassVar[str] = "ease"
    kind: ClassVar[Kind] = Kind.WHOLE
    space: ClassVar[dict[str, Range | Choice]] = {"regularization": Range(10, 5000, log=True)}
    extra: ClassVar[str | None] = "baselines"

    def __post_init__(self) -> None:
        """Check the regularization."""
        check_range("regularization", self.regularization, 1e-3, 1e9, 300)

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> ItemSimilarities:
        """Solve for the weights, deterministically. Raises DataError if the matrix does not fit into memory."""
        interactions = prepare_interactions(self, interactions, run)
        _check_memory(interactions.n_items)
        matrix = _compute_gram(interactions)
        matrix[np.diag_indices_from(matrix)] += np.float32(self.regularization)
        with blas_threads(resolve_threads(run.threads)):
            _invert(matrix, self.regularization)
        matrix /= -np.diag(matrix)  # a row of n_items: column j is divided by -P_jj
        np.fill_diagonal(matrix, 0)
        return ItemSimilarities(matrix, interactions)


def _check_memory(n_items: int) -> None:
    needed, available = int(_MATRICES * 4 * n_items**2), available_memory()
    if available is not None and needed > available:
        raise DataError(
            f"ease needs a matrix of {n_items:,} x {n_items:,} items, {needed / 2**30:.1f} GiB with "
            f"temporary arrays, but {available / 2**30:.1f} GiB are available; leave ease out, or filter rare items"
        )


def _compute_gram(interactions: Interactions) -> Float32Array:
    """Return X'X, (n_items, n_items): the number of common users of each pair of items; exact up to 2^24."""
    rows = interactions.to_scipy()
    columns = rows.T.tocsr()
    matrix = np.empty((interactions.n_items, interactions.n_items), dtype=np.float32)
    for start in range(0, interactions.n_items, _ROWS_AT_ONCE):  # a sparse product of all would be larger than matrix
        matrix[start : start + _ROWS_AT_ONCE] = (columns[start : start + _ROWS_AT_ONCE] @ rows).toarray()
    return matrix


def _invert(matrix: Float32Array, regularization: float) -> None:
    """Replace a symmetric positive definite matrix by its inverse."""
    from scipy.linalg.lapack import spotrf, spotri

    fortran = matrix.T  # column-major view of the same symmetric matrix for LAPACK
    factor, failed = spotrf(fortran, lower=1, overwrite_a=1, clean=0)
    if failed == 0:
        inverse, failed = spotri(factor, lower=1, overwrite_c=1)
    if failed != 0:
        raise TrainingError(
            f"the item matrix cannot be inverted in float32 with regularization {regularization:g}; increase it"
        )
    if not np.shares_memory(inverse, matrix):
        matrix[:] = inverse.T
    _symmetrize(matrix)


def _symmetrize(matrix: Float32Array) -> None:
    """Copy the upper triangle to the lower one."""
    for start in range(0, len(matrix), _ROWS_AT_ONCE):
        stop = start + _ROWS_AT_ONCE
        matrix[start:stop, :start] = matrix[:start, start:stop].T
        corner = matrix[start:stop, start:stop]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
