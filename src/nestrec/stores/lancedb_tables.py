"""Tables of LanceDB: their Arrow schema, rows as Arrow tables, and conditions on ids."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.data.readers.duckdb_connection import quote_text
from nestrec.export.item_columns import FINGERPRINT, ID
from nestrec.extras import require
from nestrec.stores.json_values import as_json
from nestrec.stores.layout import Layout, SideLayout
from nestrec.stores.store import Rows

_TYPES = {
    "BOOLEAN": "bool_",
    "TINYINT": "int8",
    "SMALLINT": "int16",
    "INTEGER": "int32",
    "BIGINT": "int64",
    "UTINYINT": "uint8",
    "USMALLINT": "uint16",
    "UINTEGER": "uint32",
    "UBIGINT": "uint64",
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "VARCHAR": "string",
    "DATE": "date32",
    "BLOB": "binary",
}
_LEAST = -(2**63)
_LIST = re.compile(r"([^\[\]]+)\[\]\Z")


def vector_column(width: int) -> str:
    """Return the name of the column of a width's vectors.

    >>> vector_column(16)
    'vector_16'
    """
    return f"vector_{width}"


def make_schema(side: SideLayout, layout: Layout) -> Any:
    """Return the Arrow schema of a side."""
    arrow = _arrow()
    vectors = [(vector_column(width), arrow.list_(arrow.float32(), width)) for width in layout.widths]
    columns = [(name, _arrow_type(kind)) for name, kind in side.columns.items()]
    return arrow.schema([(ID, _arrow_type(side.id_type)), (FINGERPRINT, arrow.int64()), *vectors, *columns])


def make_table(rows: Rows, side: SideLayout, layout: Layout) -> Any:
    """Return rows as an Arrow table."""
    arrow, schema = _arrow(), make_schema(side, layout)
    arrays = [arrow.array(rows.ids.tolist(), schema.field(ID).type), arrow.array(rows.fingerprints)]
    arrays += [_as_lists(rows.vectors[:, :width]) for width in layout.widths]
    for name, values in rows.columns.items():
        kind = schema.field(name).type
        plain = [_as_text(value) for value in values] if kind == arrow.string() else values
        arrays.append(arrow.array(plain, kind))
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


def _arrow_type(kind: str) -> Any:
    """Return the Arrow type of a DuckDB type; what has no counterpart becomes text or JSON.

    >>> _arrow_type("VARCHAR[]"), _arrow_type("STRUCT(a INTEGER)")
    (ListType(list<item: string>), DataType(string))
    """
    arrow = _arrow()
    if (listed := _LIST.match(kind)) is not None and listed[1] in _TYPES:
        return arrow.list_(_arrow_type(listed[1]))
    if kind.startswith("DECIMAL"):
        return arrow.decimal128(*map(int, re.findall(r"\d+", kind)))
    if kind.startswith("TIMESTAMP"):
        return arrow.timestamp("us", tz="UTC" if kind.endswith("ZONE") else None)
    return getattr(arrow, _TYPES.get(kind, "string"))()


def _as_lists(vectors: Float32Array) -> Any:
    numbers = np.ascontiguousarray(vectors)
    return _arrow().FixedSizeListArray.from_arrays(_arrow().array(numbers.ravel()), numbers.shape[1])


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    plain = as_json(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _arrow() -> Any:
    return require("pyarrow", "lancedb", "a store of LanceDB")
