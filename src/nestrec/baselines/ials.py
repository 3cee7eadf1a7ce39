"""iALS: least squares over all pairs, the seen ones with more weight (Hu, Koren and Volinsky 2008), by implicit.

`ials` is trained anew at each width. `ials-rotated` is trained once, at the widest, and its vectors are then turned so
that every prefix is the best approximation of the full scores by so few numbers (Eckart and Young 1936): what a nest
costs where nothing was trained for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nestrec.arrays import Float32Array, Float64Array
from nestrec.baselines.baseline import Choice, Kind, Range
from nestrec.baselines.fitting import embeddings, only_width, prepare_interactions
from nestrec.baselines.implicit_library import implicit_module, told, user_items
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.parallel.threads import checked_threads
from nestrec.training.options import Run, check_count, check_range
from nestrec.widths import Widths


@dataclass(frozen=True)
class Ials:
    """iALS at one width. The same seed gives the same vectors, whatever the threads.

    >>> from nestrec import Run, Widths, SyntheticData
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> Ials(iterations=2).fit(interactions, Widths([8]), Run())
    <NestedEmbeddings: 200 users, 160 items, widths 8>
    """

    regularization: float = 30.0
    """Weight of the squared lengths."""
    alpha: float = 10.0
    """Weight of a seen pair; an unseen one has 1."""
    iterations: int = 20
    """Times that users and items are solved for."""

    name: ClassVar[str] = "ials"
    kind: ClassVar[Kind] = Kind.SINGLE
    space: ClassVar[dict[str, Range | Choice]] = {
        "regularization": Range(0.1, 300, log=True),
        "alpha": Range(1, 100, log=True),
        "iterations": Range(5, 40, integer=True),
    }
    extra: ClassVar[str | None] = "baselines"

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("regularization", self.regularization, 1e-6, 1e6, 30)
        check_range("alpha", self.alpha, 1, 1e6, 10)
        check_count("iterations", self.iterations, 10_000, 20)

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Solve at the one width; raise OptionError for more."""
        interactions = prepare_interactions(self, interactions, run)
        users, items = self._solved(interactions, only_width(self, widths), run)
        return embeddings(self, interactions, widths, users, items, run)

    def _solved(self, interactions: Interactions, width: int, run: Run) -> tuple[Float32Array, Float32Array]:
        with implicit_module("als") as library:
            model = library.AlternatingLeastSquares(
                width,
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=self.iterations,
                use_gpu=False,
                num_threads=checked_threads(run.threads),
                random_state=run.seed,
            )
            model.fit(user_items(interactions), show_progress=False, callback=told(run, interactions, self.iterations))
        return model.user_factors, model.item_factors


@dataclass(frozen=True)
class IalsRotated(Ials):
    """iALS at the widest width, turned; the scores of the full width are those of iALS."""

    name: ClassVar[str] = "ials-rotated"
    kind: ClassVar[Kind] = Kind.NESTED

    def fit(self, interactions: Interactions, widths: Widths, run: Run) -> NestedEmbeddings:
        """Solve at the widest, and turn."""
        interactions = prepare_interactions(self, interactions, run)
        users, items = rotated(*self._solved(interactions, widths.embedding_size, run))
        return embeddings(self, interactions, widths, users, items, run)


def rotated(
    users: Float32Array,  # (n_users, d)
    items: Float32Array,  # (n_items, d)
) -> tuple[Float32Array, Float32Array]:
    """Return vectors with the same products, whose prefixes have the products nearest to them in the least squares.

    With users = Q R and items = P T (orthonormal Q, P), the products are Q (R T') P' and the singular value
    decomposition A S B' of the small R T' gives that of all of them. The new users Q A sqrt(S) are the old ones times
    T' B / sqrt(S), the new items the old ones times R' A / sqrt(S), so Q and P are never made.
    """
    upper_users, upper_items = _upper(users), _upper(items)
    left, values, right = np.linalg.svd(upper_users @ upper_items.T, full_matrices=False)
    there = values > values[0] * 1e-12  # the others are rounding, and what is divided by them would be too
    shrink = np.where(there, 1 / np.sqrt(np.where(there, values, 1)), 0)
    turned_users = users @ (upper_items.T @ right.T * shrink).astype(np.float32)
    turned_items = items @ (upper_users.T @ left * shrink).astype(np.float32)
    return _widened(turned_users, users.shape[1]), _widened(turned_items, items.shape[1])


def _upper(vectors: Float32Array) -> Float64Array:
    """Return the triangular factor of Q R, (min(n, d), d)."""
    upper: Float64Array = np.linalg.qr(vectors.astype(np.float64), mode="r")  # type: ignore[assignment]
    return upper


def _widened(vectors: Float32Array, width: int) -> Float32Array:
    """Return (n, width), zeros where there were fewer rows than numbers in a vector."""
    return np.pad(vectors, ((0, 0), (0, width - vectors.shape[1])))
