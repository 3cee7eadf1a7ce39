"""Milvus Lite: the Milvus client with its engine in this process, in a folder; one call for each stage."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

from nestrec.data.ids import IdArray
from nestrec.data.readers.duckdb_connection import shorten_message
from nestrec.errors import NestrecError, OptionError, StoreError
from nestrec.export.exporters import Side
from nestrec.export.item_columns import FINGERPRINT, ID
from nestrec.extras import require
from nestrec.stores.folder import StoreFolder
from nestrec.stores.json_values import as_json
from nestrec.stores.metadata import StoreMetadata
from nestrec.stores.qdrant_points import point_id
from nestrec.stores.requests import Query, Stage
from nestrec.stores.store import Answer, Rows, Store, StoredRows
from nestrec.stores.write_plan import stored_rows

KEY = "nestrec_key"  # the primary key: a whole number as it is, text as a UUID, which conditions can hold unescaped
_FILE = "milvus.db"
_LONGEST_TEXT = 65_535  # bytes of a text field
_READ_AT_ONCE = 10_000


@dataclass(frozen=True)
class MilvusLiteTarget:
    """A folder of Milvus Lite; every search is a scan."""

    name: ClassVar[str] = "milvus-lite"

    def open(self, place: str) -> MilvusLiteStore:
        """See `Target`."""
        for module in ("pymilvus", "milvus_lite"):
            require(module, "milvus-lite", "a store of Milvus Lite")
        return MilvusLiteStore(place)


@dataclass
class MilvusLiteStore(Store):
    """The collections items and users, with a field of vectors for each width and the columns as dynamic fields."""

    name: ClassVar[str] = "milvus-lite"

    _folder: StoreFolder = field(init=False, repr=False)
    _client: Any = field(init=False, repr=False, default=None)
    _loaded: set[str] = field(init=False, repr=False, default_factory=set)

    def __post_init__(self) -> None:
        """Name the folder; nothing is opened yet."""
        self._folder = StoreFolder(self.place)

    def load_metadata(self) -> dict[str, Any] | None:
        """See `Store`."""
        return self._folder.load_metadata()

    def save_metadata(self, metadata: StoreMetadata) -> None:
        """See `Store`."""
        self._folder.save_metadata(metadata.as_dict())

    def create(self, metadata: StoreMetadata) -> None:
        """See `Store`; collections are made when they are first used."""
        if metadata.layout.quantize is not None:
            raise OptionError(
                f"quantize must be left out for Milvus Lite, which scans 32-bit floats; got {metadata.layout.quantize}",
                option="quantize",
            )
        self._drop_collections()
        self.close()
        self._folder.clear()
        self._folder.save_metadata(metadata.as_dict())

    def read_rows(self, side: Side) -> Iterator[StoredRows]:
        """See `Store`."""
        kind = self.layout.side(side).id_type
        with self._mapping_errors():
            client = self._collection(side)
            pages = client.query_iterator(side, batch_size=_READ_AT_ONCE, output_fields=[ID, FINGERPRINT])
            while rows := pages.next():
                yield stored_rows([row[ID] for row in rows], [row[FINGERPRINT] for row in rows], kind)
            pages.close()

    def write(self, side: Side, rows: Rows) -> None:
        """See `Store`."""
        vectors = {_vector_field(width): rows.vectors[:, :width].tolist() for width in self.layout.widths}
        documents = []
        for at, (identity, fingerprint) in enumerate(zip(rows.ids.tolist(), rows.fingerprints.tolist(), strict=True)):
            document = {name: as_json(values[at]) for name, values in rows.columns.items()}
            document |= {KEY: _make_key(identity), ID: identity, FINGERPRINT: fingerprint}
            documents.append(document | {name: values[at] for name, values in vectors.items()})
        with self._mapping_errors():
            self._collection(side).upsert(side, documents)

    def delete(self, side: Side, ids: IdArray) -> None:
        """See `Store`."""
        with self._mapping_errors():
            self._collection(side).delete(side, ids=[_make_key(one) for one in ids.tolist()])

    def build_index(self) -> None:
        """Make collections that no row was written to; a scan needs no index."""
        with self._mapping_errors():
            for side in self.layout.sides:
                self._collection(side)

    def locked(self) -> AbstractContextManager[object]:
        """See `Store`."""
        return self._folder.locked()

    def find(self, query: Query) -> Answer:
        """See `Store`; every search is exact."""
        condition = f"{KEY} not in {_list_keys(query.excluded)}" if query.excluded else ""
        found: list[Any] = []
        with self._mapping_errors():
            for stage in query.stages:
                found = self._search(query, stage, condition)
                if not found:
                    break
                condition = f"{KEY} in {_list_keys([hit['entity'][ID] for hit in found])}"
        return Answer([hit["entity"][ID] for hit in found], [hit["distance"] for hit in found])

    def close(self) -> None:
        """Close the client, and with it the engine."""
        if self._client is not None:
            self._client.close()
            self._client = None
            self._loaded.clear()

    def _drop_collections(self) -> None:
        """Drop what is there, since the client remembers schemas of a file that is deleted; a damaged one is left."""
        if self._folder.load_metadata() is not None and (self._folder.path / _FILE).exists():
            with suppress(StoreError), self._mapping_errors():
                client = self._connect()
                for side in client.list_collections():
                    client.drop_collection(side)

    def _search(self, query: Query, stage: Stage, condition: str) -> list[Any]:
        found: list[Any] = self._collection("items").search(
            "items",
            data=[query.prefix(stage)],
            anns_field=_vector_field(stage.width),
            limit=stage.limit,
            filter=condition,
            output_fields=[ID],
            search_params={"metric_type": "IP"},
        )[0]
        return found

    def _collection(self, side: str) -> Any:
        """Return the client, with the collection of a side made and loaded."""
        client = self._connect()
        if side not in self._loaded:
            if not client.has_collection(side):
                self._create_collection(side)
            client.load_collection(side)
            self._loaded.add(side)
        return client

    def _connect(self) -> Any:
        if self._client is None:
            self._client = _pymilvus().MilvusClient(str(self._folder.path / _FILE))
        return self._client

    def _create_collection(self, side: Any) -> None:
        kinds, layout = _pymilvus().DataType, self.layout
        is_text = layout.side(side).id_type == "VARCHAR"
        schema, index = self._client.create_schema(enable_dynamic_field=True), self._client.prepare_index_params()
        key = {"datatype": kinds.VARCHAR, "max_length": 36} if is_text else {"datatype": kinds.INT64}
        own = {"datatype": kinds.VARCHAR, "max_length": _LONGEST_TEXT} if is_text else {"datatype": kinds.INT64}
        schema.add_field(KEY, is_primary=True, **key)
        schema.add_field(ID, **own)
        schema.add_field(FINGERPRINT, kinds.INT64)
        for width in layout.widths:
            schema.add_field(_vector_field(width), kinds.FLOAT_VECTOR, dim=width)
            index.add_index(_vector_field(width), index_type="FLAT", metric_type="IP")
        self._client.create_collection(side, schema=schema, index_params=index)

    @contextmanager
    def _mapping_errors(self) -> Iterator[None]:
        try:
            yield
        except NestrecError:
            raise
        except Exception as error:
            raise StoreError(
                f"{self.place} cannot be used by Milvus Lite ({shorten_message(error)}); export to another folder, or "
                "again with overwrite=True",
                mentions=("overwrite=True",),
            ) from error


def _make_key(identity: int | str) -> int | str:
    return identity if isinstance(identity, int) else str(point_id(identity))


def _list_keys(ids: list[Any]) -> str:
    return json.dumps([_make_key(one) for one in ids])


def _vector_field(width: int) -> str:
    return f"vector_{width}"


def _pymilvus() -> Any:
    for name in ("pymilvus", "grpc._server"):  # they log errors that are raised too, and calls that Lite does not have
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return require("pymilvus", "milvus-lite", "a store of Milvus Lite")
