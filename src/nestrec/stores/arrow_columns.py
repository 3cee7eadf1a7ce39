"""Columns of rows as Arrow arrays, for stores that take Arrow."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.extras import require
from nestrec.stores.json_values import as_json

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
_LIST = re.compile(r"([^\[\]]+)\[\]\Z")


def arrow_type(kind: str) -> Any:
    """Return the Arrow type of a DuckDB type; what has no counterpart becomes text or JSON.

    >>> arrow_type("VARCHAR[]"), arrow_type("STRUCT(a INTEGER)")
    (ListType(list<item: string>), DataType(string))
    """
    arrow = _arrow()
    if (listed := _LIST.match(kind)) is not None and listed[1] in _TYPES:
        return arrow.list_(arrow_type(listed[1]))
    if kind.startswith("DECIMAL"):
        return arrow.decimal128(*map(int, re.findall(r"\d+", kind)))
    if kind.startswith("TIMESTAMP"):
        return arrow.timestamp("us", tz="UTC" if kind.endswith("ZONE") else None)
    return getattr(arrow, _TYPES.get(kind, "string"))()


def make_column(values: list[Any], kind: str) -> Any:
    """Return values of a DuckDB type as an Arrow array."""
    wanted = arrow_type(kind)
    plain = [_as_text(value) for value in values] if wanted == _arrow().string() else values
    return _arrow().array(plain, wanted)


def make_vectors(
    vectors: Float32Array,  # (n, width)
) -> Any:
    """Return vectors as an array of lists of a fixed size."""
    numbers = np.ascontiguousarray(vectors)
    return _arrow().FixedSizeListArray.from_arrays(_arrow().array(numbers.ravel()), numbers.shape[1])


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    plain = as_json(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _arrow() -> Any:
    return require("pyarrow", "arrow", "a store of Arrow tables")
