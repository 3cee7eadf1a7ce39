"""Search config: the coarse index and the shortlists by which a model answers, and what was measured of them.

It is plain values, kept in a model's manifest; the coarse index is kept beside it, as arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec

from nestrec.arrays import Float32Array
from nestrec.errors import ModelFileError, OptionError
from nestrec.retrieval.build_index import build_index
from nestrec.retrieval.clusters import Clusters
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_scan import FEW_QUERIES
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.funnel import Funnel, Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.retriever import Retriever
from nestrec.svd_rotation import svd_rotation
from nestrec.widths import LARGEST_EMBEDDING_SIZE

_Width = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_EMBEDDING_SIZE)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Figure = Annotated[float, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class CoarseIndexOptions:
    """Options of a coarse index."""

    width: _Width
    """Dimensions of an item that have codes."""
    storage: Storage = Storage.INT8
    """Type of the codes."""
    rotate: bool = False
    """Rotate by the SVD of the scores first."""
    n_clusters: _Count = 0
    """Inverted lists; 0: none."""
    refinement_width: _Count = 0
    """Dimensions with int8 refinement codes, which rescore the candidates of the coarse scan; 0: none."""

    def build(self, users: Float32Array, items: Float32Array, full_width: int) -> CoarseIndex:
        """Build the index of these item vectors; the user vectors are only used for a rotation."""
        rotation = None
        if self.rotate:
            rotation = svd_rotation(users[:, :full_width], items[:, :full_width], invertible=True)
        return build_index(
            items,
            full_width,
            self.width,
            self.storage,
            rotation=rotation,
            clusters=Clusters(self.n_clusters) if self.n_clusters else None,
            refinement_width=self.refinement_width,
        )


@dataclass(frozen=True)
class Measurements:
    """Measurements of a search config: single queries one after another, and a batch of queries."""

    recall: Annotated[float, msgspec.Meta(ge=0, le=1)]
    """Mean share of the full scan's best k that is returned."""
    p50_ms: _Figure
    """Median latency of a single query."""
    p99_ms: _Figure
    """99th percentile of it."""
    users_per_second: _Figure
    """Throughput of a batch."""
    bytes_per_item: _Figure
    """Size of the coarse index; of the vectors, for the full scan."""
    pruned: _Figure
    """Share of the pairs of user and item that were never scored in all dimensions."""
    threads: _Count
    full_scan_users_per_second: _Figure = 0.0
    """Throughput of the full scan for the same batch; 0: not compared."""


@dataclass(frozen=True)
class SearchConfig:
    """How to search at one width: full scan, certified exact search, or a funnel of shortlists.

    >>> config = SearchConfig(width=64, index=CoarseIndexOptions(16), shortlist=800)
    >>> config.name
    'int8 16, shortlist 800, 64'
    >>> SearchConfig.from_manifest(config.as_manifest()) == config
    True
    """

    width: _Width
    """Width of the returned scores."""
    index: CoarseIndexOptions | None = None
    """Coarse index; None: score every item."""
    shortlist: _Count = 0
    """Items that pass the coarse scan; 0: as many as a certified exact answer takes."""
    stages: tuple[Stage, ...] = ()
    """Narrower shortlists between the coarse scan and the full width."""
    k: _Count = 0
    """Number of results it was measured for; 0: not measured."""
    measurements: Measurements | None = None

    @property
    def measured(self) -> Measurements:
        """The measurements; raises OptionError where there are none."""
        if self.measurements is None:
            raise OptionError(f"'{self.name}' must be a measured search config; choose one with nestrec plan MODEL")
        return self.measurements

    @property
    def exact(self) -> bool:
        """Whether the answer is certified to be the full scan's."""
        return self.shortlist == 0

    @property
    def slower_in_batches(self) -> bool:
        """Whether the full scan was measured to answer a batch faster."""
        found = self.measurements
        return found is not None and found.full_scan_users_per_second > found.users_per_second

    def applies_to(self, width: int, k: int, n_queries: int) -> bool:
        """Return whether to search by it: at its own width, up to its k, in batches only if measured to be faster."""
        if width != self.width or (k > self.k and not self.exact):
            return False
        return n_queries <= FEW_QUERIES or not self.slower_in_batches

    @property
    def name(self) -> str:
        """Short description of the stages."""
        if self.index is None:
            return f"full scan, {self.width}"
        rotated = " rotated" if self.index.rotate else ""
        clusters = f", {self.index.n_clusters} clusters" if self.index.n_clusters else ""
        first = f"{self.index.storage} {self.index.width}{rotated}{clusters}"
        refinement_width = self.index.refinement_width
        if self.exact:
            refined = f", refine {refinement_width}" if refinement_width else ""
            return f"{first}{refined}, certified, {self.width}"
        stages = "".join(
            f", {'refine ' if width == refinement_width else ''}{width} shortlist {shortlist}"
            for width, shortlist in self.stages
        )
        return f"{first}, shortlist {self.shortlist}{stages}, {self.width}"

    def retriever(self, items: Float32Array, index: CoarseIndex | None) -> Retriever:
        """Return the retriever of this config; raise OptionError where the index is not the one it describes."""
        if self.index is None:
            return FullScan(items, self.width)
        if index is None or not self._describes(index, len(items)):
            raise OptionError(
                f"the search config '{self.name}' needs the coarse index it was built with; build it again: "
                "nestrec plan MODEL"
            )
        if self.exact:
            return Exact(items, index)
        return Funnel(items, index, self.shortlist, self.stages)

    def _describes(self, index: CoarseIndex, n_items: int) -> bool:
        options, refinement_width = self.index, index.refinement.width if index.refinement is not None else 0
        found = (index.width, index.full_width, index.storage, index.rotation is not None, refinement_width)
        return options is not None and (*found, index.n_items) == (
            options.width, self.width, options.storage, options.rotate, options.refinement_width, n_items,
        )  # fmt: skip

    def with_measurements(self, k: int, measurements: Measurements) -> SearchConfig:
        """Return the config with its measurements for k results."""
        return replace(self, k=k, measurements=measurements)

    def as_manifest(self) -> dict[str, Any]:
        """Return it as plain values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values

    @classmethod
    def from_manifest(cls, values: object) -> SearchConfig:
        """Return the config of plain values; raise ModelFileError where they do not form one."""
        try:
            return msgspec.convert(values, cls)
        except ValueError as error:  # msgspec.ValidationError is one
            raise ModelFileError(
                f"the manifest's search_config is damaged ({error}); build it again: nestrec plan MODEL"
            ) from error
