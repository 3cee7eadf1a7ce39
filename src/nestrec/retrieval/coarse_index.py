"""A screen: a compact copy of the first numbers of every item, walked to find what few items need exact scores.

It holds a prefix of the vectors, of a trained width or after a rotation, in one of three storages, in the order of
falling length or cell by cell. All its arrays may be views of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.errors import ModelFileError
from nestrec.kernels.search.code_blocks import SHELF, CodeBlocks, Weights
from nestrec.retrieval.bounds import check_range, vector_lengths, weights
from nestrec.retrieval.cells import Cells
from nestrec.retrieval.quantization import Storage, coded_queries
from nestrec.retrieval.refinement_codes import RefinementCodes
from nestrec.retrieval.validate_index import validate_screen
from nestrec.svd_rotation import Rotation


@dataclass(frozen=True, eq=False)
class Asked:
    """Queries as a screen takes them."""

    codes: npt.NDArray[Any]
    weights: Weights


@dataclass(frozen=True, eq=False)
class CoarseIndex:
    """The shelves, how their numbers are kept, and what else a query must become."""

    shelves: CodeBlocks
    storage: Storage
    width: int  # numbers of an item on the shelves
    full_width: int  # numbers of the vectors that it stands for
    cells: Cells
    axes: Rotation | None
    places: Int32Array  # (n_items,) where each item stands
    rows: RefinementCodes | None = None  # more numbers of each item, for what passes the shelves

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
    def standing(self) -> Int64Array:
        """A bit for each place, (n_shelves,), 1 where an item stands."""
        return _packed(self.shelves.names >= 0)

    def words(self, allowed: BoolArray) -> Int64Array:
        """Return a bit for each place, (n_shelves,), 1 where an item stands that may be returned."""
        names = self.shelves.names
        return _packed((names >= 0) & allowed[names])

    def rotate(self, queries: Float32Array) -> Float64Array:
        """Return queries, float64, in the rotation of the index."""
        doubles = queries[:, : self.full_width].astype(np.float64)
        return doubles if self.axes is None else doubles @ self.axes.of_queries

    def asked(self, queries: Float32Array, *, exact: bool, side_by_side: int) -> Asked:
        """Return queries with the weights of upper bounds (`exact`) or of plain estimates.

        Raises DataError where a product may be beyond the range of float32.
        """
        turned = self.rotate(queries)
        found = coded_queries(self.storage, turned[:, : self.width], side_by_side)
        lengths = vector_lengths(queries[:, : self.full_width])
        check_range(lengths, self.cells.longest)
        n = -(-len(queries) // side_by_side) * side_by_side
        return Asked(found.codes, weights(turned, found, self.width, lengths, exact=exact, n=n))

    def refine(self, keys: Int64Array, counts: Int64Array, queries: Float32Array, *, exact: bool) -> None:
        """Put bounds (`exact`) or estimates by the rows into keys of items; without rows, leave them."""
        if self.rows is not None:
            lengths = vector_lengths(queries[:, : self.full_width])
            self.rows.refine(keys, counts, self.rows.asked(self.rotate(queries), lengths, exact=exact))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by name, as they are saved."""
        axes = {} if self.axes is None else self.axes._asdict()
        rows = {} if self.rows is None else self.rows.arrays()
        return {**self.shelves._asdict(), **self.cells.arrays(), **axes, **rows, "places": self.places}

    def described(self) -> dict[str, Any]:
        """Return what the arrays do not say, as plain values."""
        widths = {"width": self.width, "full_width": self.full_width, "rows": self.rows.width if self.rows else 0}
        return {"storage": self.storage.value, **widths}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], described: Mapping[str, Any]) -> CoarseIndex:
        """Return the screen that these came from; raise ModelFileError for what is none.

        Everything that kernels rely on is validated here, so that no changed byte of a file leads one out of an array.
        """
        try:
            return cls._restored(arrays, described)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise ModelFileError(
                f"the model's screen is damaged or does not fit its manifest ({error}); plan it again: nestrec plan "
                "MODEL"
            ) from error

    @classmethod
    def _restored(cls, arrays: Mapping[str, npt.NDArray[Any]], described: Mapping[str, Any]) -> CoarseIndex:
        storage, rows_width = Storage(described["storage"]), int(described.get("rows", 0))
        width, full_width = int(described["width"]), int(described["full_width"])
        validate_screen(arrays, storage, width, full_width, rows_width)
        shelves = CodeBlocks(*(arrays[name] for name in CodeBlocks._fields))
        axes = Rotation(arrays["of_queries"], arrays["of_items"]) if "of_queries" in arrays else None
        rows = RefinementCodes.restored(arrays, rows_width) if rows_width else None
        return cls(shelves, storage, width, full_width, Cells.restored(arrays), axes, arrays["places"], rows)


def _packed(places: BoolArray) -> Int64Array:
    return np.packbits(places.reshape(-1, SHELF), axis=1, bitorder="little").view(np.int64).ravel()
