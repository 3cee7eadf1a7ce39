"""Nested codes: one table of int8 codes by which every width of a model is searched exactly.

The codes of an item are quantized with one scale for all dimensions, so their prefix is that of the item's prefix. What
depends on the width are the terms of the bounds: a few numbers for each block of 64 items. So a coarse index of every
width shares the codes, scales and order of the items, and scans the first steps of each code block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array
from nestrec.kernels.search.code_blocks import BLOCK, CodeBlocks
from nestrec.norms import prefix_norms
from nestrec.parallel.threads import map_in_threads, resolve_threads
from nestrec.retrieval.build_index import arrange, invert, measure_norms, write_bounds
from nestrec.retrieval.cells import Cells
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_scan import FEW_QUERIES
from nestrec.retrieval.quantization import Storage, quantize_blocks
from nestrec.widths import Widths

_LEAST_ITEMS = 8_000  # with fewer, a scan of all vectors takes one query as little time
_LEAST_ITEMS_IN_BATCHES = 50_000
_BLOCKS_AT_ONCE = 64  # of a thread: 2 MB of float64 at width 64
_NO_NUMBERS: Float32Array = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True, eq=False, repr=False)
class NestedCodes:
    """Compact int8 codes of all items, by which every width is searched; see `NestedEmbeddings.with_codes`."""

    indexes: Mapping[int, CoarseIndex]
    """The coarse index of each width, ascending; they share the codes."""

    @property
    def widths(self) -> Widths:
        """Widths that can be searched."""
        return Widths(self.indexes)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(next(iter(self.indexes.values())).positions)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, those that the widths share counted once."""
        arrays = {id(array): array for index in self.indexes.values() for array in index.arrays().values()}
        return sum(array.nbytes for array in arrays.values())

    def applies_to(self, n_queries: int) -> bool:
        """Return whether they are faster than the full scan for so many queries (benchmarks/retrieval_speed.py)."""
        return self.n_items >= (_LEAST_ITEMS if n_queries <= FEW_QUERIES else _LEAST_ITEMS_IN_BATCHES)

    def up_to(self, width: int) -> NestedCodes:
        """Return the codes of the widths up to this one; the arrays are shared."""
        return NestedCodes({own: index for own, index in self.indexes.items() if own <= width})

    def __repr__(self) -> str:
        """Show the sizes."""
        widths = ", ".join(map(str, self.indexes))
        return f"<{type(self).__name__}: {self.n_items} items, widths {widths}, {self.nbytes} bytes>"


def build_codes(
    vectors: Float32Array,  # (n_items, >= embedding size)
    widths: Widths,
    threads: int | None = None,  # None uses all processors
) -> NestedCodes:
    """Return codes of all items for every width.

    Raises DataError where a number is not finite, since its bounds would not hold.

    >>> import numpy as np
    >>> codes = build_codes(np.eye(4, dtype=np.float32), Widths((2, 4)))
    >>> [index.width for index in codes.indexes.values()]
    [2, 4]
    """
    size = widths.embedding_size
    measure_norms(vectors, size)
    middle_norms = prefix_norms(vectors, widths.values[len(widths) // 2])  # an order that lets every width skip blocks
    items, begins, ends = arrange(middle_norms, np.zeros(len(vectors), dtype=np.int64), clustered=False)
    n_blocks = len(items) // BLOCK
    codes = np.empty(len(items) * Storage.INT8.steps(size) * Storage.INT8.per_step, dtype=np.int8)
    scales = np.empty(n_blocks, dtype=np.float32)
    blocks = {
        width: CodeBlocks(codes, items, _NO_NUMBERS, scales, *np.empty((3, n_blocks), dtype=np.float32))
        for width in widths
    }

    def fill(first: int) -> None:
        _fill(blocks, slice(first, min(first + _BLOCKS_AT_ONCE, n_blocks)), vectors)

    map_in_threads(fill, range(0, n_blocks, _BLOCKS_AT_ONCE), resolve_threads(threads))
    positions = invert(items, len(vectors))
    return NestedCodes({
        width: CoarseIndex(own, Storage.INT8, width, width, _build_cells(begins, ends, own), None, positions)
        for width, own in blocks.items()
    })  # fmt: skip


def _fill(blocks: Mapping[int, CodeBlocks], some: slice, vectors: Float32Array) -> None:
    """Quantize some blocks, and write the terms of their bounds at every width."""
    widths, shared = list(blocks), next(iter(blocks.values()))
    items = shared.items[some.start * BLOCK : some.stop * BLOCK]
    rows = vectors[items, : widths[-1]].astype(np.float64)
    rows[items < 0] = 0.0
    rows = rows.reshape(-1, BLOCK, widths[-1])
    quantized = quantize_blocks(Storage.INT8, rows)
    shared.codes.reshape(len(shared.scales), -1)[some] = quantized.codes.reshape(len(rows), -1)
    shared.scales[some] = quantized.scales
    errors, decoded_norms, item_norms = (
        _measure_prefixes(part, widths) for part in (rows - quantized.decoded, quantized.decoded, rows)
    )
    for width, own in blocks.items():
        write_bounds(own, some, width, errors[width], decoded_norms[width], item_norms[width])


def _measure_prefixes(vectors: Float64Array, widths: list[int]) -> dict[int, Float64Array]:
    """Return the norms of the prefixes of each width."""
    squares, result, begin = np.zeros(vectors.shape[:-1]), {}, 0
    for width in widths:
        added = vectors[..., begin:width]
        squares, begin = squares + np.vecdot(added, added), width
        result[width] = np.sqrt(squares)
    return result


def _build_cells(begins: Int32Array, ends: Int32Array, blocks: CodeBlocks) -> Cells:
    none = np.zeros(len(begins))
    max_norms = np.maximum.reduceat(blocks.max_norms, begins).astype(np.float64)
    return Cells(begins, ends, max_norms, np.zeros((len(begins), 0)), none, none)
