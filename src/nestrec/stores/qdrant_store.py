"""Qdrant through its client: a server by its address, or the client's local mode in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import msgspec

from nestrec.data.ids import IdArray
from nestrec.data.readers.duckdb_connection import shorten_message
from nestrec.errors import NestrecError, OutputError, StoreError
from nestrec.export.exporters import Side
from nestrec.extras import require
from nestrec.stores.folder import StoreFolder
from nestrec.stores.layout import Layout
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
_KEY = "nestrec"  # in a collection's metadata
_DATA = "qdrant"  # folder of the client's local mode


@dataclass(frozen=True)
class QdrantTarget:
    """Collections of a Qdrant server (http://host:6333), or a folder in the local mode of its client."""

    name: ClassVar[str] = "qdrant"

    collection: str = "nestrec"
    """Collections are named COLLECTION_items and COLLECTION_users."""
    m: Annotated[int, _POSITIVE] = 16
    """Neighbours in the HNSW graph."""
    ef_construct: Annotated[int, _POSITIVE] = 100
    """Candidates while the graph is built."""
    ef: Annotated[int, _POSITIVE] | None = None
    """Candidates while it is searched; None: twice the shortlist, at least 200."""
    api_key_variable: str = "QDRANT_API_KEY"
    """Environment variable that holds the server's API key."""
    timeout: Annotated[int, _POSITIVE] = 60
    """Seconds to wait for the server."""

    def open(self, place: str) -> QdrantStore:
        """See `Target`."""
        require("qdrant_client", "qdrant", "a store of Qdrant")
        return QdrantStore(place, self)


@dataclass
class QdrantStore(Store):
    """A collection with named vectors for each side."""

    options: QdrantTarget
    name: ClassVar[str] = "qdrant"

    _folder: StoreFolder | None = field(init=False, repr=False)
    _client: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Tell a folder from an address; nothing is opened yet."""
        self._folder = None if "://" in self.place else StoreFolder(self.place)

    def build_options(self) -> dict[str, Any]:
        """See `Store`."""
        return {name: getattr(self.options, name) for name in ("m", "ef_construct")}

    def load_metadata(self) -> dict[str, Any] | None:
        """See `Store`; a server has it in the metadata of the collection of items, where there is one."""
        if self._folder is not None:
            return self._folder.load_metadata()
        with self._mapping_errors() as client:
            for side in ("items", "users"):
                name = self._collection(side)
                if client.collection_exists(name):
                    return self._read_collection_metadata(client, name)
        return None

    def save_metadata(self, metadata: StoreMetadata) -> None:
        """See `Store`."""
        if self._folder is not None:
            self._folder.save_metadata(metadata.as_dict())
            return
        with self._mapping_errors() as client:
            name = self._collection(metadata.layout.sides[0])
            client.update_collection(name, metadata={_KEY: metadata.as_dict()})

    def create(self, metadata: StoreMetadata) -> None:
        """See `Store`."""
        check_quantization(metadata.layout)
        if self._folder is not None:
            self.close()
            self._folder.clear()
            self._folder.save_metadata(metadata.as_dict())
        with self._mapping_errors() as client:
            for side in ("items", "users"):
                client.delete_collection(self._collection(side))
            self._create_collection(client, metadata.layout.sides[0], metadata)

    def read_rows(self, side: Side) -> Iterator[StoredRows]:
        """See `Store`."""
        layout, offset = self.layout, None
        with self._mapping_errors() as client:
            if not client.collection_exists(self._collection(side)):
                return
            while True:
                points, offset = client.scroll(
                    self._collection(side), limit=READ_AT_ONCE, offset=offset, with_payload=PAYLOAD, with_vectors=False
                )
                yield read_payloads([point.payload for point in points], layout, side)
                if offset is None:
                    return

    def write(self, side: Side, rows: Rows) -> None:
        """See `Store`."""
        models = _models()
        points = [
            models.PointStruct(id=one.identity, vector=one.vectors, payload=one.payload)
            for one in make_points(rows, self.layout)
        ]
        with self._mapping_errors() as client:
            self._ensure_collection(client, side)
            client.upsert(self._collection(side), points, wait=True)

    def delete(self, side: Side, ids: IdArray) -> None:
        """See `Store`."""
        selector = _models().PointIdsList(points=point_ids(ids))
        with self._mapping_errors() as client:
            client.delete(self._collection(side), selector, wait=True)

    def build_index(self) -> None:
        """Make collections that no row was written to; the server builds its graphs by itself, in the background."""
        with self._mapping_errors() as client:
            for side in self.layout.sides:
                self._ensure_collection(client, side)

    def locked(self) -> AbstractContextManager[object]:
        """See `Store`; a server is not locked."""
        return nullcontext() if self._folder is None else self._folder.locked()

    def find(self, query: Query) -> Answer:
        """See `Store`."""
        models = _models()
        condition = [models.HasIdCondition(has_id=point_ids(query.excluded))]
        excluded = models.Filter(must_not=condition) if query.excluded else None
        narrow, last = narrow_stages(query)
        fetched = None
        for stage in narrow:
            fetched = models.Prefetch(
                query=query.prefix(stage),
                using=vector_name(stage.width),
                limit=stage.limit,
                prefetch=fetched,
                filter=excluded if fetched is None else None,
                params=self._parameters(query, stage),
            )
        with self._mapping_errors() as client:
            found = client.query_points(
                self._collection("items"),
                query=query.prefix(last),
                using=vector_name(last.width),
                prefetch=fetched,
                query_filter=excluded if fetched is None else None,
                search_params=self._parameters(query, last) if fetched is None else None,
                limit=last.limit,
                with_payload=PAYLOAD[:1],
            )
        return read_answer(found.points)

    def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @contextmanager
    def _mapping_errors(self) -> Iterator[Any]:
        """Give the client, and map its errors."""
        try:
            yield self._connect()
        except NestrecError:
            raise
        except Exception as error:
            raise StoreError(
                f"Qdrant at {self.place} failed ({shorten_message(error)}); check address, API key and server"
            ) from error

    def _connect(self) -> Any:
        if self._client is None:
            client = require("qdrant_client", "qdrant", "a store of Qdrant").QdrantClient
            if self._folder is None:
                key = os.environ.get(self.options.api_key_variable)
                self._client = client(
                    url=self.place, api_key=key, timeout=self.options.timeout, check_compatibility=False
                )
            else:
                self._client = client(path=str(self._folder.path / _DATA))
        return self._client

    def _collection(self, side: str) -> str:
        return f"{self.options.collection}_{side}"

    def _read_collection_metadata(self, client: Any, name: str) -> dict[str, Any]:
        found: dict[str, Any] | None = (client.get_collection(name).config.metadata or {}).get(_KEY)
        if found is None:
            raise OutputError(
                f"collection {name} at {self.place} must be one of nestrec export, and it is another; name others with "
                "the option collection"
            )
        return found

    def _ensure_collection(self, client: Any, side: Side) -> None:
        if not client.collection_exists(self._collection(side)):
            self._create_collection(client, side, None)

    def _create_collection(self, client: Any, side: Side, metadata: StoreMetadata | None) -> None:
        layout = self.layout if metadata is None else metadata.layout
        client.create_collection(
            self._collection(side),
            vectors_config={vector_name(width): self._describe_vectors(side, width, layout) for width in layout.widths},
            metadata=None if metadata is None or self._folder is not None else {_KEY: metadata.as_dict()},
        )

    def _describe_vectors(self, side: Side, width: int, layout: Layout) -> Any:
        models = _models()
        int8 = models.ScalarQuantization(scalar=models.ScalarQuantizationConfig(type="int8", always_ram=True))
        return models.VectorParams(
            size=width,
            distance=models.Distance.DOT,
            hnsw_config=models.HnswConfigDiff(
                m=self.options.m if is_searched(side, width, layout) else 0, ef_construct=self.options.ef_construct
            ),
            quantization_config=int8 if is_quantized(width, layout) else None,
        )

    def _parameters(self, query: Query, stage: Stage) -> Any:
        models = _models()
        if self._folder is not None:  # the local mode scores everything, and warns of parameters
            return None
        if query.exact:
            return models.SearchParams(exact=True, quantization=models.QuantizationSearchParams(ignore=True))
        rescore = (
            models.QuantizationSearchParams(rescore=True) if is_quantized(stage.width, query.metadata.layout) else None
        )
        ef = max(stage.limit, self.options.ef or max(LEAST_EF, 2 * stage.limit))
        return models.SearchParams(hnsw_ef=ef, quantization=rescore)


def _models() -> Any:
    return require("qdrant_client", "qdrant", "a store of Qdrant").models
