"""Tables of LanceDB: their Arrow schema, rows as Arrow tables, and conditions on ids."""

from __future__ import annotations

from typing import Any

from nestrec.data.readers.duckdb_connection import quote_text
from nestrec.export.item_columns import FINGERPRINT, ID
from nestrec.extras import require
from nestrec.stores.arrow_columns import arrow_type, make_column, make_vectors
from nestrec.stores.layout import Layout, SideLayout
from nestrec.stores.store import Rows

_LEAST = -(2**63)


def vector_column(width: int) -> str:
    """Return the name of the column of a width's vectors.

    >>> vector_column(16)
    'vector_16'
    """
    return f"vector_{width}"


def make_schema(side: SideLayout, layout: Layout) -> Any:
    """Return the Arrow schema of a side."""
    arrow = require("pyarrow", "lancedb", "a store of LanceDB")
    vectors = [(vector_column(width), arrow.list_(arrow.float32(), width)) for width in layout.widths]
    columns = [(name, arrow_type(kind)) for name, kind in side.columns.items()]
    return arrow.schema([(ID, arrow_type(side.id_type)), (FINGERPRINT, arrow.int64()), *vectors, *columns])


def make_table(rows: Rows, side: SideLayout, layout: Layout) -> Any:
    """Return rows as an Arrow table."""
    arrow, schema = require("pyarrow", "lancedb", "a store of LanceDB"), make_schema(side, layout)
    arrays = [arrow.array(rows.ids.tolist(), schema.field(ID).type), arrow.array(rows.fingerprints)]
    arrays += [make_vectors(rows.vectors[:, :width]) for width in layout.widths]
    arrays += [make_column(values, side.columns[name]) for name, values in rows.columns.items()]
    return arrow.Table.from_arrays(arrays, schema=schema)


def condition(ids: list[Any], *, is_among: bool) -> str:
    """Return the condition that an id is among some, or is not; of none, one that holds for no row or for all.

    >>> condition(["a'b", "c"], is_among=False)
    "id NOT IN ('a''b', 'c')"
    """
    if not ids:
        return "false" if is_among else "true"
    values = ", ".join(map(_literal, ids))
    return f"{ID} {'IN' if is_among else 'NOT IN'} ({values})"


def _literal(identity: int | str) -> str:
    if isinstance(identity, str):
        return quote_text(identity)
    return str(identity) if identity > _LEAST else f"{_LEAST + 1} - 1"  # its parser negates a positive number
