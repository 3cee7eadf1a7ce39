"""PureSVD on the degree-normalized matrix; nested, as prefixes of singular vectors are best approximations.

PureSVD: Cremonesi, Koren and Turrin 2010. Normalization by powers of user and item degrees: Nikolakopoulos et al. 2019
(EigenRec); with both powers 1/2 these are the singular vectors of graph filters (Shen et al. 2021, GF-CF).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nestrec.arguments import check_range
from nestrec.arrays import Float64Array
from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.blas import blas_threads
from nestrec.baselines.fitting import build_model, prepare_interactions
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.parallel.threads import resolve_threads
from nestrec.training.options import Run
from nestrec.widths import Widths

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class PureSvd:
    """With n_u and n_i the interactions of user and item, X_ui / (n_u^user_power n_i^item_power) = U S V'.

    User embeddings are U S, item embeddings V times n_i^popularity_power. Singular vectors by ARPACK in float64,
    started from the seed: the same seed gives the same embeddings on the same machine.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> PureSvd().fit(interactions, Widths([4, 8]), Run())
    <NestedEmbeddings: 200 users, 160 items, widths 4, 8>
    """

    user_power: float = 0.3
    """Normalization by user degree; 0 none."""
    item_power: float = 0.5
    """Normalization by item degree; 0 none."""
    popularity_power: float = 0.5
    """Weight of popularity in the scores; equal to item_power, it undoes the normalization."""

    name: ClassVar[str] = "puresvd"
    kind: ClassVar[Kind] = Kind.NESTED
    space: ClassVar[dict[str, Range | Choice]] = {
        "user_power": Range(0, 1),
        "item_power": Range(0, 1),
        "popularity_power": Range(0, 1),
    }
    extra: ClassVar[str | None] = "baselines"

    def __post_init__(self) -> None:
        """Check the powers."""
        for field in ("user_power", "item_power", "popularity_power"):
            check_range(field, getattr(self, field), 0, 2, 0.5)

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Decompose the matrix. Dimensions beyond its rank are zero."""
        interactions = prepare_interactions(self, interactions, run)
        matrix = interactions.to_scipy().astype(np.float64)
        n_user = np.maximum(np.diff(interactions.indptr), 1.0)
        n_item = np.maximum(np.bincount(interactions.indices, minlength=interactions.n_items), 1.0)
        per_user, per_item = n_user**-self.user_power, n_item**-self.item_power
        matrix.data *= np.repeat(per_user, np.diff(interactions.indptr)) * per_item[interactions.indices]
        with blas_threads(resolve_threads(run.threads)):
            users, items = _decompose(matrix, widths.embedding_size, run.seed)
        items *= n_item[:, np.newaxis] ** self.popularity_power
        return build_model(self, interactions, widths, users, items, run)


def _decompose(matrix: csr_array, n: int, seed: int) -> tuple[Float64Array, Float64Array]:
    """Return U S and V of the n largest singular values in descending order; zeros beyond the smaller side."""
    smaller = min(matrix.shape)
    if n < smaller:
        from scipy.sparse.linalg import svds

        start = np.random.default_rng(seed).standard_normal(smaller)
        left, values, right = svds(matrix, n, v0=start)
    else:  # ARPACK cannot find all; a matrix with such a small side can be decomposed fully
        left, values, right = np.linalg.svd(matrix.toarray(), full_matrices=False)
    order = np.argsort(-values, kind="stable")
    more = ((0, 0), (0, n - len(order)))
    return np.pad((left * values)[:, order], more), np.pad(right[order].T, more)
