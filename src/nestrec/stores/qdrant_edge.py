"""Qdrant Edge: the engine of the Qdrant server in this process, in a folder with a shard for each side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import msgspec

from nestrec.data.ids import IdArray
from nestrec.errors import StoreError
from nestrec.export.exporters import Side
from nestrec.extras import require
from nestrec.stores.folder import StoreFolder
from nestrec.stores.metadata import StoreMetadata
from nestrec.stores.qdrant_points import (
    LEAST_EF,
    PAYLOAD,
    READ_AT_ONCE,
    check_quantization,
    is_quantized,
    is_searched,
    make_points,
    narrow_stages,
    point_ids,
    read_answer,
    read_payloads,
    vector_name,
)
from nestrec.stores.requests import Query, Stage
from nestrec.stores.store import Answer, Rows, Store, StoredRows

_POSITIVE = msgspec.Meta(ge=1)


@dataclass(frozen=True)
class QdrantEdgeTarget:
    """A folder of Qdrant Edge: an HNSW graph of the narrow widths, a full scan of the widest."""

    name: ClassVar[str] = "qdrant-edge"

    m: Annotated[int, _POSITIVE] = 16
    """Neighbours in the HNSW graph."""
    ef_construct: Annotated[int, _POSITIVE] = 100
    """Candidates while the graph is built."""
    ef: Annotated[int, _POSITIVE] | None = None
    """Candidates while it is searched; None: twice the shortlist, at least 200."""
    indexing_threshold: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    """Kilobytes of vectors from which on a graph is built."""

    def open(self, place: str) -> QdrantEdgeStore:
        """See `Target`."""
        require("qdrant_edge", "qdrant-edge", "a store of Qdrant Edge")
        return QdrantEdgeStore(place, self)


@dataclass
class QdrantEdgeStore(Store):
    """A folder with a shard for each side, in `items` and `users`."""

    options: QdrantEdgeTarget
    name: ClassVar[str] = "qdrant-edge"

    _folder: StoreFolder = field(init=False, repr=False)
    _shards: dict[Side, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Name the folder; nothing is opened yet."""
        self._folder = StoreFolder(self.place)

    def build_options(self) -> dict[str, Any]:
        """See `Store`."""
        return {name: getattr(self.options, name) for name in ("m", "ef_construct", "indexing_threshold")}

    def load_metadata(self) -> dict[str, Any] | None:
        """See `Store`."""
        return self._folder.load_metadata()

    def save_metadata(self, metadata: StoreMetadata) -> None:
        """See `Store`."""
        self._folder.save_metadata(metadata.as_dict())

    def create(self, metadata: StoreMetadata) -> None:
        """See `Store`; shards are made when they are first used."""
        check_quantization(metadata.layout)
        self.close()
        self._folder.clear()
        self._folder.save_metadata(metadata.as_dict())

    def read_rows(self, side: Side) -> Iterator[StoredRows]:
        """See `Store`."""
        edge, layout, offset = _edge(), self.layout, None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=READ_AT_ONCE, with_payload=PAYLOAD, with_vector=False)
            points, offset = self._shard(side).scroll(request)
            yield read_payloads([point.payload for point in points], layout, side)
            if offset is None:
                return

    def write(self, side: Side, rows: Rows) -> None:
        """See `Store`."""
        edge = _edge()
        points = [edge.Point(one.identity, one.vectors, one.payload) for one in make_points(rows, self.layout)]
        self._shard(side).update(edge.UpdateOperation.upsert_points(points))

    def delete(self, side: Side, ids: IdArray) -> None:
        """See `Store`."""
        self._shard(side).update(_edge().UpdateOperation.delete_points(point_ids(ids)))

    def build_index(self) -> None:
        """Build the graphs and write everything to disk."""
        for side in self.layout.sides:
            shard = self._shard(side)
            shard.optimize()
            shard.flush()

    def locked(self) -> AbstractContextManager[object]:
        """See `Store`."""
        return self._folder.locked()

    def find(self, query: Query) -> Answer:
        """See `Store`."""
        edge = _edge()
        excluded = (
            edge.Filter(must_not=[edge.HasIdCondition(set(point_ids(query.excluded)))]) if query.excluded else None
        )
        narrow, last = narrow_stages(query)
        fetched = None
        for stage in narrow:
            fetched = edge.Prefetch(
                limit=stage.limit,
                query=_nearest(query, stage),
                prefetches=[] if fetched is None else [fetched],
                filter=excluded if fetched is None else None,
                params=self._parameters(query, stage),
            )
        request = edge.QueryRequest(
            limit=last.limit,
            query=_nearest(query, last),
            prefetches=[] if fetched is None else [fetched],
            filter=excluded if fetched is None else None,
            params=self._parameters(query, last) if fetched is None else None,
            with_payload=PAYLOAD[:1],
        )
        return read_answer(self._shard("items").query(request))

    def close(self) -> None:
        """Close the shards."""
        for shard in self._shards.values():
            shard.close()
        self._shards.clear()

    def _parameters(self, query: Query, stage: Stage) -> Any:
        edge = _edge()
        if query.exact:
            return edge.SearchParams(exact=True, quantization=edge.QuantizationSearchParams(ignore=True))
        rescore = (
            edge.QuantizationSearchParams(rescore=True) if is_quantized(stage.width, query.metadata.layout) else None
        )
        ef = max(stage.limit, self.options.ef or max(LEAST_EF, 2 * stage.limit))
        return edge.SearchParams(hnsw_ef=ef, quantization=rescore)

    def _shard(self, side: Side) -> Any:
        """Return the open shard of a side, made where it is missing."""
        if side not in self._shards:
            edge, path = _edge(), self._folder.path / side
            try:
                if (path / "edge_config.json").exists():
                    self._shards[side] = edge.EdgeShard.load(str(path))
                else:
                    path.mkdir(exist_ok=True)
                    self._shards[side] = edge.EdgeShard.create(str(path), self._config(side))
            except Exception as error:
                raise StoreError(
                    f"{path} cannot be opened by Qdrant Edge ({error}); export to another folder"
                ) from error
        return self._shards[side]

    def _config(self, side: Side) -> Any:
        edge, options, layout = _edge(), self.options, self.layout
        int8 = edge.ScalarQuantizationConfig(edge.ScalarType.Int8, always_ram=True)
        vectors = {}
        for width in layout.widths:
            vectors[vector_name(width)] = edge.EdgeVectorParams(
                size=width,
                distance=edge.Distance.Dot,
                quantization_config=int8 if is_quantized(width, layout) else None,
                hnsw_config=edge.HnswIndexConfig(
                    m=options.m if is_searched(side, width, layout) else 0,
                    ef_construct=options.ef_construct,
                    full_scan_threshold=10,
                ),
            )
        optimizers = edge.EdgeOptimizersConfig(indexing_threshold=options.indexing_threshold)
        return edge.EdgeConfig(vectors=vectors, optimizers=optimizers)


def _nearest(query: Query, stage: Stage) -> Any:
    return _edge().Query.Nearest(query.prefix(stage), using=vector_name(stage.width))


def _edge() -> Any:
    return require("qdrant_edge", "qdrant-edge", "a store of Qdrant Edge")
