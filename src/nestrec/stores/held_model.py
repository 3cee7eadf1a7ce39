"""Which model a store holds, so that users of another one are not searched in it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xxhash

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import StoreError
from nestrec.stores.store import Store

_HASHED_AT_ONCE = 65_536  # rows


def fingerprint_items(model: NestedEmbeddings, size: int) -> str:
    """Return a hash of the ids and the first `size` dimensions of all items of a model."""
    digest = xxhash.xxh3_128(f"{size} {model.items.fingerprint()}".encode())
    for start in range(0, model.n_items, _HASHED_AT_ONCE):
        digest.update(np.ascontiguousarray(model.item_embeddings[start : start + _HASHED_AT_ONCE, :size]).data)
    return digest.hexdigest()


def check_model(model: NestedEmbeddings, store: Store) -> None:
    """Raise StoreError unless a store holds the item vectors of a model, whose users can then be searched in it.

    Titles, columns and users may differ: scores do not depend on them.
    """
    metadata = store.metadata
    widths = metadata.layout.widths
    if not set(widths) <= set(model.widths):
        raise StoreError(
            f"the store at {store.place} must hold the model: the store has widths {_join(widths)}, the model "
            f"{_join(model.widths)}; give the model that was exported, or export this one with overwrite=True",
            mentions=("overwrite=True",),
        )
    if metadata.held_items != fingerprint_items(model, metadata.layout.size):
        raise StoreError(
            f"the store at {store.place} must hold the model, and it holds other item vectors; give the model that "
            "was exported, or export this one to the store first",
        )


def _join(widths: Iterable[int]) -> str:
    return ", ".join(map(str, widths))
