"""Rows of items: a second, wider stage of a screen, for what passes the first; int8, with a scale for each item.

Of the full width, an estimate by a row is off by little and a bound by a row is near, so that hardly more than the best
k have to be scored by all numbers of the vectors, which are four times as long and lie anywhere in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float64Array, Int32Array, Int64Array
from nestrec.kernels.search.code_blocks import Weights
from nestrec.kernels.search.refinement import PER_STEP, Rows, refine
from nestrec.retrieval.bounds import ROUNDING, relative_error, vector_lengths, weights
from nestrec.retrieval.quantization import Storage, coded_queries, coded_rows

_UPWARDS = 1.0 + 8 * ROUNDING  # what is rounded to float32 must not become less


class RefinementQueries(NamedTuple):
    """Queries as rows take them."""

    codes: npt.NDArray[np.int16]  # flat
    weights: Weights


@dataclass(frozen=True, eq=False)
class RefinementCodes:
    """The first numbers of every item, along the axes of its screen."""

    width: int  # numbers of an item
    rows: Rows

    @classmethod
    def empty(cls, n_items: int, width: int) -> RefinementCodes:
        """Return rows that are to be filled."""
        codes = np.zeros(n_items * _n_steps(width) * PER_STEP, dtype=np.int8)
        return cls(width, Rows(codes, np.zeros((n_items, 4), dtype=np.float32)))

    def fill(self, items: Int32Array, turned: Float64Array) -> None:
        """Fill the rows of these items, whose vectors are (n, full width)."""
        prefixes = turned[:, : self.width]
        found = coded_rows(prefixes)
        self.rows.codes.reshape(-1, _n_steps(self.width) * PER_STEP)[items, : self.width] = found.codes
        reaches, errors = vector_lengths(found.decoded), vector_lengths(prefixes - found.decoded)
        lengths = np.maximum(vector_lengths(turned), reaches)
        bounded = [errors + relative_error(self.width) * reaches, vector_lengths(turned[:, self.width :]), lengths]
        self.rows.parts[items, 0] = found.scales
        self.rows.parts[items, 1:] = _UPWARDS * np.stack(bounded, axis=1)

    def asked(self, turned: Float64Array, lengths: Float64Array, *, exact: bool) -> RefinementQueries:
        """Return queries, (n, full width), with the weights of upper bounds (`exact`) or of plain estimates."""
        found = coded_queries(Storage.INT8, turned[:, : self.width], 1, PER_STEP)
        return RefinementQueries(found.codes, weights(turned, found, self.width, lengths, exact=exact, n=len(turned)))

    def refine(self, keys: Int64Array, counts: Int64Array, asked: RefinementQueries) -> None:
        """Put bounds or estimates by the rows into keys of items, in the place of what they hold."""
        refine(keys, counts, asked.codes, asked.weights, self.rows, _n_steps(self.width))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by name, as they are saved."""
        return {f"row_{name}": array for name, array in self.rows._asdict().items()}

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]], width: int) -> RefinementCodes:
        """Return the rows that these came from; the arrays have been validated with those of the screen."""
        return cls(width, Rows(*(arrays[f"row_{name}"] for name in Rows._fields)))


def _n_steps(width: int) -> int:
    return -(-width // PER_STEP)
