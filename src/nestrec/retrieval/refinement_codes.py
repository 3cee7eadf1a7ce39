"""Refinement codes: a second, wider stage of a coarse index for the candidates of its scan; int8, a scale per item.

In the full width their estimates are nearly the scores and their bounds close, so that hardly more than the best k have
to be reranked by the vectors, which are four times as long and lie anywhere in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float64Array, Int32Array, Int64Array
from nestrec.kernels.search.refinement import PER_STEP, ItemCodes, refine
from nestrec.norms import norms
from nestrec.retrieval.bounds import ROUNDING, compute_bound_terms, relative_error
from nestrec.retrieval.quantization import Storage, quantize_queries, quantize_to_int8

_UPWARDS = 1.0 + 8 * ROUNDING  # values rounded to float32 must not become smaller


@dataclass(frozen=True, eq=False)
class RefinementCodes:
    """Codes of a prefix of every item, in the rotation of its coarse index."""

    width: int
    items: ItemCodes

    @classmethod
    def allocate(cls, n_items: int, width: int) -> RefinementCodes:
        """Return codes to be filled."""
        codes = np.zeros(n_items * _n_steps(width) * PER_STEP, dtype=np.int8)
        return cls(width, ItemCodes(codes, np.zeros((n_items, 4), dtype=np.float32)))

    def fill(self, items: Int32Array, rotated: Float64Array) -> None:
        """Quantize these items, whose vectors are (n, full width)."""
        prefixes = rotated[:, : self.width]
        quantized = quantize_to_int8(prefixes)
        self.items.codes.reshape(-1, _n_steps(self.width) * PER_STEP)[items, : self.width] = quantized.codes
        decoded_norms, errors = norms(quantized.decoded), norms(prefixes - quantized.decoded)
        errors += relative_error(self.width) * decoded_norms
        terms = [errors, norms(rotated[:, self.width :]), np.maximum(norms(rotated), decoded_norms)]
        self.items.terms[items, 0] = quantized.scales
        self.items.terms[items, 1:] = _UPWARDS * np.stack(terms, axis=1)

    def refine(
        self, keys: Int64Array, counts: Int64Array, rotated: Float64Array, query_norms: Float64Array, *, exact: bool
    ) -> None:
        """Replace the scores in keys of items by upper bounds (`exact`) or estimates of queries, (n, full width)."""
        quantized = quantize_queries(Storage.INT8, rotated[:, : self.width], 1, PER_STEP)
        terms = compute_bound_terms(rotated, quantized, self.width, query_norms, exact=exact, n=len(rotated))
        refine(keys, counts, quantized.codes, terms, self.items, _n_steps(self.width))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by name, as they are saved."""
        return {f"refinement_{name}": array for name, array in self.items._asdict().items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], width: int) -> RefinementCodes:
        """Return the codes of saved arrays, which were validated with those of the coarse index."""
        return cls(width, ItemCodes(*(arrays[f"refinement_{name}"] for name in ItemCodes._fields)))


def _n_steps(width: int) -> int:
    return -(-width // PER_STEP)
