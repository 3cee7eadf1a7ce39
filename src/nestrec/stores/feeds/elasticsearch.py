"""Feeds for Elasticsearch and OpenSearch: mapping, bulk requests and a search template.

The search is a `script_score` query around a k-NN query: the inner one finds the shortlist by the prefix and filters
excluded items, the outer one scores it by the full vectors. Scores of both systems cannot be negative: a product s
becomes s + 1, or 1 / (1 - s) below 0, which keeps the order; `read_score` gives the product back.
"""

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
    document_id,
    element_family,
    list_documents,
    vector_field,
)
from nestrec.stores.store import Rows

_TYPES = {"integer": "long", "decimal": "double", "boolean": "boolean", "date": "date", "time": "date"}
_SCRIPT = "double s = dotProduct(params.user, '{field}'); return s < 0 ? 1 / (1 - s) : s + 1"


def read_score(score: float) -> float:
    """Return the inner product of a score of Elasticsearch or OpenSearch.

    >>> read_score(3.5), read_score(0.25)
    (2.5, -3.0)
    """
    return score - 1 if score >= 1 else 1 - 1 / score


@dataclass(frozen=True)
class ElasticsearchExporter(FeedExporter):
    """A mapping, bulk requests and a search template for Elasticsearch 8.15 or newer."""

    system: ClassVar[str] = "Elasticsearch"
    feed_file: ClassVar[str] = "bulk.ndjson"
    loading: ClassVar[str] = (
        "`PUT INDEX` with index.json, `POST _bulk` with parts of bulk.ndjson (two lines a document), and "
        "`PUT _scripts/INDEX` with template.json."
    )

    m: Annotated[int, msgspec.Meta(ge=2)] = 16
    """Neighbours in the HNSW graph."""
    ef_construction: Annotated[int, msgspec.Meta(ge=2)] = 100
    """Candidates while the graph is built."""

    def describe(self, feed: Feed) -> dict[str, str]:
        """See `FeedExporter`."""
        fields = {vector_field(width): self.vector_mapping(width, feed) for width in feed.widths}
        fields |= {name: _column_mapping(name, kind, feed) for name, kind in feed.table.columns.items()}
        own_id = {"type": "keyword" if feed.table.id_type == "VARCHAR" else "long"}
        body = {**self.settings(), "mappings": {"dynamic": "strict", "properties": {"id": own_id, **fields}}}
        files = {"index.json": as_text(body)}
        if feed.side == "items":
            script = {"lang": "mustache", "source": self._template(feed)}
            files["template.json"] = as_text({"script": script})
        return files

    def encode(self, rows: Rows, feed: Feed) -> Iterator[bytes]:
        """See `FeedExporter`."""
        index = self.index_name(feed)
        for identity, columns, vectors in list_documents(rows, feed):
            yield as_line({"index": {"_index": index, "_id": document_id(identity)}})
            yield as_line({"id": identity, **columns, **{vector_field(width): one for width, one in vectors.items()}})

    def settings(self) -> dict[str, Any]:
        """Return the settings of the index."""
        return {}

    def vector_mapping(self, width: int, feed: Feed) -> dict[str, Any]:
        """Return the type of a width's vectors: the first stage has a graph, the last one only scores."""
        mapping: dict[str, Any] = {"type": "dense_vector", "dims": width, "index": width == feed.widths[0]}
        if mapping["index"]:
            graph = {"type": "hnsw", "m": self.m, "ef_construction": self.ef_construction}
            mapping |= {"similarity": "max_inner_product", "index_options": graph}
        return mapping

    def query(self, feed: Feed) -> dict[str, Any]:
        """Return the query; text that starts with @ is a parameter of the template."""
        first, last = feed.widths[0], feed.widths[-1]
        shortlist = feed.point.shortlist
        nearest = {
            "field": vector_field(first),
            "query_vector": f"@user_{first}",
            "k": shortlist,
            "num_candidates": min(10_000, 2 * shortlist),
            "filter": {"bool": {"must_not": {"terms": {"id": "@excluded"}}}},
        }
        script = {"source": _SCRIPT.format(field=vector_field(last)), "params": {"user": f"@user_{last}"}}
        return {"script_score": {"query": {"knn": nearest}, "script": script}}

    def _template(self, feed: Feed) -> str:
        """Return the body of a search as Mustache: parameters are user_WIDTH, excluded and k."""
        title = [] if feed.table.title_column is None else [feed.table.title_column]
        body = {"query": self.query(feed), "size": "@k", "_source": ["id", *title]}
        text = json.dumps(body, ensure_ascii=False).replace('"@k"', "{{k}}{{^k}}10{{/k}}")
        for name in (*(f"user_{width}" for width in feed.widths), "excluded"):
            text = text.replace(f'"@{name}"', f"{{{{#toJson}}}}{name}{{{{/toJson}}}}")
        return text


@dataclass(frozen=True)
class OpenSearchExporter(ElasticsearchExporter):
    """A mapping, bulk requests and a search template for OpenSearch 2.17 or newer."""

    system: ClassVar[str] = "OpenSearch"

    def settings(self) -> dict[str, Any]:
        """See `ElasticsearchExporter`."""
        return {"settings": {"index": {"knn": True}}}

    def vector_mapping(self, width: int, feed: Feed) -> dict[str, Any]:
        """See `ElasticsearchExporter`; OpenSearch has a graph for each field of vectors."""
        parameters = {"m": self.m, "ef_construction": self.ef_construction}
        method = {"name": "hnsw", "engine": "faiss", "space_type": "innerproduct", "parameters": parameters}
        return {"type": "knn_vector", "dimension": width, "method": method}

    def query(self, feed: Feed) -> dict[str, Any]:
        """See `ElasticsearchExporter`."""
        first, last = feed.widths[0], feed.widths[-1]
        nearest = {
            "vector": f"@user_{first}",
            "k": feed.point.shortlist,
            "filter": {"bool": {"must_not": {"terms": {"id": "@excluded"}}}},
        }
        parameters = {"field": vector_field(last), "query_value": f"@user_{last}", "space_type": "innerproduct"}
        script = {"lang": "knn", "source": "knn_score", "params": parameters}
        return {"script_score": {"query": {"knn": {vector_field(first): nearest}}, "script": script}}


def _column_mapping(name: str, kind: str, feed: Feed) -> dict[str, Any]:
    """Return the type of a column; lists have the type of their values."""
    family, _ = element_family(kind)
    if name == feed.table.title_column:
        return {"type": "text"}
    if family == "text":
        return {"type": "keyword", "ignore_above": 8_000}
    return {"type": _TYPES[family]} if family in _TYPES else {"type": "object", "enabled": False}
