"""The rows of one side of a model, streamed in batches, and their fingerprints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xxhash

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.data.ids import IdArray
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.export.exporters import Side
from nestrec.export.item_columns import list_columns, rename_column
from nestrec.retrieval.item_lists import ItemLists
from nestrec.stores.layout import SEEN
from nestrec.stores.store import Rows

BLOCK = 16_384  # rows that are read at once, of an item table or of seen items


@dataclass(frozen=True, eq=False)
class ModelRows:
    """The users or the selected items of a model, truncated to the stored width."""

    model: NestedEmbeddings
    side: Side
    size: int
    """Dimensions of the stored vectors."""
    selected: Int32Array
    """(n,) rows of the model, ascending."""

    @property
    def ids(self) -> IdArray:
        """(n,) in ascending order."""
        return self.vocabulary.ids_at(self.selected)

    @property
    def vocabulary(self) -> Vocabulary:
        """Ids of the side, selected or not."""
        return self.model.items if self.side == "items" else self.model.users

    @property
    def vectors(self) -> Float32Array:
        """(n_rows of the model, size), a view."""
        table = self.model.item_embeddings if self.side == "items" else self.model.user_embeddings
        return table[:, : self.size]

    def fingerprint(self) -> Int64Array:
        """Return a 64-bit hash of vector and columns for each selected row, (n,)."""
        parts = [_hash_rows(self.vectors[rows], columns) for rows, columns in self._blocks(self.selected)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

    def version(self, fingerprints: Int64Array) -> str:
        """Return a hash of all rows: their ids and fingerprints."""
        digest = xxhash.xxh3_128(f"{self.side} {self.size} ".encode())
        digest.update(Vocabulary(self.ids).fingerprint().encode())
        digest.update(fingerprints.tobytes())
        return digest.hexdigest()

    def batches(self, wanted: Int64Array, fingerprints: Int64Array, n_rows: int) -> Iterator[Rows]:
        """Yield some of the selected rows, by ascending position among them, so many at a time."""
        hashes = fingerprints[wanted]
        place = 0
        for rows, columns in self._blocks(self.selected[wanted]):
            for start in range(0, len(rows), n_rows):
                part = slice(start, start + n_rows)
                some = rows[part]
                yield Rows(
                    self.vocabulary.ids_at(some),
                    np.ascontiguousarray(self.vectors[some]),
                    hashes[place : place + len(some)],
                    {name: values[part] for name, values in columns.items()},
                )
                place += len(some)

    def _blocks(self, rows: Int32Array) -> Iterator[tuple[Int32Array, dict[str, list[Any]]]]:
        """Yield ascending rows of the model with their columns, at most BLOCK at a time."""
        if self.side == "users":
            for start in range(0, len(rows), BLOCK):
                some = rows[start : start + BLOCK]
                yield some, {SEEN: self._seen(some)}
        elif self.model.item_table is None:
            for start in range(0, len(rows), BLOCK):
                yield rows[start : start + BLOCK], {}
        else:
            yield from self._described_blocks(rows)

    def _described_blocks(self, rows: Int32Array) -> Iterator[tuple[Int32Array, dict[str, list[Any]]]]:
        assert self.model.item_table is not None
        names = list_columns(self.model)
        for number, columns in enumerate(self.model.item_table.read_batches(BLOCK)):
            first, last = np.searchsorted(rows, [number * BLOCK, (number + 1) * BLOCK])
            some = rows[first:last]
            if len(some):
                places = (some - number * BLOCK).tolist()
                yield some, {rename_column(name): [columns[name][at] for at in places] for name in names}

    def _seen(self, users: Int32Array) -> list[Any]:
        """Return the ids of the items of each user's training interactions."""
        lists = ItemLists(self.model.seen.indptr, self.model.seen.indices).select(users)
        ids = self.model.items.ids_at(lists.indices).tolist()
        return [ids[start:end] for start, end in pairwise(lists.indptr.tolist())]


def select_model_rows(model: NestedEmbeddings, side: Side, size: int, where: str | None = None) -> ModelRows:
    """Return the rows of a side; of items only those that meet a condition on the item table.

    Raises OptionError for a condition on a model without an item table.
    """
    n_rows = model.n_items if side == "items" else model.n_users
    selected = np.arange(n_rows, dtype=np.int32)
    if where is not None and side == "items":
        if model.item_table is None:
            raise OptionError(
                "where needs an item table, and the model has none; attach one with nestrec items MODEL FILE",
                option="where",
            )
        selected = model.item_table.select_rows(where)
    return ModelRows(model, side, size, selected)


def _hash_rows(vectors: Float32Array, columns: dict[str, list[Any]]) -> Int64Array:
    data, width = np.ascontiguousarray(vectors).tobytes(), vectors.shape[1] * 4
    hashes = (xxhash.xxh3_64_intdigest(data[start : start + width]) for start in range(0, len(data), width))
    if columns:
        values = zip(*columns.values(), strict=True)
        hashes = (xxhash.xxh3_64_intdigest(repr(row), one) for one, row in zip(hashes, values, strict=True))
    return np.fromiter(hashes, dtype=np.uint64, count=len(vectors)).view(np.int64)
