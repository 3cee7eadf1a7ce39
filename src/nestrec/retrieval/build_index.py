"""Build a coarse index from item vectors: order and cells of the items, codes, and the norms that bounds need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.errors import DataError
from nestrec.kernels.search.code_blocks import BLOCK, CodeBlocks
from nestrec.norms import norms, prefix_norms
from nestrec.retrieval.bounds import relative_error
from nestrec.retrieval.cells import Cells
from nestrec.retrieval.clusters import Clusters
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.quantization import Storage, quantize_blocks
from nestrec.retrieval.refinement_codes import RefinementCodes
from nestrec.svd_rotation import Rotation

_BLOCKS_AT_ONCE = 512
_BLOCKS_PER_CELL = 16  # without clusters
_UPWARDS = 1.0 + 2.0**-20  # values rounded to float32 must not become smaller


def build_index(
    vectors: Float32Array,  # (n_items, >= full_width)
    full_width: int,
    width: int,  # dimensions with codes
    storage: Storage = Storage.INT8,
    *,
    rotation: Rotation | None = None,
    clusters: Clusters | None = None,
    refinement_width: int = 0,  # of refinement codes; 0: none
) -> CoarseIndex:
    """Return a coarse index of prefixes of all items, of the given dimensions or of rotated ones.

    Raises DataError where a number is not finite, since its bounds would not hold.
    """
    item_norms = measure_norms(vectors, full_width)
    labels, centroids = _assign_clusters(vectors, full_width, rotation, clusters)
    items, begins, ends = arrange(item_norms, labels, clustered=clusters is not None)
    refinement = RefinementCodes.allocate(len(vectors), refinement_width) if refinement_width else None
    builder = _Builder(vectors, full_width, rotation, item_norms, items, width, storage, labels, centroids, refinement)
    for first in range(0, len(items) // BLOCK, _BLOCKS_AT_ONCE):
        builder.fill(first)
    positions = invert(items, len(vectors))
    cells = builder.measure_cells(begins, ends)
    return CoarseIndex(builder.blocks, storage, width, full_width, cells, rotation, positions, builder.refinement)


def measure_norms(vectors: Float32Array, width: int) -> Float64Array:
    """Return the norms of the prefixes of all items, (n_items,); raise DataError where a number is not finite."""
    item_norms = prefix_norms(vectors, width)
    if not np.isfinite(item_norms).all():
        bad = int(np.flatnonzero(~np.isfinite(item_norms))[0])
        raise DataError(f"item vectors must be finite, got NaN or infinity in item {bad}; train the model again")
    return item_norms


def invert(items: Int32Array, n_items: int) -> Int32Array:
    """Return the position of each item, (n_items,), where these are the items of all positions."""
    positions = np.empty(n_items, dtype=np.int32)
    used = np.flatnonzero(items >= 0).astype(np.int32)
    positions[items[used]] = used
    return positions


def _assign_clusters(
    vectors: Float32Array, full_width: int, rotation: Rotation | None, clusters: Clusters | None
) -> tuple[Int64Array, Float64Array]:
    """Return each item's cluster and the centroids; without clusters, one for all and no coordinates."""
    if clusters is None:
        return np.zeros(len(vectors), dtype=np.int64), np.zeros((0, 0))
    width = min(clusters.width, full_width)
    if rotation is None:
        return clusters.fit(vectors[:, :width].astype(np.float64))
    return clusters.fit(vectors[:, :full_width].astype(np.float64) @ rotation.of_items[:, :width])


def arrange(
    item_norms: Float64Array, labels: Int64Array, *, clustered: bool
) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Return the item of each position, by descending norm within a cell, and the first and last block of each cell."""
    order = np.lexsort((np.arange(len(item_norms)), -item_norms, labels))
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    n_blocks = -(-counts // BLOCK)
    ends = np.cumsum(n_blocks)
    items = np.full(int(ends[-1]) * BLOCK, -1, dtype=np.int32)
    shift = (ends - n_blocks) * BLOCK - (np.cumsum(counts) - counts)
    items[np.arange(len(order)) + np.repeat(shift, counts)] = order
    if clustered:
        return items, (ends - n_blocks).astype(np.int32), ends.astype(np.int32)
    begins = np.arange(0, ends[-1], _BLOCKS_PER_CELL, dtype=np.int32)
    return items, begins, np.minimum(begins + _BLOCKS_PER_CELL, ends[-1]).astype(np.int32)


def write_bounds(
    blocks: CodeBlocks,
    some: slice,  # blocks to write
    width: int,  # of the codes
    errors: Float64Array,  # (n_blocks, BLOCK) norms of the differences between items and their codes
    decoded_norms: Float64Array,  # likewise of the decoded prefixes
    item_norms: Float64Array,  # likewise of the items
) -> None:
    """Write what the bounds of some blocks need beside codes and scales, rounded up."""
    largest = decoded_norms.max(axis=1)
    blocks.quantization_errors[some] = (errors.max(axis=1) + relative_error(width) * largest) * _UPWARDS
    blocks.decoded_norms[some] = largest * _UPWARDS
    blocks.max_norms[some] = (item_norms * _UPWARDS).max(axis=1)


@dataclass(eq=False)
class _Builder:
    """Fills code blocks."""

    vectors: Float32Array
    full_width: int
    rotation: Rotation | None
    norms: Float64Array  # (n_items,)
    items: Int32Array  # (n_positions,) -1 where unused
    width: int
    storage: Storage
    labels: Int64Array  # (n_items,) cluster
    centroids: Float64Array
    refinement: RefinementCodes | None

    def __post_init__(self) -> None:
        """Allocate the blocks."""
        n_blocks = len(self.items) // BLOCK
        self._size = self.storage.steps(self.width) * BLOCK * self.storage.per_step
        residual_norms = np.zeros(len(self.items) if self.width < self.full_width else 0, dtype=np.float32)
        per_block = np.zeros((4, n_blocks), dtype=np.float32)
        codes = np.empty(n_blocks * self._size, dtype=self.storage.dtype)
        self.blocks = CodeBlocks(codes, self.items, residual_norms, *per_block)
        self._radii, self._residual_norms = np.zeros(n_blocks), np.zeros(n_blocks)

    def _read_blocks(self, items: Int32Array) -> Float64Array:
        """Return the rotated vectors of these items, (n_blocks, BLOCK, full_width); zeros at unused positions."""
        rows = self.vectors[items, : self.full_width].astype(np.float64)
        rows[items < 0] = 0.0
        return (rows if self.rotation is None else rows @ self.rotation.of_items).reshape(-1, BLOCK, self.full_width)

    def fill(self, first: int) -> None:
        """Fill some hundred blocks from this one on."""
        positions = slice(first * BLOCK, (first + _BLOCKS_AT_ONCE) * BLOCK)
        some, own, items = slice(first, first + _BLOCKS_AT_ONCE), self.blocks, self.blocks.items[positions]
        rotated = self._read_blocks(items)
        prefixes = rotated[:, :, : self.width]
        quantized = quantize_blocks(self.storage, prefixes)
        own.codes[first * self._size :][: quantized.codes.size] = quantized.codes.ravel()
        if len(own.residual_norms):
            own.residual_norms[positions] = (norms(rotated[:, :, self.width :]) * _UPWARDS).ravel()
        item_norms = np.where(items < 0, 0.0, self.norms[items]).reshape(-1, BLOCK)
        own.scales[some] = quantized.scales
        write_bounds(
            own, some, self.width, norms(prefixes - quantized.decoded), norms(quantized.decoded), item_norms
        )  # fmt: skip
        if self.refinement is not None:
            self.refinement.fill(items[items >= 0], rotated.reshape(len(items), -1)[items >= 0])
        if len(self.centroids):
            self._measure_blocks(some, items, rotated)

    def _measure_blocks(self, some: slice, items: Int32Array, rotated: Float64Array) -> None:
        """Record the distances of items from their centroids, and the norms beyond the centroids' dimensions."""
        width = self.centroids.shape[1]
        centroids = self.centroids[self.labels[items]].reshape(-1, BLOCK, width)
        distances = norms(rotated[:, :, :width] - centroids)
        self._radii[some] = np.where(items.reshape(-1, BLOCK) < 0, 0.0, distances).max(axis=1)
        self._residual_norms[some] = norms(rotated[:, :, width:]).max(axis=1)

    def measure_cells(self, begins: Int32Array, ends: Int32Array) -> Cells:
        """Return the cells, once all blocks are filled."""
        max_norms, radii, residual_norms = (
            np.maximum.reduceat(part, begins).astype(np.float64)
            for part in (self.blocks.max_norms, self._radii, self._residual_norms)
        )
        if not len(self.centroids):
            return Cells(begins, ends, max_norms, np.zeros((len(begins), 0)), radii, residual_norms)
        first_items = self.blocks.items[begins * BLOCK]
        centroids = self.centroids[self.labels[first_items]]
        return Cells(begins, ends, max_norms, centroids, radii, residual_norms)
