"""A feed for Weaviate: a collection with named vectors, objects, and a search with its client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec

from nestrec.stores.feeds.feed import (
    Feed,
    FeedExporter,
    as_line,
    as_text,
    element_family,
    flat_value,
    list_documents,
    plain_names,
    vector_field,
)
from nestrec.stores.qdrant_points import point_id
from nestrec.stores.store import Rows

OWN_ID = "own_id"
_TYPES = {"integer": "int", "decimal": "number", "boolean": "boolean"}

_SEARCH = '''"""Search in two stages: a prefix finds a shortlist, full vectors rank it. Scores are inner products."""

from weaviate.classes.query import Filter, MetadataQuery


def search(client, user_vector, k=10, shortlist=<SHORTLIST>, excluded=()):
    """Return properties and score of the best items, best first; excluded are item ids as text."""
    items, own_id = client.collections.get("<COLLECTION>"), Filter.by_property("own_id")
    found = items.query.near_vector(
        list(user_vector[:<FIRST>]),
        target_vector="vector_<FIRST>",
        limit=max(shortlist, k),
        filters=own_id.contains_none(list(excluded)) if excluded else None,
        return_properties=["own_id"],
    )
    if not found.objects:
        return []
    best = items.query.near_vector(
        list(user_vector[:<LAST>]),
        target_vector="vector_<LAST>",
        limit=k,
        filters=own_id.contains_any([one.properties["own_id"] for one in found.objects]),
        return_properties=<SHOWN>,
        return_metadata=MetadataQuery(distance=True),
    )
    return [(one.properties, -one.metadata.distance) for one in best.objects]
'''
_SEARCH_ALL = '''"""Search by all dimensions. Scores are inner products."""

from weaviate.classes.query import Filter, MetadataQuery


def search(client, user_vector, k=10, excluded=()):
    """Return properties and score of the best items, best first; excluded are item ids as text."""
    best = client.collections.get("<COLLECTION>").query.near_vector(
        list(user_vector[:<LAST>]),
        target_vector="vector_<LAST>",
        limit=k,
        filters=Filter.by_property("own_id").contains_none(list(excluded)) if excluded else None,
        return_properties=<SHOWN>,
        return_metadata=MetadataQuery(distance=True),
    )
    return [(one.properties, -one.metadata.distance) for one in best.objects]
'''


@dataclass(frozen=True)
class WeaviateExporter(FeedExporter):
    """A collection with named vectors, objects for batches, and a search."""

    system: ClassVar[str] = "Weaviate"
    feed_file: ClassVar[str] = "objects.jsonl"
    loading: ClassVar[str] = (
        '`POST /v1/schema` with collection.json, then `POST /v1/batch/objects` with {"objects": [some lines of '
        "objects.jsonl]}. search.py is a search with Weaviate's client, in one call for each stage."
    )

    m: Annotated[int, msgspec.Meta(ge=4)] = 32
    """Neighbours in the HNSW graph."""
    ef_construction: Annotated[int, msgspec.Meta(ge=4)] = 128
    """Candidates while the graph is built."""

    def describe(self, feed: Feed) -> dict[str, str]:
        """See `FeedExporter`."""
        properties = [_property(OWN_ID, "text", tokenization="field")]
        for column, name in _names(feed).items():
            family, is_list = element_family(feed.table.columns[column])
            kind = _TYPES.get(family, "text")
            tokenization = "word" if column == feed.table.title_column else "field"
            properties.append(
                _property(name, f"{kind}[]" if is_list and family not in ("other", "list") else kind, tokenization)
            )
        body = {
            "class": self.collection(feed),
            "vectorConfig": {vector_field(width): self._vectors(width, feed) for width in feed.widths},
            "properties": properties,
        }
        files = {"collection.json": as_text(body)}
        if feed.side == "items":
            files["search.py"] = self._search(feed)
        return files

    def encode(self, rows: Rows, feed: Feed) -> Iterator[bytes]:
        """See `FeedExporter`; objects have a UUID made of the own id."""
        names = _names(feed)
        for identity, columns, vectors in list_documents(rows, feed):
            properties: dict[str, Any] = {OWN_ID: str(identity)}
            properties |= {names[name]: flat_value(value, feed.table.columns[name]) for name, value in columns.items()}
            yield as_line(
                {
                    "class": self.collection(feed),
                    "id": point_id(str(identity)),
                    "properties": properties,
                    "vectors": {vector_field(width): vector for width, vector in vectors.items()},
                }
            )

    def collection(self, feed: Feed) -> str:
        """Return the name of the collection, which starts with a capital letter."""
        name = self.index_name(feed)
        return name[0].upper() + name[1:]

    def _vectors(self, width: int, feed: Feed) -> dict[str, Any]:
        """Return the settings of a width: a graph for the first stage, a scan of what remains for the last."""
        graph = {"distance": "dot", "maxConnections": self.m, "efConstruction": self.ef_construction}
        if width != feed.widths[0]:
            return {"vectorizer": {"none": {}}, "vectorIndexType": "flat", "vectorIndexConfig": {"distance": "dot"}}
        return {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw", "vectorIndexConfig": graph}

    def _search(self, feed: Feed) -> str:
        """Return a program for Weaviate's client."""
        title = feed.table.title_column
        shown = [OWN_ID] if title is None else [OWN_ID, _names(feed)[title]]
        first, last = feed.widths[0], feed.widths[-1]
        values = {"FIRST": first, "LAST": last, "SHORTLIST": feed.point.shortlist, "SHOWN": json.dumps(shown)}
        text = _SEARCH if len(feed.widths) > 1 else _SEARCH_ALL
        for name, value in {**values, "COLLECTION": self.collection(feed)}.items():
            text = text.replace(f"<{name}>", str(value))
        return text


def _property(name: str, kind: str, tokenization: str) -> dict[str, Any]:
    is_text = kind in ("text", "text[]")
    return {"name": name, "dataType": [kind], **({"tokenization": tokenization} if is_text else {})}


def _names(feed: Feed) -> dict[str, str]:
    return plain_names(feed.table.columns, "Weaviate", (OWN_ID, "id", "vector"))
