"""Building a screen from item vectors: the order of the items, their coding, and what the bounds need to know."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.errors import DataError
from nestrec.kernels.search.code_blocks import SHELF, CodeBlocks
from nestrec.retrieval.bounds import relative_error
from nestrec.retrieval.cells import Cells
from nestrec.retrieval.clusters import Clusters
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.quantization import Storage, coded
from nestrec.retrieval.refinement_codes import RefinementCodes
from nestrec.svd_rotation import Rotation

_SHELVES_AT_ONCE = 512
_SHELVES_PER_CELL = 16  # where there are no clusters
_UPWARDS = 1.0 + 2.0**-20  # what is rounded to float32 must not become less


def build_screen(
    vectors: Float32Array,  # (n_items, >= full_width)
    full_width: int,
    width: int,  # numbers on the shelves
    storage: Storage = Storage.INT8,
    *,
    axes: Rotation | None = None,
    clusters: Clusters | None = None,
    rows: int = 0,  # numbers of each item for what passes the shelves; 0: none
) -> CoarseIndex:
    """Return a screen of the first numbers of all items, in their own or other axes.

    Raises DataError where a number is not finite: its bounds would hold nothing.
    """
    lengths = _lengths(vectors, full_width)
    if not np.isfinite(lengths).all():
        bad = int(np.flatnonzero(~np.isfinite(lengths))[0])
        raise DataError(f"the vector of item {bad} holds a number that is not finite; train the model again")
    members, centres = _members(vectors, full_width, axes, clusters)
    names, begins, ends = _arranged(lengths, members, clustered=clusters is not None)
    filling = _Filling(_Source(vectors, full_width, axes, lengths), names, width, storage, members, centres)
    filling.rows = RefinementCodes.empty(len(vectors), rows) if rows else None
    for first in range(0, len(names) // SHELF, _SHELVES_AT_ONCE):
        filling.fill(first)
    places = np.empty(len(vectors), dtype=np.int32)
    standing = np.flatnonzero(names >= 0).astype(np.int32)
    places[names[standing]] = standing
    return CoarseIndex(
        filling.shelves, storage, width, full_width, filling.cells(begins, ends), axes, places, filling.rows
    )


def _lengths(vectors: Float32Array, width: int) -> Float64Array:
    lengths = np.empty(len(vectors), dtype=np.float64)
    for start in range(0, len(vectors), _SHELVES_AT_ONCE * SHELF):
        rows = vectors[start : start + _SHELVES_AT_ONCE * SHELF, :width].astype(np.float64)
        lengths[start : start + len(rows)] = np.sqrt(np.vecdot(rows, rows))
    return lengths


def _members(
    vectors: Float32Array, full_width: int, axes: Rotation | None, clusters: Clusters | None
) -> tuple[Int64Array, Float64Array]:
    """Return each item's cluster and the centres; all in one, without coordinates, where no clusters are wanted."""
    if clusters is None:
        return np.zeros(len(vectors), dtype=np.int64), np.zeros((0, 0))
    width = min(clusters.width, full_width)
    if axes is None:
        return clusters.of(vectors[:, :width].astype(np.float64))
    return clusters.of(vectors[:, :full_width].astype(np.float64) @ axes.of_items[:, :width])


def _arranged(
    lengths: Float64Array, members: Int64Array, *, clustered: bool
) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Return the item of each place, longest first within a cell, and the first and last shelf of each cell."""
    order = np.lexsort((np.arange(len(lengths)), -lengths, members))
    counts = np.bincount(members)
    counts = counts[counts > 0]
    n_shelves = -(-counts // SHELF)
    ends = np.cumsum(n_shelves)
    names = np.full(int(ends[-1]) * SHELF, -1, dtype=np.int32)
    shift = (ends - n_shelves) * SHELF - (np.cumsum(counts) - counts)
    names[np.arange(len(order)) + np.repeat(shift, counts)] = order
    if clustered:
        return names, (ends - n_shelves).astype(np.int32), ends.astype(np.int32)
    begins = np.arange(0, ends[-1], _SHELVES_PER_CELL, dtype=np.int32)
    return names, begins, np.minimum(begins + _SHELVES_PER_CELL, ends[-1]).astype(np.int32)


class _Source(NamedTuple):
    """Where the numbers come from."""

    vectors: Float32Array
    full_width: int
    axes: Rotation | None
    lengths: Float64Array  # (n_items,)

    def shelved(self, items: Int32Array) -> Float64Array:
        """Return these items' vectors along the axes, (n_shelves, SHELF, full_width); zeros where there is none."""
        rows = self.vectors[items, : self.full_width].astype(np.float64)
        rows[items < 0] = 0.0
        return (rows if self.axes is None else rows @ self.axes.of_items).reshape(-1, SHELF, self.full_width)


class _Filling:
    """CodeBlocks that are being filled."""

    def __init__(
        self,
        source: _Source,
        names: Int32Array,
        width: int,
        storage: Storage,
        members: Int64Array,
        centres: Float64Array,
    ) -> None:
        n_shelves = len(names) // SHELF
        self._source, self._members, self._centres = source, members, centres
        self._width, self._storage = width, storage
        self._size = storage.steps(width) * SHELF * storage.per_step
        tails = np.zeros(len(names) if width < source.full_width else 0, dtype=np.float32)
        parts = np.zeros((4, n_shelves), dtype=np.float32)
        self.shelves = CodeBlocks(np.empty(n_shelves * self._size, dtype=storage.dtype), names, tails, *parts)
        self.rows: RefinementCodes | None = None
        self._radii, self._rests = np.zeros(n_shelves), np.zeros(n_shelves)

    def fill(self, first: int) -> None:
        """Fill the shelves from this one on."""
        places = slice(first * SHELF, (first + _SHELVES_AT_ONCE) * SHELF)
        some, own, items = slice(first, first + _SHELVES_AT_ONCE), self.shelves, self.shelves.names[places]
        turned = self._source.shelved(items)
        prefixes = turned[:, :, : self._width]
        found = coded(self._storage, prefixes)
        own.codes[first * self._size :][: found.codes.size] = found.codes.ravel()
        if len(own.tails):
            own.tails[places] = (_longways(turned[:, :, self._width :]) * _UPWARDS).ravel()
        reaches, errors = _longways(found.decoded).max(axis=1), _longways(prefixes - found.decoded).max(axis=1)
        own.scales[some] = found.scales
        own.errors[some] = (errors + relative_error(self._width) * reaches) * _UPWARDS
        own.reaches[some] = reaches * _UPWARDS
        own.lengths[some] = (np.where(items < 0, 0.0, self._source.lengths[items]) * _UPWARDS).reshape(-1, SHELF).max(1)
        if self.rows is not None:
            self.rows.fill(items[items >= 0], turned.reshape(len(items), -1)[items >= 0])
        if len(self._centres):
            self._measure(some, items, turned)

    def _measure(self, some: slice, items: Int32Array, turned: Float64Array) -> None:
        """Note how far items lie from their centres, and beyond the centres' numbers."""
        width = self._centres.shape[1]
        centres = self._centres[self._members[items]].reshape(-1, SHELF, width)
        away = _longways(turned[:, :, :width] - centres)
        self._radii[some] = np.where(items.reshape(-1, SHELF) < 0, 0.0, away).max(axis=1)
        self._rests[some] = _longways(turned[:, :, width:]).max(axis=1)

    def cells(self, begins: Int32Array, ends: Int32Array) -> Cells:
        """Return the cells, once all shelves are filled."""
        longest, radii, rests = (
            np.maximum.reduceat(part, begins).astype(np.float64)
            for part in (self.shelves.lengths, self._radii, self._rests)
        )
        if not len(self._centres):
            return Cells(begins, ends, longest, np.zeros((len(begins), 0)), radii, rests)
        first_items = self.shelves.names[begins * SHELF]
        return Cells(begins, ends, longest, self._centres[self._members[first_items]], radii, rests)


def _longways(vectors: Float64Array) -> Float64Array:
    """Return the length of each vector of each shelf."""
    lengths: Float64Array = np.sqrt(np.vecdot(vectors, vectors))
    return lengths
