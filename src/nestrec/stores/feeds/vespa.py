"""A feed for Vespa: an application package, documents, and a query of two phases."""

from __future__ import annotations

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
    flat_value,
    list_documents,
    plain_names,
    vector_field,
)
from nestrec.stores.store import Rows

OWN_ID = "own_id"
_TYPES = {"integer": "long", "decimal": "double", "boolean": "bool"}
_FAST = "attribute {\n                fast-search\n            }"
_PAGED = "attribute {\n                paged\n            }"
_METRIC = "attribute {\n                distance-metric: dotproduct\n            }"
_SERVICES = """<?xml version="1.0" encoding="UTF-8"?>
<services version="1.0">
  <container id="default" version="1.0">
    <search></search>
    <document-api></document-api>
  </container>
  <content id="content" version="1.0">
    <redundancy>1</redundancy>
    <documents>
      <document type="{schema}" mode="index"></document>
    </documents>
    <nodes>
      <node distribution-key="0" hostalias="node1"></node>
    </nodes>
  </content>
</services>
"""


@dataclass(frozen=True)
class VespaExporter(FeedExporter):
    """An application package with a schema, documents for vespa feed, and a query."""

    system: ClassVar[str] = "Vespa"
    feed_file: ClassVar[str] = "documents.jsonl"
    loading: ClassVar[str] = (
        "`vespa deploy application`, then `vespa feed documents.jsonl`. query.json is the body of a search: put the "
        "user's vector into it, and for EXCLUDED_IDS a list of numbers or of texts in quotation marks (without "
        "any, leave that condition out)."
    )

    m: Annotated[int, msgspec.Meta(ge=2)] = 16
    """Neighbours in the HNSW graph."""
    ef_construction: Annotated[int, msgspec.Meta(ge=2)] = 100
    """Candidates while the graph is built."""

    def describe(self, feed: Feed) -> dict[str, str]:
        """See `FeedExporter`."""
        schema = self.index_name(feed)
        files = {
            "application/services.xml": _SERVICES.format(schema=schema),
            f"application/schemas/{schema}.sd": self._schema(feed),
        }
        if feed.side == "items":
            files["query.json"] = as_text(self._query(feed))
        return files

    def encode(self, rows: Rows, feed: Feed) -> Iterator[bytes]:
        """See `FeedExporter`."""
        schema, names, kinds = self.index_name(feed), _names(feed), feed.table.columns
        for identity, columns, vectors in list_documents(rows, feed):
            fields: dict[str, Any] = {OWN_ID: identity}
            fields |= {names[name]: flat_value(value, kinds[name]) for name, value in columns.items()}
            fields |= {vector_field(width): {"values": vector} for width, vector in vectors.items()}
            yield as_line({"put": f"id:{self.index}:{schema}::{document_id(identity)}", "fields": fields})

    def _schema(self, feed: Feed) -> str:
        kind = "string" if feed.table.id_type == "VARCHAR" else "long"
        fields = [_field(OWN_ID, kind, "summary | attribute", [_FAST, "rank: filter"])]
        for column, name in _names(feed).items():
            indexing = "summary | index" if column == feed.table.title_column else "summary | attribute"
            fields.append(_field(name, _type(feed.table.columns[column]), indexing, []))
        for width in feed.widths:
            first = feed.side == "items" and width == feed.widths[0]
            settings = [_METRIC, self._graph()] if first else [_PAGED]
            indexing = "attribute | index" if first else "attribute"
            fields.append(_field(vector_field(width), f"tensor<float>(x[{width}])", indexing, settings))
        schema = self.index_name(feed)
        profile = _profile(feed) if feed.side == "items" else ""
        return f"schema {schema} {{\n    document {schema} {{\n{''.join(fields)}    }}\n{profile}}}\n"

    def _graph(self) -> str:
        return (
            f"index {{\n                hnsw {{\n                    max-links-per-node: {self.m}\n"
            f"                    neighbors-to-explore-at-insert: {self.ef_construction}\n                }}\n"
            "            }"
        )

    def _query(self, feed: Feed) -> dict[str, object]:
        first = feed.widths[0]
        title = feed.table.title_column
        shown = OWN_ID if title is None else f"{OWN_ID}, {_names(feed)[title]}"
        nearest = f"{{targetHits:{feed.point.shortlist}}}nearestNeighbor({vector_field(first)}, user_{first})"
        return {
            "yql": f"select {shown} from {self.index_name(feed)} where {nearest} and !({OWN_ID} in (EXCLUDED_IDS))",
            "ranking": "two_stage",
            "hits": 10,
            **{f"input.query(user_{width})": f"[the first {width} dimensions]" for width in feed.widths},
        }


def _names(feed: Feed) -> dict[str, str]:
    return plain_names(feed.table.columns, "Vespa", (OWN_ID, *map(vector_field, feed.widths)))


def _type(kind: str) -> str:
    """Return the type of a column; dates and times are text in ISO 8601, structures JSON."""
    family, is_list = element_family(kind)
    element = _TYPES.get(family, "string")
    return f"array<{element}>" if is_list and family not in ("other", "list") else element


def _field(name: str, kind: str, indexing: str, settings: list[str]) -> str:
    lines = [f"indexing: {indexing}", *settings]
    body = "".join(f"            {line}\n" for line in lines)
    return f"        field {name} type {kind} {{\n{body}        }}\n"


def _profile(feed: Feed) -> str:
    """Return the ranking: the first phase by the prefix, the second by all dimensions."""
    first, last = feed.widths[0], feed.widths[-1]
    inputs = "".join(f"            query(user_{width}) tensor<float>(x[{width}])\n" for width in feed.widths)
    phases = f"        first-phase {{\n{_expression(first)}        }}\n"
    if len(feed.widths) > 1:
        count = f"            rerank-count: {feed.point.shortlist}\n"
        phases += f"        second-phase {{\n{_expression(last)}{count}        }}\n"
    return f"    rank-profile two_stage {{\n        inputs {{\n{inputs}        }}\n{phases}    }}\n"


def _expression(width: int) -> str:
    product = f"sum(query(user_{width}) * attribute({vector_field(width)}))"
    return f"            expression {{\n                {product}\n            }}\n"
