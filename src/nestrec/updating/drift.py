"""How far an update moved a model: vectors and lists of the users and items that it had before, by width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nestrec.arrays import BoolArray, Float64Array
from nestrec.embeddings import NestedEmbeddings
from nestrec.tabular import Tabular, Values
from nestrec.updating.changes import cosines, find_moved
from nestrec.updating.warm_start import KnownRows

_K = 10
_USERS = 500  # random ones whose lists are compared


@dataclass(frozen=True)
class WidthDrift:
    """How far vectors and lists of one width moved."""

    width: int
    user_cosine: float
    """Mean cosine of the users' vectors with those before."""
    item_cosine: float
    """Mean cosine of the items' vectors with those before."""
    users_changed: float
    """Share of the users whose vectors of this width moved by more than the tolerance."""
    items_changed: float
    """Share of the items whose vectors of this width moved by more than the tolerance."""
    top_10_overlap: float
    """Mean share of a user's best 10 unseen items before that are among the best 10 after."""


@dataclass(frozen=True)
class Drift(Tabular):
    """How far a model moved, by width."""

    widths: tuple[WidthDrift, ...]

    def as_columns(self) -> Mapping[str, Values]:
        """Return a column for each figure, a row for each width."""
        return {name: [getattr(one, name) for one in self.widths] for name in WidthDrift.__dataclass_fields__}


def measure_drift(
    before: NestedEmbeddings, after: NestedEmbeddings, known: KnownRows, tolerance: float, threads: int | None
) -> Drift:
    """Compare the vectors of all users and items of both models, and the lists of up to 500 of these users."""
    return Drift(tuple(_measure_width(before, after, known, width, tolerance, threads) for width in after.widths))


def _measure_width(
    before: NestedEmbeddings,
    after: NestedEmbeddings,
    known: KnownRows,
    width: int,
    tolerance: float,
    threads: int | None,
) -> WidthDrift:
    figures = []
    for new, old in (
        (after.user_embeddings[known.users, :width], before.user_embeddings[known.model_users, :width]),
        (after.item_embeddings[known.items, :width], before.item_embeddings[known.model_items, :width]),
    ):
        figures.append((_mean(cosines(new, old)), _mean(find_moved(new, old, tolerance))))
    (user_cosine, users), (item_cosine, items) = figures
    overlap = _overlap(before, after, known, width, threads)
    return WidthDrift(width, user_cosine, item_cosine, users, items, overlap)


def _overlap(
    before: NestedEmbeddings, after: NestedEmbeddings, known: KnownRows, width: int, threads: int | None
) -> float:
    """Return the mean share of lists that both models give; items seen before are left out of both."""
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(known.users), min(_USERS, len(known.users)), replace=False)
    if len(chosen) == 0:
        return 1.0
    k = min(_K, before.n_items)
    ids = before.users.ids[known.model_users[chosen]]
    old, new = (model.recommend(ids, k=k, width=width, exact=True, threads=threads) for model in (before, after))
    lists = ([set(map(str, found.tolist())) for _, found, _ in ranking.rows()] for ranking in (old, new))
    return float(np.mean([len(one & other) / max(1, len(one)) for one, other in zip(*lists, strict=True)]))


def _mean(values: BoolArray | Float64Array) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else 1.0
