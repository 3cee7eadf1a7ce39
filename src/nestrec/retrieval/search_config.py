"""A plan: by which screen and through which shortlists a model's questions are answered, and what was measured of it.

A plan is plain values, kept in a model's manifest; the screen it names is kept beside, as arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec

from nestrec.arrays import Float32Array
from nestrec.errors import ModelFileError, OptionError
from nestrec.retrieval.build_index import build_screen
from nestrec.retrieval.clusters import Clusters
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan, Retriever
from nestrec.retrieval.funnel import Funnel, Stage
from nestrec.retrieval.quantization import Storage
from nestrec.svd_rotation import svd_rotation
from nestrec.widths import LARGEST_EMBEDDING_SIZE

_Width = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_EMBEDDING_SIZE)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Figure = Annotated[float, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class CoarseIndexOptions:
    """What a screen is to hold."""

    width: _Width  # numbers of an item
    storage: Storage = Storage.INT8
    rotate: bool = False  # by the SVD of the scores
    n_clusters: _Count = 0  # 0: none
    refinement_width: _Count = 0  # of int8 refinement codes, which rescore what passes the coarse scan; 0: none

    def build(self, users: Float32Array, items: Float32Array, full_width: int) -> CoarseIndex:
        """Build it for these vectors; users are asked for only to find axes."""
        axes = svd_rotation(users[:, :full_width], items[:, :full_width], invertible=True) if self.rotate else None
        clusters = Clusters(self.n_clusters) if self.n_clusters else None
        return build_screen(
            items, full_width, self.width, self.storage, axes=axes, clusters=clusters, rows=self.refinement_width
        )


@dataclass(frozen=True)
class Measurements:
    """What was measured of a plan: single questions one after another, and all of them at once."""

    recall: Annotated[float, msgspec.Meta(ge=0, le=1)]  # mean share of the full width's best k that are returned
    p50_ms: _Figure
    p99_ms: _Figure
    users_per_second: _Figure  # users answered, many at once
    bytes_per_item: _Figure  # of the screen; of the vectors, where they are scanned
    pruned: _Figure  # share of the pairs that never needed all numbers of the item
    threads: _Count
    full_scan_users_per_second: _Figure = 0.0  # users that the full scan answers, many at once; 0: not compared


@dataclass(frozen=True)
class SearchConfig:
    """How to answer questions at one width.

    >>> plan = SearchConfig(width=64, index=CoarseIndexOptions(16), shortlist=800)
    >>> plan.name
    'int8 16, shortlist 800, 64'
    >>> SearchConfig.from_manifest(plan.as_manifest()) == plan
    True
    """

    width: _Width  # of the scores and of the order
    index: CoarseIndexOptions | None = None  # None: score every item
    shortlist: _Count = 0  # items that the screen lets through; 0: as many as a proof takes
    stages: tuple[Stage, ...] = ()
    k: _Count = 0  # what it was measured for; 0: not measured
    measurements: Measurements | None = None

    @property
    def exact(self) -> bool:
        """Whether the answer is provably that of a full scan."""
        return self.shortlist == 0

    @property
    def slower_in_batches(self) -> bool:
        """Whether the full scan was measured to answer many questions at once faster than this does."""
        return (
            self.measurements is not None
            and self.measurements.full_scan_users_per_second > self.measurements.users_per_second
        )

    @property
    def name(self) -> str:
        """The sequence in words."""
        if self.index is None:
            return f"full scan, {self.width}"
        turned = " rotated" if self.index.rotate else ""
        cells = f", {self.index.n_clusters} clusters" if self.index.n_clusters else ""
        first = f"{self.index.storage} {self.index.width}{turned}{cells}"
        if self.exact:
            refined = f", refine {self.index.refinement_width}" if self.index.refinement_width else ""
            return f"{first}{refined}, certified, {self.width}"
        narrowings = "".join(
            f", {'refine ' if width == self.index.refinement_width else ''}{width} shortlist {shortlist}"
            for width, shortlist in self.stages
        )
        return f"{first}, shortlist {self.shortlist}{narrowings}, {self.width}"

    def retriever(self, items: Float32Array, screen: CoarseIndex | None) -> Retriever:
        """Return what answers by this plan; raise OptionError where the screen is not the one it names."""
        if self.index is None:
            return FullScan(items, self.width)
        if screen is None or not self._names(screen, len(items)):
            raise OptionError(
                f"the search config '{self.name}' needs the coarse index it was built with; build it again: "
                "nestrec plan MODEL"
            )
        if self.exact:
            return Exact(items, screen)
        return Funnel(items, screen, self.shortlist, self.stages)

    def _names(self, screen: CoarseIndex, n_items: int) -> bool:
        wanted, rows = self.index, screen.rows.width if screen.rows is not None else 0
        found = (screen.width, screen.full_width, screen.storage, screen.axes is not None, rows, screen.n_items)
        return wanted is not None and found == (
            wanted.width, self.width, wanted.storage, wanted.rotate, wanted.refinement_width, n_items,
        )  # fmt: skip

    def with_measurements(self, k: int, measured: Measurements) -> SearchConfig:
        """Return the plan with what was measured of it."""
        return replace(self, k=k, measurements=measured)

    def as_manifest(self) -> dict[str, Any]:
        """Return it as plain values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values

    @classmethod
    def from_manifest(cls, values: object) -> SearchConfig:
        """Return the plan of these values; raise ModelFileError for what is none."""
        try:
            plan = msgspec.convert(values, cls)
        except ValueError as error:  # msgspec.ValidationError is one
            raise ModelFileError(
                f"the manifest's search_config is damaged ({error}); build it again: nestrec plan MODEL"
            ) from error
        return plan
