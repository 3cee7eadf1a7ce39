"""A screen: a compact copy of the first numbers of every item, walked to find what few items need exact scores.

It holds a prefix of the vectors, of a trained width or along other `Axes`, in one of three storages, in the order of
falling length or cell by cell. All its arrays may be views of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.errors import DataError
from nestrec.kernels.shelves import SHELF, Shelves, Weights
from nestrec.retrieval.axes import Axes
from nestrec.retrieval.cells import Cells
from nestrec.retrieval.storage import Storage, coded_queries

ROUNDING = float(2.0**-23)  # twice the relative error of one operation in float32
LEAST_SCORE = float(2.0**-100)  # more than 2^31 times the smallest float32, for sums of codes times their scales
_OPERATIONS = 8  # beside those of a sum itself
_LARGEST_SCORE = float(np.finfo(np.float32).max) / 4
_UPWARDS = 1.0 + 4 * ROUNDING  # what is rounded to float32 must not become less

Matrix = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Asked:
    """Queries as a screen takes them."""

    codes: npt.NDArray[Any]
    weights: Weights


@dataclass(frozen=True, eq=False)
class Screen:
    """The shelves, how their numbers are kept, and what else a query must become."""

    shelves: Shelves
    storage: Storage
    width: int  # numbers of an item on the shelves
    full_width: int  # numbers of the vectors that it stands for
    cells: Cells
    axes: Axes | None
    places: npt.NDArray[np.int32]  # (n_items,) where each item stands

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.places)

    @property
    def n_steps(self) -> int:
        """Steps that the numbers of an item take."""
        return self.storage.steps(self.width)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays().values())

    @cached_property
    def standing(self) -> npt.NDArray[np.int64]:
        """A bit for each place, (n_shelves,), 1 where an item stands."""
        return _packed(self.shelves.names >= 0)

    def words(self, allowed: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Return a bit for each place, (n_shelves,), 1 where an item stands that may be returned."""
        names = self.shelves.names
        return _packed((names >= 0) & allowed[names])

    def turned(self, queries: Matrix) -> Doubles:
        """Return queries along the axes of the screen, float64."""
        doubles = queries[:, : self.full_width].astype(np.float64)
        return doubles if self.axes is None else doubles @ self.axes.of_queries

    def asked(self, queries: Matrix, *, exact: bool, side_by_side: int) -> Asked:
        """Return queries with the weights of upper bounds (`exact`) or of plain estimates.

        Raises DataError where a product may be beyond the range of float32.
        """
        turned = self.turned(queries)
        prefixes = turned[:, : self.width]
        found = coded_queries(self.storage, prefixes, side_by_side)
        lengths = _lengths(queries[:, : self.full_width])
        _check_range(lengths, self.cells.longest)
        rounding = relative_error(self.full_width)
        parts = [_lengths(turned[:, self.width :]), _lengths(prefixes), found.rests, rounding * lengths]
        slack = [_UPWARDS * part if exact else np.zeros(len(queries)) for part in parts]
        leasts = np.full(len(queries), LEAST_SCORE if exact else 0.0)
        columns = [found.scales, *slack, _UPWARDS * (1.0 + rounding) * lengths, leasts]
        n_filled = -(-len(queries) // side_by_side) * side_by_side
        return Asked(found.codes, Weights(*(_filled_up(column, n_filled) for column in columns)))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by name, as they are saved."""
        axes = {} if self.axes is None else self.axes._asdict()
        return {**self.shelves._asdict(), **self.cells.arrays(), **axes, "places": self.places}

    def described(self) -> dict[str, Any]:
        """Return what the arrays do not say, as plain values."""
        return {"storage": self.storage.value, "width": self.width, "full_width": self.full_width}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], described: Mapping[str, Any]) -> Screen:
        """Return the screen that these came from. Raises KeyError, ValueError for what is none."""
        shelves = Shelves(*(arrays[name] for name in Shelves._fields))
        axes = Axes(arrays["of_queries"], arrays["of_items"]) if "of_queries" in arrays else None
        storage, width, full_width = Storage(described["storage"]), int(described["width"]), described["full_width"]
        screen = cls(shelves, storage, width, int(full_width), Cells.restored(arrays), axes, arrays["places"])
        screen._check()
        return screen

    def _check(self) -> None:
        """Raise ValueError where an array's size or an index in it would lead a kernel out of an array."""
        shelves, n_shelves = self.shelves, len(self.shelves.scales)
        n_codes, n_places = n_shelves * self.n_steps * SHELF * self.storage.per_step, n_shelves * SHELF
        if len(shelves.codes) != n_codes or shelves.codes.dtype != self.storage.dtype:
            raise ValueError(f"{len(shelves.codes)} codes do not fill {n_shelves} shelves of width {self.width}")
        if any(len(part) != n_shelves for part in (shelves.errors, shelves.reaches, shelves.lengths)):
            raise ValueError("the bounds of shelves are not as many as the shelves")
        if len(shelves.tails) != (n_places if self.width < self.full_width else 0):
            raise ValueError(f"{len(shelves.tails)} tails do not fit {n_places} places")
        for indices, end in (
            (shelves.names[shelves.names != -1], self.n_items),
            (self.places, n_places),
            (self.cells.begins, n_shelves),
            (self.cells.ends, n_shelves + 1),
        ):
            if len(indices) and not 0 <= indices.min() <= indices.max() < end:
                raise ValueError(f"indices from {indices.min()} to {indices.max()} lead out of {end}")
        if len(shelves.names) != n_places:
            raise ValueError(f"{len(shelves.names)} names do not fit {n_places} places")


def _check_range(queries: Doubles, items: Doubles) -> None:
    query, item = float(queries.max(initial=0.0)), float(items.max(initial=0.0))
    if query * item > _LARGEST_SCORE:
        raise DataError(
            f"a query of length {query:.3g} and an item vector of length {item:.3g} have products beyond the range of "
            "32-bit floats; scale the vectors down"
        )


def _packed(places: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.packbits(places.reshape(-1, SHELF), axis=1, bitorder="little").view(np.int64).ravel()


def _lengths(rows: npt.NDArray[Any]) -> Doubles:
    doubles = rows.astype(np.float64)
    lengths: Doubles = np.sqrt(np.vecdot(doubles, doubles))
    return lengths


def relative_error(width: int) -> float:
    """Return how far a float32 sum of so many products may be off, as a share of the vectors' lengths multiplied."""
    return (width + _OPERATIONS) * ROUNDING


def _filled_up(values: Doubles, n: int) -> npt.NDArray[np.float32]:
    column = np.zeros(n, dtype=np.float32)
    column[: len(values)] = values
    return column
