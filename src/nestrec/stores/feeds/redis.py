"""A feed for Redis with its query engine: an index of hashes, commands for redis-cli --pipe, and two searches."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from nestrec.stores.feeds.feed import Feed, FeedExporter, as_text, element_family, list_documents, vector_field
from nestrec.stores.store import Rows

_SPECIAL = re.compile(r"([^A-Za-z0-9_])", re.ASCII)


def escape_tag(identity: int | str) -> str:
    r"""Return an id as a query for tags takes it.

    >>> escape_tag("a b-c")
    'a\\ b\\-c'
    """
    return _SPECIAL.sub(r"\\\1", str(identity))


@dataclass(frozen=True)
class RedisExporter(FeedExporter):
    """Commands that make an index of hashes and fill it, and a search for each stage."""

    system: ClassVar[str] = "Redis"
    feed_file: ClassVar[str] = "hashes.resp"
    loading: ClassVar[str] = (
        "`redis-cli --pipe < index.resp`, then `redis-cli --pipe < hashes.resp`; index.json has the same command as a "
        "list of words. searches.json has a search for each stage: Redis has none of two stages."
    )

    m: Annotated[int, msgspec.Meta(ge=2)] = 16
    """Neighbours in the HNSW graph."""
    ef_construction: Annotated[int, msgspec.Meta(ge=2)] = 200
    """Candidates while the graph is built."""

    def describe(self, feed: Feed) -> dict[str, str]:
        """See `FeedExporter`."""
        words = ["FT.CREATE", self.index_name(feed), "ON", "HASH", "PREFIX", "1", self._key(feed, ""), "SCHEMA"]
        words += ["id", "TAG", "SEPARATOR", "\x1f", "CASESENSITIVE"]
        for name, kind in feed.table.columns.items():
            words += self._field(name, kind, feed)
        for width in feed.widths:
            words += [vector_field(width), "VECTOR", *self._vectors(width, feed)]
        files = {"index.json": as_text(words), "index.resp": _command([word.encode() for word in words]).decode()}
        if feed.side == "items":
            files["searches.json"] = as_text(self._searches(feed))
        return files

    def encode(self, rows: Rows, feed: Feed) -> Iterator[bytes]:
        """See `FeedExporter`; a key that is there is replaced."""
        for identity, columns, vectors in list_documents(rows, feed):
            key = self._key(feed, str(identity)).encode()
            words = [b"HSET", key, b"id", str(identity).encode()]
            for name, value in columns.items():
                words += [name.encode(), _as_value(value, feed.table.columns[name])]
            for width, vector in vectors.items():
                words += [vector_field(width).encode(), np.array(vector, dtype="<f4").tobytes()]
            yield _command([b"DEL", key]) + _command(words)

    def _key(self, feed: Feed, identity: str) -> str:
        return f"{self.index_name(feed)}:{identity}"

    def _field(self, name: str, kind: str, feed: Feed) -> list[str]:
        family, is_list = element_family(kind)
        if name == feed.table.title_column:
            return [name, "TEXT"]
        if family in ("integer", "decimal") and not is_list:
            return [name, "NUMERIC"]
        return [name, "TAG", "SEPARATOR", "\x1f"] if family in ("text", "boolean", "date", "time") else []

    def _vectors(self, width: int, feed: Feed) -> list[str]:
        """Return algorithm and attributes: a graph for the first stage, a scan of what remains for the last."""
        shape = ["TYPE", "FLOAT32", "DIM", str(width), "DISTANCE_METRIC", "IP"]
        if width != feed.widths[0]:
            return ["FLAT", str(len(shape)), *shape]
        graph = [*shape, "M", str(self.m), "EF_CONSTRUCTION", str(self.ef_construction)]
        return ["HNSW", str(len(graph)), *graph]

    def _searches(self, feed: Feed) -> list[list[str]]:
        """Return the words of each search; those in capitals with < > are to be replaced."""
        title = feed.table.title_column
        shown = ["id", "distance"] if title is None else ["id", "distance", title]
        stages = [(feed.widths[0], "(-@id:{<EXCLUDED TAGS>})", feed.point.shortlist)]
        if len(feed.widths) > 1:
            stages.append((feed.widths[1], "(@id:{<TAGS OF THE FIRST SEARCH>})", 10))
        searches = []
        for width, where, limit in stages:
            nearest = f"{where}=>[KNN {limit} @{vector_field(width)} $user_{width} AS distance]"
            searches.append(
                [
                    "FT.SEARCH", self.index_name(feed), nearest, "PARAMS", "2", f"user_{width}",
                    f"<{width} FLOATS AS BYTES>", "SORTBY", "distance", "RETURN", str(len(shown)), *shown,
                    "LIMIT", "0", str(limit), "DIALECT", "2",
                ]
            )  # fmt: skip
        return searches


def _as_value(value: Any, kind: str) -> bytes:
    """Return a value of a hash: lists of text are tags, separated by a unit separator."""
    family, is_list = element_family(kind)
    if is_list and family == "text":
        return "\x1f".join(one for one in value if one is not None).encode()
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, ensure_ascii=False).encode()


def _command(words: list[bytes]) -> bytes:
    """Return a command in the protocol of Redis."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
