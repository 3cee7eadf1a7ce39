"""Kinds of FAISS index that are built from a model's vectors (Douze et al., "The Faiss library", 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from nestrec.arrays import Float32Array
from nestrec.errors import OptionError
from nestrec.extras import require


class FaissKind(Protocol):
    """Builds an index and chooses its search parameters."""

    name: ClassVar[str]

    def build(self, vectors: Float32Array) -> Any:
        """Return a FAISS index of these vectors, by inner product."""

    def search_parameters(self, n: int, selector: Any) -> Any:
        """Return FAISS search parameters for n candidates out of what the selector allows."""


def faiss_library() -> Any:
    """Return the module; raise MissingExtraError without it."""
    return require("faiss", "faiss", "a FAISS index")


@dataclass(frozen=True)
class Flat:
    """Full scan of the prefixes; with a narrow width, the shortlist is then reranked in all dimensions."""

    name: ClassVar[str] = "flat"

    def build(self, vectors: Float32Array) -> Any:
        """See `FaissKind`."""
        index = faiss_library().IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index

    def search_parameters(self, n: int, selector: Any) -> Any:
        """See `FaissKind`."""
        return faiss_library().SearchParameters(sel=selector)


@dataclass(frozen=True)
class Hnsw:
    """HNSW graph (Malkov and Yashunin 2018). Raises OptionError for numbers below 1."""

    name: ClassVar[str] = "hnsw"
    neighbours: int = 16  # M
    build_effort: int = 100  # efConstruction
    search_effort: int = 200  # efSearch: candidates kept while searching; n, if that is more

    def __post_init__(self) -> None:
        """Validate the numbers."""
        _check_positive(self, "neighbours", "build_effort", "search_effort")

    def build(self, vectors: Float32Array) -> Any:
        """See `FaissKind`."""
        faiss = faiss_library()
        index = faiss.IndexHNSWFlat(vectors.shape[1], self.neighbours, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.build_effort
        index.add(vectors)
        return index

    def search_parameters(self, n: int, selector: Any) -> Any:
        """See `FaissKind`."""
        return faiss_library().SearchParametersHNSW(efSearch=max(self.search_effort, n), sel=selector)


@dataclass(frozen=True)
class Ivf:
    """Inverted lists around centroids, of which the nearest are scanned. Raises OptionError for numbers below 1."""

    name: ClassVar[str] = "ivf"
    n_lists: int = 256  # or as many as there are vectors
    n_probes: int = 32

    def __post_init__(self) -> None:
        """Validate the numbers."""
        _check_positive(self, "n_lists", "n_probes")

    def build(self, vectors: Float32Array) -> Any:
        """See `FaissKind`."""
        faiss = faiss_library()
        size = vectors.shape[1]
        quantizer = faiss.IndexFlatIP(size)
        index = faiss.IndexIVFFlat(quantizer, size, min(self.n_lists, len(vectors)), faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1  # or faiss warns on standard output
        index.train(vectors)
        index.add(vectors)
        return index

    def search_parameters(self, n: int, selector: Any) -> Any:
        """See `FaissKind`."""
        return faiss_library().SearchParametersIVF(nprobe=self.n_probes, sel=selector)


KINDS: dict[str, type[Flat] | type[Hnsw] | type[Ivf]] = {kind.name: kind for kind in (Flat, Hnsw, Ivf)}


def _check_positive(kind: Any, *names: str) -> None:
    for name in names:
        if getattr(kind, name) < 1:
            raise OptionError(f"{name} of {kind.name} must be 1 or more, got {getattr(kind, name)}")
