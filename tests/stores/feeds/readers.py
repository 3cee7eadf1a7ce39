"""Feeds read back: the ids and vectors of each system's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

Read = tuple[list[Any], "np.ndarray[Any, Any]"]


def read_bulk(folder: Path) -> Read:
    lines = [json.loads(line) for line in (folder / "bulk.ndjson").read_text(encoding="utf-8").splitlines()]
    assert all(list(line) == ["index"] for line in lines[::2])
    return [line["id"] for line in lines[1::2]], widest(lines[1::2])


def read_vespa(folder: Path) -> Read:
    documents = [
        json.loads(line)["fields"] for line in (folder / "documents.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    vectors = [
        {name: value["values"] for name, value in one.items() if name.startswith("vector_")} for one in documents
    ]
    return [one["own_id"] for one in documents], widest(vectors)


def read_weaviate(folder: Path) -> Read:
    objects = [json.loads(line) for line in (folder / "objects.jsonl").read_text(encoding="utf-8").splitlines()]
    return [one["properties"]["own_id"] for one in objects], widest([one["vectors"] for one in objects])


def read_redis(folder: Path) -> Read:
    hashes = [pairs_of(words[2:]) for words in read_commands(folder / "hashes.resp") if words[0] == b"HSET"]
    vectors = [
        {name.decode(): np.frombuffer(value, dtype="<f4") for name, value in one.items() if name.startswith(b"vector_")}
        for one in hashes
    ]
    return [one[b"id"].decode() for one in hashes], widest(vectors)


def pairs_of(words: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(words[::2], words[1::2], strict=True))


def read_commands(file: Path) -> list[list[bytes]]:
    """Return the commands of a file in the protocol of Redis."""
    data, at, commands = file.read_bytes(), 0, []
    while at < len(data):
        end = data.index(b"\r\n", at)
        assert data[at : at + 1] == b"*"
        n_words, at, words = int(data[at + 1 : end]), end + 2, []
        for _ in range(n_words):
            end = data.index(b"\r\n", at)
            assert data[at : at + 1] == b"$"
            size = int(data[at + 1 : end])
            words.append(data[end + 2 : end + 2 + size])
            at = end + 2 + size + 2
        commands.append(words)
    return commands


def widest(rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    """Return the vectors of the greatest width; narrower ones are its prefixes."""
    names = sorted((name for name in rows[0] if name.startswith("vector_")), key=lambda name: int(name[7:]))
    vectors = np.array([row[names[-1]] for row in rows], dtype=np.float32)
    for name in names:
        np.testing.assert_array_equal(np.array([row[name] for row in rows], "f4"), vectors[:, : int(name[7:])])
    return vectors


READERS = {
    "elasticsearch": read_bulk,
    "opensearch": read_bulk,
    "redis": read_redis,
    "vespa": read_vespa,
    "weaviate": read_weaviate,
}
