"""A FAISS index of prefixes with a refinement by the full vectors (Douze et al., "The Faiss library", 2024).

The file holds an `IndexRefineFlat`: its base is an index of the first dimensions, behind an `IndexPreTransform` that
cuts vectors and queries, and its refinement has the full vectors. FAISS alone can read and search it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nestrec.arrays import Float32Array, Int64Array
from nestrec.atomic.output_file import atomic_file
from nestrec.errors import StoreError
from nestrec.extras import require
from nestrec.stores.layout import Quantization

Kind = Literal["flat", "hnsw", "ivf"]
_CODES = {None: "Flat", "int8": "SQ8", "bf16": "SQbf16"}
_TRAINED_ON = 64  # vectors for each inverted list
_ADDED_AT_ONCE = 65_536


def faiss_library() -> Any:
    """Return the module; raise MissingExtraError without it."""
    return require("faiss", "faiss", "a FAISS index")


@dataclass(frozen=True)
class IndexOptions:
    """How a base index is built."""

    kind: Kind
    width: int
    quantize: Quantization | None
    m: int
    ef_construct: int
    n_lists: int

    def factory_key(self, n_rows: int) -> str:
        """Return the index in the words of FAISS' `index_factory`.

        >>> IndexOptions("hnsw", 16, "int8", 16, 100, 256).factory_key(1000)
        'HNSW16,SQ8'
        """
        code = _CODES[self.quantize]
        if self.kind == "hnsw":
            return f"HNSW{self.m},{code}"
        return code if self.kind == "flat" else f"IVF{max(1, min(self.n_lists, n_rows))},{code}"


def write_index(
    path: Path, vectors: Iterator[Float32Array], sample: Float32Array, options: IndexOptions, n_rows: int, size: int
) -> None:
    """Build an index of vectors that come in blocks, trained on a sample of them, and write it atomically."""
    faiss = faiss_library()
    base = faiss.index_factory(options.width, options.factory_key(n_rows), faiss.METRIC_INNER_PRODUCT)
    if options.kind == "hnsw":
        base.hnsw.efConstruction = options.ef_construct
    if options.kind == "ivf":
        base.cp.min_points_per_centroid = 1  # or faiss warns on standard output
    cut = faiss.IndexPreTransform(faiss.RemapDimensionsTransform(size, options.width, False), base)  # noqa: FBT003
    if len(sample) and not cut.is_trained:
        cut.train(sample)
    index = faiss.IndexRefineFlat(cut)
    for block in vectors:
        index.add(block)
    with atomic_file(path, overwrite=True) as partial:
        faiss.write_index(index, str(partial))


def sample_size(options: IndexOptions, n_rows: int) -> int:
    """Return how many vectors an index is trained on."""
    return min(n_rows, max(_ADDED_AT_ONCE, _TRAINED_ON * options.n_lists))


class OpenIndex:
    """An index in memory, with its parts."""

    def __init__(self, path: Path) -> None:
        """Read the file; raise StoreError for what is not such an index."""
        faiss = faiss_library()
        try:
            self.index = faiss.read_index(str(path))
            self._cut = faiss.downcast_index(self.index.base_index)
            self._base = faiss.downcast_index(self._cut.index)
            full = faiss.downcast_index(self.index.refine_index)
            self.vectors: Float32Array = faiss.rev_swig_ptr(full.get_xb(), full.ntotal * full.d).reshape(-1, full.d)
        except (RuntimeError, AttributeError) as error:
            raise StoreError(f"{path} is not an index of nestrec export ({error}); export the model again") from error
        self.width = int(self._base.d)

    def propose(self, query: Float32Array, n: int, excluded: Int64Array, *, ef: int, n_probes: int) -> Int64Array:
        """Return positions of at most n candidates by the first dimensions, none of them excluded."""
        faiss = faiss_library()
        selector = faiss.IDSelectorNot(faiss.IDSelectorBatch(excluded)) if len(excluded) else None
        if hasattr(self._base, "hnsw"):
            chosen = faiss.SearchParametersHNSW(efSearch=max(ef, n), sel=selector)
        elif hasattr(self._base, "nprobe"):
            chosen = faiss.SearchParametersIVF(nprobe=n_probes, sel=selector)
        else:
            chosen = faiss.SearchParameters(sel=selector)
        n = min(n, len(self.vectors))
        if n == 0:
            return np.zeros(0, dtype=np.int64)
        _, found = self._base.search(np.ascontiguousarray(query[np.newaxis, : self.width]), n, params=chosen)
        positions: Int64Array = found[0][found[0] >= 0]
        return positions
