"""The columns of an item table that are written beside ids and vectors, and models of some of the items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.retrieval.item_lists import ItemLists

ID, VECTOR, FINGERPRINT = "id", "vector", "fingerprint"
RESERVED = (ID, VECTOR, FINGERPRINT)


def list_columns(model: NestedEmbeddings) -> dict[str, str]:
    """Return name and type, as DuckDB names it, of the columns that are written: all but that of the ids."""
    table = model.item_table
    if table is None:
        return {}
    return {name: kind for name, kind in table.columns.items() if name != table.description.id_column}


def rename_column(name: str) -> str:
    """Return the name of a column where it is written: some names are those of ids, vectors and fingerprints.

    >>> rename_column("year"), rename_column("ID")
    ('year', 'item_ID')
    """
    return f"item_{name}" if name.lower() in RESERVED else name


def keep_items(model: NestedEmbeddings, where: str) -> NestedEmbeddings:
    """Return the model with the items alone that meet a condition on the item table.

    Raises OptionError for a model without an item table, and for what is not a condition.
    """
    if model.item_table is None:
        raise OptionError(
            "where needs an item table, and the model has none; attach one with nestrec items MODEL FILE",
            option="where",
        )
    rows = model.item_table.select_rows(where)
    items = Vocabulary(model.items.ids_at(rows))
    position = np.full(model.n_items, -1, dtype=np.int32)
    position[rows] = np.arange(len(rows), dtype=np.int32)
    lists = ItemLists(model.seen.indptr, position[model.seen.indices])
    kept = lists.keep(lists.indices >= 0)
    return replace(
        model.with_search_config(None, None),
        item_embeddings=np.ascontiguousarray(model.item_embeddings[rows]),
        items=items,
        seen=Interactions(model.users, items, kept.indptr, kept.indices),
        item_table=model.item_table.reindex(items),
        check=False,
    )
