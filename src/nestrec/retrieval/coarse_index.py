"""Coarse index: quantized prefixes of all items, scanned to find the few candidates that need full-width scores.

It holds a prefix of the vectors, of a trained width or after an SVD rotation, in one of three storages, by descending
norm or cell by cell; optionally refinement codes, a wider second stage. All its arrays may be views of a file.
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
from nestrec.kernels.search.code_blocks import BLOCK, BoundTerms, CodeBlocks
from nestrec.norms import norms
from nestrec.retrieval.bounds import check_range, compute_bound_terms
from nestrec.retrieval.cells import Cells
from nestrec.retrieval.quantization import Storage, quantize_queries
from nestrec.retrieval.refinement_codes import RefinementCodes
from nestrec.retrieval.validate_index import validate_index
from nestrec.svd_rotation import Rotation


@dataclass(frozen=True, eq=False)
class EncodedQueries:
    """Queries as a scan takes them."""

    codes: npt.NDArray[Any]
    bound_terms: BoundTerms


@dataclass(frozen=True, eq=False)
class CoarseIndex:
    """Code blocks, their storage, and how queries are rotated and quantized for them."""

    blocks: CodeBlocks
    storage: Storage
    width: int  # dimensions with codes
    full_width: int  # dimensions of the vectors
    cells: Cells
    rotation: Rotation | None
    positions: Int32Array  # (n_items,) position of each item in the blocks
    refinement: RefinementCodes | None = None

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.positions)

    @property
    def n_steps(self) -> int:
        """Steps that a scan multiplies."""
        return self.storage.steps(self.width)

    @property
    def block_steps(self) -> int:
        """Steps of a block's codes, more than `n_steps` where the codes are of wider vectors (nested_codes.py)."""
        return len(self.blocks.codes) // (len(self.blocks.items) * self.storage.per_step)

    @property
    def n_scanned_codes(self) -> int:
        """Number of codes that a scan of all blocks multiplies."""
        return len(self.blocks.items) * self.n_steps * self.storage.per_step

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays().values())

    @cached_property
    def used_bits(self) -> Int64Array:
        """One bit for each position, (n_blocks,), 1 where there is an item."""
        return _pack_bits(self.blocks.items >= 0)

    def allowed_bits(self, allowed: BoolArray) -> Int64Array:
        """Return a bit for each position, (n_blocks,), 1 where there is an item that may be returned."""
        items = self.blocks.items
        return _pack_bits((items >= 0) & allowed[items])

    def rotate(self, queries: Float32Array) -> Float64Array:
        """Return queries, float64, in the rotation of the index."""
        doubles = queries[:, : self.full_width].astype(np.float64)
        return doubles if self.rotation is None else doubles @ self.rotation.of_queries

    def encode(self, queries: Float32Array, *, exact: bool, group_size: int) -> EncodedQueries:
        """Return quantized queries with the terms of upper bounds (`exact`) or of estimates.

        Raises DataError where an inner product may exceed the range of float32.
        """
        rotated = self.rotate(queries)
        quantized = quantize_queries(self.storage, rotated[:, : self.width], group_size)
        query_norms = norms(queries[:, : self.full_width])
        check_range(query_norms, self.cells.max_norms)
        n = -(-len(queries) // group_size) * group_size
        terms = compute_bound_terms(rotated, quantized, self.width, query_norms, exact=exact, n=n)
        return EncodedQueries(quantized.codes, terms)

    def refine(self, keys: Int64Array, counts: Int64Array, queries: Float32Array, *, exact: bool) -> None:
        """Replace the scores in keys by bounds (`exact`) or estimates of the refinement codes, if there are any."""
        if self.refinement is not None:
            query_norms = norms(queries[:, : self.full_width])
            self.refinement.refine(keys, counts, self.rotate(queries), query_norms, exact=exact)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all arrays by name, as they are saved."""
        rotation = {} if self.rotation is None else self.rotation._asdict()
        refinement = {} if self.refinement is None else self.refinement.arrays()
        return {**self.blocks._asdict(), **self.cells.arrays(), **rotation, **refinement, "positions": self.positions}

    def describe(self) -> dict[str, Any]:
        """Return what the arrays do not say, as plain values."""
        return {
            "storage": self.storage.value,
            "width": self.width,
            "full_width": self.full_width,
            "refinement_width": self.refinement.width if self.refinement else 0,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], description: Mapping[str, Any]) -> CoarseIndex:
        """Return the index of saved arrays and their description; raise ModelFileError if they do not form one.

        Everything that kernels rely on is validated here, so that no changed byte of a file leads one out of an array.
        """
        try:
            return cls._from_arrays(arrays, description)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise ModelFileError(
                f"the model's coarse index is damaged or does not fit its manifest ({error}); build it again: "
                "nestrec plan MODEL"
            ) from error

    @classmethod
    def _from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], description: Mapping[str, Any]) -> CoarseIndex:
        storage, refinement_width = Storage(description["storage"]), int(description.get("refinement_width", 0))
        width, full_width = int(description["width"]), int(description["full_width"])
        validate_index(arrays, storage, width, full_width, refinement_width)
        blocks = CodeBlocks(*(arrays[name] for name in CodeBlocks._fields))
        rotation = Rotation(arrays["of_queries"], arrays["of_items"]) if "of_queries" in arrays else None
        refinement = RefinementCodes.from_arrays(arrays, refinement_width) if refinement_width else None
        cells = Cells.from_arrays(arrays)
        return cls(blocks, storage, width, full_width, cells, rotation, arrays["positions"], refinement)


def _pack_bits(flags: BoolArray) -> Int64Array:
    """Return a word of 64 bits for each block of flags."""
    return np.packbits(flags.reshape(-1, BLOCK), axis=1, bitorder="little").view(np.int64).ravel()
