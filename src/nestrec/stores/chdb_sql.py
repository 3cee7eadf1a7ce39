"""The tables of a store in ClickHouse, their types, and the search of several stages as one SQL query."""

from __future__ import annotations

import re

from nestrec.export.item_columns import FINGERPRINT, ID, VECTOR
from nestrec.stores.layout import SideLayout
from nestrec.stores.requests import Stage

DATABASE = "nestrec"
_TYPES = {
    "BOOLEAN": "Bool",
    "TINYINT": "Int8",
    "SMALLINT": "Int16",
    "INTEGER": "Int32",
    "BIGINT": "Int64",
    "UTINYINT": "UInt8",
    "USMALLINT": "UInt16",
    "UINTEGER": "UInt32",
    "UBIGINT": "UInt64",
    "FLOAT": "Float32",
    "DOUBLE": "Float64",
    "DATE": "Date32",
}
_LIST = re.compile(r"([^\[\]]+)\[\]\Z")


def column_type(kind: str) -> str:
    """Return the type for a column of a DuckDB type; lists that are missing become empty, structures JSON text.

    >>> column_type("BIGINT"), column_type("VARCHAR[]"), column_type("DECIMAL(9,2)")
    ('Nullable(Int64)', 'Array(Nullable(String))', 'Nullable(Decimal(9,2))')
    """
    if (listed := _LIST.match(kind)) is not None and (listed[1] in _TYPES or listed[1] == "VARCHAR"):
        return f"Array({column_type(listed[1])})"
    if kind.startswith("DECIMAL"):
        return f"Nullable({kind.replace('DECIMAL', 'Decimal')})"
    if kind.startswith("TIMESTAMP"):
        return "Nullable(DateTime64(6, 'UTC'))"
    return f"Nullable({_TYPES.get(kind, 'String')})"


def id_type(side: SideLayout) -> str:
    """Return the type of a side's ids."""
    return "String" if side.id_type == "VARCHAR" else "Int64"


def create_table_sql(name: str, side: SideLayout) -> str:
    """Return the statement that makes the table of a side."""
    columns = "".join(f", {quote(column)} {column_type(kind)}" for column, kind in side.columns.items())
    return (
        f"CREATE TABLE IF NOT EXISTS {DATABASE}.{name} ({ID} {id_type(side)}, {FINGERPRINT} Int64, "
        f"{VECTOR} Array(Float32){columns}) ENGINE = MergeTree ORDER BY {ID}"
    )


def search_sql(stages: tuple[Stage, ...], kind: str) -> str:
    """Return the query for the parameters `excluded` and `user_WIDTH`, a vector for each stage.

    >>> print(search_sql((Stage(16, 200), Stage(64, 10)), "Int64"))  # doctest: +NORMALIZE_WHITESPACE
    SELECT id, dotProduct(arraySlice(vector, 1, 64), {user_64:Array(Float32)}) AS score FROM (
    SELECT id, vector FROM nestrec.items
    WHERE id NOT IN (SELECT arrayJoin(JSONExtract({excluded:String}, 'Array(Int64)')))
    ORDER BY dotProduct(arraySlice(vector, 1, 16), {user_16:Array(Float32)}) DESC LIMIT 200
    ) ORDER BY score DESC, id LIMIT 10
    """
    *narrow, last = stages
    source = f"{DATABASE}.items WHERE {ID} NOT IN ({list_sql('excluded', kind)})"
    for stage in narrow:
        product = _product(stage.width)
        source = f"(\nSELECT {ID}, {VECTOR} FROM {source}\nORDER BY {product} DESC LIMIT {stage.limit}\n)"
    return f"SELECT {ID}, {_product(last.width)} AS score FROM {source} ORDER BY score DESC, {ID} LIMIT {last.limit}"


def list_sql(parameter: str, kind: str) -> str:
    """Return the query of the ids that a parameter lists as JSON: chDB does not quote text in arrays.

    >>> list_sql("ids", "String")
    "SELECT arrayJoin(JSONExtract({ids:String}, 'Array(String)'))"
    """
    return f"SELECT arrayJoin(JSONExtract({{{parameter}:String}}, 'Array({kind})'))"


def escape(text: str) -> str:
    """Return text as ClickHouse reads it in a parameter."""
    for character, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(character, escaped)
    return text


def quote(name: str) -> str:
    """Return a name as ClickHouse writes it."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _product(width: int) -> str:
    return f"dotProduct(arraySlice({VECTOR}, 1, {width}), {{user_{width}:Array(Float32)}})"
