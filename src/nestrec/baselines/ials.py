"""iALS: weighted least squares over all user-item pairs (Hu, Koren and Volinsky 2008), by implicit.

`ials` is fitted per width. `ials-rotated` is fitted once at the largest width and rotated by the SVD of the scores, so
that every prefix is the best low-rank approximation of the full-width scores (Eckart and Young 1936): nesting without
training for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nestrec.arguments import check_count, check_range
from nestrec.arrays import Float32Array
from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import build_model, only_width, prepare_interactions
from nestrec.baselines.implicit_library import implicit_module, report_iterations, user_items
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.parallel.threads import resolve_threads
from nestrec.svd_rotation import rotate_embeddings
from nestrec.training.options import Run
from nestrec.training.signals import normalize_weights
from nestrec.widths import Widths


@dataclass(frozen=True)
class Ials:
    """iALS at one width. The same seed gives the same embeddings with any number of threads.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> Ials(iterations=2).fit(interactions, Widths([8]), Run())
    <NestedEmbeddings: 200 users, 160 items, widths 8>
    """

    regularization: float = 30.0
    """L2 regularization: weight of the squared norms."""
    alpha: float = 10.0
    """Weight of observed pairs, times their own weights over the mean where they have any; unobserved ones have 1."""
    iterations: int = 20
    """Alternations between solving for users and for items."""

    name: ClassVar[str] = "ials"
    kind: ClassVar[Kind] = Kind.SINGLE
    space: ClassVar[dict[str, Range | Choice]] = {
        "regularization": Range(0.1, 300, log=True),
        "alpha": Range(1, 100, log=True),
        "iterations": Range(5, 40, integer=True),
    }
    extra: ClassVar[str | None] = "baselines"

    def __post_init__(self) -> None:
        """Check the options."""
        check_range("regularization", self.regularization, 1e-6, 1e6, 30)
        check_range("alpha", self.alpha, 1, 1e6, 10)
        check_count("iterations", self.iterations, 10_000, 20)

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Solve at the one width; raise OptionError for several."""
        interactions = prepare_interactions(self, interactions, run)
        users, items = self._solve(interactions, only_width(self, widths), run)
        return build_model(self, interactions, widths, users, items, run)

    def _solve(self, interactions: Interactions, width: int, run: Run) -> tuple[Float32Array, Float32Array]:
        with implicit_module("als") as library:
            model = library.AlternatingLeastSquares(
                width,
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=self.iterations,
                use_gpu=False,
                num_threads=resolve_threads(run.threads),
                random_state=run.seed,
            )
            matrix = user_items(interactions)
            if (weights := normalize_weights(interactions.weights)) is not None:
                matrix.data = weights
            model.fit(
                matrix,
                show_progress=False,
                callback=report_iterations(run, interactions, self.iterations),
            )
        return model.user_factors, model.item_factors


@dataclass(frozen=True)
class IalsRotated(Ials):
    """iALS at the widest width, rotated by its SVD; the scores of the full width are those of iALS."""

    name: ClassVar[str] = "ials-rotated"
    kind: ClassVar[Kind] = Kind.NESTED

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Solve at the largest width and rotate."""
        interactions = prepare_interactions(self, interactions, run)
        users, items = rotate_embeddings(*self._solve(interactions, widths.embedding_size, run))
        return build_model(self, interactions, widths, users, items, run)
