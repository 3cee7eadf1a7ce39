"""The kinds of FAISS index that are made from a model's vectors. Douze et al., "The Faiss library", 2024."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from nestrec.arrays import Float32Array
from nestrec.errors import OptionError
from nestrec.extras import require


class FaissKind(Protocol):
    """Makes an index and says how hard it searches."""

    name: ClassVar[str]

    def build(self, vectors: Float32Array) -> Any:
        """Return a faiss index of these vectors, by inner product."""

    def effort(self, n: int, selector: Any) -> Any:
        """Return faiss search parameters for n answers out of what the selector allows."""


def faiss_library() -> Any:
    """Return the module; raise MissingExtraError without it."""
    return require("faiss", "faiss", "a FAISS index")


@dataclass(frozen=True)
class Flat:
    """Every vector, scanned: with a narrow width, the prefix whose shortlist is then scored by all numbers."""

    name: ClassVar[str] = "flat"

    def build(self, vectors: Float32Array) -> Any:
        """See `FaissKind`."""
        index = faiss_library().IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index

    def effort(self, n: int, selector: Any) -> Any:
        """See `FaissKind`."""
        return faiss_library().SearchParameters(sel=selector)


@dataclass(frozen=True)
class Hnsw:
    """A graph of neighbours (Malkov and Yashunin 2018). Raises OptionError for numbers below 1."""

    name: ClassVar[str] = "hnsw"
    neighbours: int = 16
    build_effort: int = 100
    search_effort: int = 200  # candidates kept while searching, or as many as are asked for

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_positive(self, "neighbours", "build_effort", "search_effort")

    def build(self, vectors: Float32Array) -> Any:
        """See `FaissKind`."""
        faiss = faiss_library()
        index = faiss.IndexHNSWFlat(vectors.shape[1], self.neighbours, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.build_effort
        index.add(vectors)
        return index

    def effort(self, n: int, selector: Any) -> Any:
        """See `FaissKind`."""
        return faiss_library().SearchParametersHNSW(efSearch=max(self.search_effort, n), sel=selector)


@dataclass(frozen=True)
class Ivf:
    """Lists of vectors around centres, the nearest of which are scanned. Raises OptionError for numbers below 1."""

    name: ClassVar[str] = "ivf"
    n_lists: int = 256  # or as many as there are vectors
    n_probes: int = 32

    def __post_init__(self) -> None:
        """Check the numbers."""
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

    def effort(self, n: int, selector: Any) -> Any:
        """See `FaissKind`."""
        return faiss_library().SearchParametersIVF(nprobe=self.n_probes, sel=selector)


KINDS: dict[str, type[Flat] | type[Hnsw] | type[Ivf]] = {kind.name: kind for kind in (Flat, Hnsw, Ivf)}


def _check_positive(kind: Any, *names: str) -> None:
    for name in names:
        if getattr(kind, name) < 1:
            raise OptionError(f"{name}={getattr(kind, name)} of {kind.name} finds nothing; give 1 or more")
