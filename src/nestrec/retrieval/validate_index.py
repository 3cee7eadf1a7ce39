"""Validate the arrays of a screen that was read from a file, before any kernel walks them.

What is checked is what the kernels rely on: dtypes and shapes; the indices form a permutation of the items; the cells
cover every shelf once, in order; scales and lengths are finite and not negative. Codes may hold any value: a changed
code changes an estimate, never an index. The cost is one pass over 8 bytes an item, and over the rows' 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Int32Array
from nestrec.kernels.search.code_blocks import SHELF
from nestrec.kernels.search.refinement import PER_STEP
from nestrec.retrieval.quantization import Storage

Arrays = Mapping[str, npt.NDArray[Any]]

_ITEMS_AT_ONCE = 1 << 20
_NOT_NEGATIVE = ("tails", "scales", "errors", "reaches", "lengths", "cell_longest", "cell_radii", "cell_rests")


def validate_screen(arrays: Arrays, storage: Storage, width: int, full_width: int, rows_width: int) -> None:
    """Raise ValueError where an array is missing, or where a kernel walking it would leave an array or never end."""
    if not (1 <= width <= full_width and 0 <= rows_width <= full_width):
        raise ValueError(f"widths must be at most the full width {full_width}, got {width} and rows of {rows_width}")
    n_shelves, n_items = arrays["scales"].size, arrays["places"].size
    for name, (dtype, shape) in _expected(arrays, storage, width, full_width, rows_width).items():
        found = arrays[name]
        if found.dtype != dtype or found.shape != shape:
            raise ValueError(f"{name} must be {np.dtype(dtype)} {shape}, got {found.dtype} {found.shape}")
    _check_cells(arrays["cell_begins"], arrays["cell_ends"], n_shelves)
    _check_permutation(arrays["names"], arrays["places"], n_items)
    for name in _NOT_NEGATIVE:
        _check_numbers(name, arrays[name], least=0.0)
    for name in ("cell_centres", "of_queries", "of_items"):
        if name in arrays:
            _check_numbers(name, arrays[name], least=-np.inf)
    if rows_width:
        _check_numbers("row_parts", arrays["row_parts"], least=0.0)


def _expected(
    arrays: Arrays, storage: Storage, width: int, full_width: int, rows_width: int
) -> dict[str, tuple[npt.DTypeLike, tuple[int, ...]]]:
    """Return the dtype and shape of each array; the numbers of shelves, items and cells are those of one array each."""
    n_shelves, n_items, n_cells = arrays["scales"].size, arrays["places"].size, arrays["cell_begins"].size
    n_places, centre_width = n_shelves * SHELF, arrays["cell_centres"].shape[-1]
    if centre_width > full_width:
        raise ValueError(f"cell_centres must have at most {full_width} columns, got {centre_width}")
    shelf: tuple[npt.DTypeLike, tuple[int, ...]] = (np.float32, (n_shelves,))
    cell: tuple[npt.DTypeLike, tuple[int, ...]] = (np.float64, (n_cells,))
    expected: dict[str, tuple[npt.DTypeLike, tuple[int, ...]]] = {
        "codes": (storage.dtype, (n_places * storage.steps(width) * storage.per_step,)),
        "names": (np.int32, (n_places,)),
        "tails": (np.float32, (n_places if width < full_width else 0,)),
        **dict.fromkeys(("scales", "errors", "reaches", "lengths"), shelf),
        **dict.fromkeys(("cell_begins", "cell_ends"), (np.int32, (n_cells,))),
        **dict.fromkeys(("cell_longest", "cell_radii", "cell_rests"), cell),
        "cell_centres": (np.float64, (n_cells, centre_width)),
        "places": (np.int32, (n_items,)),
    }
    if "of_queries" in arrays or "of_items" in arrays:
        expected |= dict.fromkeys(("of_queries", "of_items"), (np.float64, (full_width, full_width)))
    if rows_width:
        n_codes = n_items * -(-rows_width // PER_STEP) * PER_STEP
        expected |= {"row_codes": (np.int8, (n_codes,)), "row_parts": (np.float32, (n_items, 4))}
    return expected


def _check_cells(begins: Int32Array, ends: Int32Array, n_shelves: int) -> None:
    """Raise ValueError unless the cells follow each other from the first shelf to the last, each with one at least."""
    edges = np.append(begins, n_shelves)
    if edges[0] != 0 or (edges[1:] != ends).any() or (edges[1:] <= edges[:-1]).any():
        raise ValueError(f"cell_begins and cell_ends must cut {n_shelves} shelves into cells that follow each other")


def _check_permutation(names: Int32Array, places: Int32Array, n_items: int) -> None:
    """Raise ValueError unless every item has one place and every other place is empty."""
    if n_items and not (places.min() >= 0 and places.max() < len(names)):
        raise ValueError(f"places must be from 0 to {len(names) - 1}, got {places.min()} to {places.max()}")
    if len(names) and not (names.min() >= -1 and names.max() < n_items):
        raise ValueError(f"names must be from -1 to {n_items - 1}, got {names.min()} to {names.max()}")
    for start in range(0, n_items, _ITEMS_AT_ONCE):
        some = places[start : start + _ITEMS_AT_ONCE]
        if (names[some] != np.arange(start, start + len(some))).any():
            raise ValueError("names and places must be each other's inverse, one place for each item")
    if np.count_nonzero(names >= 0) != n_items:
        raise ValueError(f"names must hold each of {n_items} items once")


def _check_numbers(name: str, numbers: npt.NDArray[Any], least: float) -> None:
    """Raise ValueError for a number that is not finite, or is below the least; NaN fails every comparison."""
    if numbers.size and not (numbers.min() >= least and np.isfinite(numbers.min()) and np.isfinite(numbers.max())):
        rule = "finite" if least < 0 else "finite and not negative"
        raise ValueError(f"{name} must be {rule}, got {numbers.min()} to {numbers.max()}")
