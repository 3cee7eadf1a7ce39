"""Vectors whose best items are known, and the plain way to find them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.retrieval.item_lists import ItemLists

Matrix = npt.NDArray[np.float32]
Rows = list[npt.NDArray[np.int32]]


class Vectors(NamedTuple):
    queries: Matrix
    items: Matrix


def check_integers(n_queries: int, n_items: int, size: int, seed: int = 0) -> Vectors:
    """Small whole numbers: products are exact in float32, and many scores are equal."""
    rng = np.random.default_rng(seed)
    return Vectors(
        rng.integers(-3, 4, size=(n_queries, size)).astype(np.float32),
        rng.integers(-3, 4, size=(n_items, size)).astype(np.float32),
    )


def falling_spectrum(n_queries: int, n_items: int, size: int, seed: int = 0, power: float = 0.5) -> Vectors:
    """Normal numbers whose size falls with the dimension, on both sides, and items of unlike length."""
    rng = np.random.default_rng(seed)
    fall = np.arange(1, size + 1) ** -power
    lengths = rng.lognormal(0.0, 0.3, size=(n_items, 1))
    return Vectors(
        (rng.normal(size=(n_queries, size)) * fall).astype(np.float32),
        (rng.normal(size=(n_items, size)) * fall * lengths).astype(np.float32),
    )


def rows_of(rng: np.random.Generator, n_queries: int, n_items: int) -> Rows:
    """Sets of items from nothing to everything, unsorted."""
    sizes = rng.integers(0, n_items + 1, size=n_queries)
    sizes[:2] = 0, n_items
    return [rng.choice(n_items, size, replace=False).astype(np.int32) for size in sizes]


def exclusions(rows: Rows) -> ItemLists:
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return ItemLists(indptr, np.concatenate([*rows, np.zeros(0, np.int32)]).astype(np.int32))


class Sorted(NamedTuple):
    ids: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]


def full_sort(vectors: Vectors, k: int, excluded: Rows | None = None, allowed: npt.ArrayLike | None = None) -> Sorted:
    """The plain version: every score in float64, sorted by score and then by item index."""
    scores = vectors.queries.astype(np.float64) @ vectors.items.astype(np.float64).T
    candidates = np.arange(len(vectors.items)) if allowed is None else np.unique(np.asarray(allowed))
    items, kept = np.full((len(scores), k), -1), np.full((len(scores), k), -np.inf)
    for row in range(len(scores)):
        left = candidates if excluded is None else np.setdiff1d(candidates, excluded[row])
        order = left[np.lexsort((left, -scores[row, left]))][:k]
        items[row, : len(order)], kept[row, : len(order)] = order, scores[row, order]
    return Sorted(items, kept)
