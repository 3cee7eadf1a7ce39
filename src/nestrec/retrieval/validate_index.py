"""Validation of the arrays of a coarse index that was read from a file, before any kernel reads them.

Validated is what the kernels rely on: dtypes and shapes; the indices form a permutation of the items; the cells cover
every block once, in order; scales and norms are finite and not negative. Codes may hold any value: a changed code
changes an estimate, never an index. The cost is one pass over 8 bytes an item, and over 16 of refinement codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Int32Array
from nestrec.kernels.search.code_blocks import BLOCK
from nestrec.kernels.search.refinement import PER_STEP
from nestrec.retrieval.quantization import Storage

Arrays = Mapping[str, npt.NDArray[Any]]

_ITEMS_AT_ONCE = 1 << 20
_PER_BLOCK = ("scales", "quantization_errors", "decoded_norms", "max_norms")
_PER_CELL = ("cell_max_norms", "cell_radii", "cell_max_residual_norms")


def validate_index(arrays: Arrays, storage: Storage, width: int, full_width: int, refinement_width: int) -> None:
    """Raise ValueError where an array is missing, or where a kernel would leave an array or not end."""
    if not (1 <= width <= full_width and 0 <= refinement_width <= full_width):
        raise ValueError(
            f"widths must be at most the full width {full_width}, got {width} and refinement codes of "
            f"{refinement_width}"
        )
    n_blocks, n_items = arrays["scales"].size, arrays["positions"].size
    for name, (dtype, shape) in _expect(arrays, storage, width, full_width, refinement_width).items():
        found = arrays[name]
        if found.dtype != dtype or found.shape != shape:
            raise ValueError(f"{name} must be {np.dtype(dtype)} {shape}, got {found.dtype} {found.shape}")
    _check_cells(arrays["cell_begins"], arrays["cell_ends"], n_blocks)
    _check_permutation(arrays["items"], arrays["positions"], n_items)
    for name in ("residual_norms", *_PER_BLOCK, *_PER_CELL, *(("refinement_terms",) if refinement_width else ())):
        _check_numbers(name, arrays[name], least=0.0)
    for name in ("cell_centroids", "of_queries", "of_items"):
        if name in arrays:
            _check_numbers(name, arrays[name], least=-np.inf)


def _expect(
    arrays: Arrays, storage: Storage, width: int, full_width: int, refinement_width: int
) -> dict[str, tuple[npt.DTypeLike, tuple[int, ...]]]:
    """Return the dtype and shape of each array; one array each gives the numbers of blocks, items and cells."""
    n_blocks, n_items, n_cells = arrays["scales"].size, arrays["positions"].size, arrays["cell_begins"].size
    n_positions, cluster_width = n_blocks * BLOCK, arrays["cell_centroids"].shape[-1]
    if cluster_width > full_width:
        raise ValueError(f"cell_centroids must have at most {full_width} columns, got {cluster_width}")
    block: tuple[npt.DTypeLike, tuple[int, ...]] = (np.float32, (n_blocks,))
    cell: tuple[npt.DTypeLike, tuple[int, ...]] = (np.float64, (n_cells,))
    expected: dict[str, tuple[npt.DTypeLike, tuple[int, ...]]] = {
        "codes": (storage.dtype, (n_positions * storage.steps(width) * storage.per_step,)),
        "items": (np.int32, (n_positions,)),
        "residual_norms": (np.float32, (n_positions if width < full_width else 0,)),
        **dict.fromkeys(_PER_BLOCK, block),
        **dict.fromkeys(("cell_begins", "cell_ends"), (np.int32, (n_cells,))),
        **dict.fromkeys(_PER_CELL, cell),
        "cell_centroids": (np.float64, (n_cells, cluster_width)),
        "positions": (np.int32, (n_items,)),
    }
    if "of_queries" in arrays or "of_items" in arrays:
        expected |= dict.fromkeys(("of_queries", "of_items"), (np.float64, (full_width, full_width)))
    if refinement_width:
        n_codes = n_items * -(-refinement_width // PER_STEP) * PER_STEP
        expected |= {"refinement_codes": (np.int8, (n_codes,)), "refinement_terms": (np.float32, (n_items, 4))}
    return expected


def _check_cells(begins: Int32Array, ends: Int32Array, n_blocks: int) -> None:
    """Raise ValueError unless the cells follow each other from the first block to the last, none of them empty."""
    edges = np.append(begins, n_blocks)
    if edges[0] != 0 or (edges[1:] != ends).any() or (edges[1:] <= edges[:-1]).any():
        raise ValueError(f"cell_begins and cell_ends must cut {n_blocks} blocks into cells that follow each other")


def _check_permutation(items: Int32Array, positions: Int32Array, n_items: int) -> None:
    """Raise ValueError unless every item has one position and every other position is unused."""
    if n_items and not (positions.min() >= 0 and positions.max() < len(items)):
        raise ValueError(f"positions must be from 0 to {len(items) - 1}, got {positions.min()} to {positions.max()}")
    if len(items) and not (items.min() >= -1 and items.max() < n_items):
        raise ValueError(f"items must be from -1 to {n_items - 1}, got {items.min()} to {items.max()}")
    for start in range(0, n_items, _ITEMS_AT_ONCE):
        some = positions[start : start + _ITEMS_AT_ONCE]
        if (items[some] != np.arange(start, start + len(some))).any():
            raise ValueError("items and positions must be each other's inverse, one position for each item")
    if np.count_nonzero(items >= 0) != n_items:
        raise ValueError(f"items must hold each of {n_items} items once")


def _check_numbers(name: str, numbers: npt.NDArray[Any], least: float) -> None:
    """Raise ValueError for a number that is not finite or below the least; NaN fails every comparison."""
    if numbers.size and not (numbers.min() >= least and np.isfinite(numbers.min()) and np.isfinite(numbers.max())):
        rule = "finite" if least < 0 else "finite and not negative"
        raise ValueError(f"{name} must be {rule}, got {numbers.min()} to {numbers.max()}")
