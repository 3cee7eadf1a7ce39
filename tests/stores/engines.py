"""The stores that `test_contract.py` tests, each in a place of its own, and models to export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.stores import Store, open_store
from tests.stores.postgres import database_of

DECAY = np.array([4.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.5, 0.3])
ODD_IDS = [
    "",
    "tea",
    "öl 🍵",
    "a'b\"c",
    "x\ny",
    "-3",
    "007",
    "11111111-2222-3333-4444-555555555555",
    "?*[a]",
    "\\",
    "NULL",
]


class Engine(NamedTuple):
    """A store under test."""

    name: str
    module: str
    options: dict[str, Any]
    place: Callable[[Path], str] = lambda folder: str(folder / "store")
    fixture: str | None = None
    """Fixture that starts the server; None: the store is a folder."""

    def open(self, folder: Path) -> Store:
        """Return the store in a folder of the test."""
        return open_store(self.place(folder), self.name, **self.options)


ENGINES = {
    "chdb": Engine("chdb", "chdb", {}),
    "duckdb": Engine("duckdb", "duckdb", {}),
    "faiss": Engine("faiss", "faiss", {}),
    "faiss-hnsw": Engine("faiss", "faiss", {"kind": "hnsw", "ef": 500}),
    "faiss-ivf": Engine("faiss", "faiss", {"kind": "ivf", "n_lists": 8, "n_probes": 8}),
    "lancedb": Engine("lancedb", "lancedb", {}),
    "milvus-lite": Engine("milvus-lite", "milvus_lite", {}),
    "pgvector": Engine("pgvector", "pgvector", {}, database_of, "postgres"),
    "qdrant": Engine("qdrant", "qdrant_client", {}),
    "qdrant-edge": Engine("qdrant-edge", "qdrant_edge", {}),
    "sqlite-vec": Engine("sqlite-vec", "sqlite_vec", {}),
}


def engine_parameters() -> list[Any]:
    """Return the engines; those that are not installed are skipped, which says why."""
    return [
        pytest.param(
            engine,
            id=name,
            marks=pytest.mark.skipif(find_spec(engine.module) is None, reason=f"{engine.module} is not installed"),
        )
        for name, engine in ENGINES.items()
    ]


def model_of(items: list[Any] | int, *, n_users: int = 30, seed: int = 0) -> NestedEmbeddings:
    """Return a model of widths 2, 4, 8 whose users have each seen some items."""
    ids = list(range(items)) if isinstance(items, int) else items
    rng = np.random.default_rng(seed)
    users = [f"u{number}" for number in range(n_users)]
    model = NestedEmbeddings.from_arrays(
        rng.normal(size=(n_users, 8)) * DECAY, rng.normal(size=(len(ids), 8)) * DECAY, [2, 4, 8], users=users, items=ids
    )
    return with_seen(model, rng)


def with_seen(model: NestedEmbeddings, rng: np.random.Generator, share: float = 0.2) -> NestedEmbeddings:
    """Return the model with some seen items of each user."""
    rows = [np.flatnonzero(rng.random(model.n_items) < share).astype(np.int32) for _ in range(model.n_users)]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return replace(model, seen=Interactions(model.users, model.items, indptr, np.concatenate(rows)), check=False)


def with_titles(model: NestedEmbeddings) -> NestedEmbeddings:
    """Return the model with an item table: an empty title, a missing one, a list and a date."""
    ids = model.items.ids.tolist()
    titles = ["" if row == 0 else f"Tïtle {row}" for row in range(len(ids))]
    return model.with_item_table(
        {
            "id": ids[:-1],
            "title": titles[:-1],
            "year": [1990 + row % 30 for row in range(len(ids) - 1)],
            "genres": ["Comedy|Drama" if row % 2 else "Drama" for row in range(len(ids) - 1)],
        }
    )


def change(model: NestedEmbeddings) -> NestedEmbeddings:
    """Return an updated model: two items moved, the last one gone, two new ones."""
    ids, vectors = model.items.ids.tolist(), model.item_embeddings.copy()
    vectors[:2] += 1
    new = [max(ids) + 1, max(ids) + 2] if isinstance(ids[0], int) else ["new one", "new two"]
    rows = np.concatenate([vectors[:-1], np.full((2, 8), 0.5, dtype=np.float32)])
    return NestedEmbeddings.from_arrays(
        model.user_embeddings, rows, [2, 4, 8], users=model.users.ids, items=[*ids[:-1], *new]
    )
