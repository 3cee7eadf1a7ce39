"""The tables and indexes of a store in PostgreSQL, as SQL, and the types of its columns."""

from __future__ import annotations

import re
from typing import Literal

from nestrec.data.readers.duckdb_connection import quote_name
from nestrec.errors import OptionError
from nestrec.export.item_columns import FINGERPRINT, ID, VECTOR
from nestrec.stores.layout import SEEN, Layout, SideLayout

IndexType = Literal["vector", "halfvec"]

METADATA = "export_metadata"
_LONGEST_NAME = 63  # bytes of an identifier; PostgreSQL cuts longer ones
_TYPES = {
    "BOOLEAN": "bool",
    "TINYINT": "int2",
    "SMALLINT": "int2",
    "UTINYINT": "int2",
    "INTEGER": "int4",
    "USMALLINT": "int4",
    "BIGINT": "int8",
    "UINTEGER": "int8",
    "UBIGINT": "numeric",
    "FLOAT": "float4",
    "DOUBLE": "float8",
    "VARCHAR": "text",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "BLOB": "bytea",
}
_LIST = re.compile(r"([^\[\]]+)\[\]\Z")


def column_type(kind: str) -> str:
    """Return the type for a column of a DuckDB type; what has no counterpart becomes JSON.

    >>> column_type("BIGINT"), column_type("VARCHAR[]"), column_type("DECIMAL(9,2)"), column_type("STRUCT(a INTEGER)")
    ('int8', 'text[]', 'numeric', 'jsonb')
    """
    if (listed := _LIST.match(kind)) is not None:
        element = column_type(listed[1])
        return "jsonb" if element == "jsonb" else f"{element}[]"
    if kind.startswith("DECIMAL"):
        return "numeric"
    if kind in ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"):
        return "timestamp"
    return _TYPES.get(kind, "jsonb")


def id_type(side: SideLayout) -> str:
    """Return the type of a side's ids."""
    return column_type(side.id_type)


def list_columns(side: SideLayout) -> dict[str, str]:
    """Return names and types of a side's columns but the lists of seen items, which have a table of their own."""
    return {name: column_type(kind) for name, kind in side.columns.items() if name != SEEN}


def check_names(layout: Layout) -> None:
    """Raise OptionError for a column whose name PostgreSQL would cut."""
    for name in () if layout.items is None else layout.items.columns:
        if len(name.encode()) > _LONGEST_NAME:
            raise OptionError(
                f"names of columns must have {_LONGEST_NAME} bytes or fewer for PostgreSQL, got {name!r}; rename the "
                "column of the item table"
            )


def create_tables_sql(schema: str, layout: Layout) -> list[str]:
    """Return the statements that make the tables, in place of earlier ones of nestrec's."""
    named = quote_name(schema)
    drops = [f"DROP FUNCTION IF EXISTS {named}.{name}" for name in ("recommend", "search")]
    drops += [f"DROP TABLE IF EXISTS {named}.{name}" for name in ("items", "users", "seen", METADATA)]
    creates = [
        f"CREATE TABLE {named}.{METADATA} (one boolean PRIMARY KEY DEFAULT true CHECK (one), value jsonb NOT NULL)"
    ]
    for side in layout.sides:
        table = layout.side(side)
        columns = [
            f"{ID} {_id_column(table)} PRIMARY KEY",
            f"{VECTOR} vector({layout.size}) NOT NULL",
            f"{FINGERPRINT} int8 NOT NULL",
            *(f"{quote_name(name)} {kind}" for name, kind in list_columns(table).items()),
        ]
        creates.append(f"CREATE TABLE {named}.{side} ({', '.join(columns)})")
    if layout.users is not None:
        user, item = _id_column(layout.users), layout.users.columns[SEEN].removesuffix("[]")
        item = _id_column(SideLayout("BIGINT" if item == "BIGINT" else "VARCHAR"))
        creates.append(f"CREATE TABLE {named}.{SEEN} (user_id {user}, item_id {item}, PRIMARY KEY (user_id, item_id))")
    return [*drops, *creates]


def prefix_sql(vector: str, width: int, size: int, index_type: IndexType = "vector") -> str:
    """Return the prefix of a vector as an expression: the one that is indexed must be the one of the query.

    >>> prefix_sql("vector", 16, 64)
    'subvector(vector, 1, 16)::vector(16)'
    """
    if width == size:
        return vector if index_type == "vector" else f"{vector}::halfvec({width})"
    return f"subvector({vector}, 1, {width})::{index_type}({width})"


def indexed_widths(layout: Layout) -> tuple[int, ...]:
    """Return the widths that have an index: the widest only scores what a prefix has found."""
    return layout.widths[:-1] or layout.widths


def index_sql(schema: str, layout: Layout, index_type: IndexType, m: int, ef_construction: int) -> list[str]:
    """Return the statements that complete the indexes: of the prefixes, or of the vectors where there is no prefix."""
    statements: list[str] = []
    named = quote_name(schema)
    for width in indexed_widths(layout):
        name = index_name(width, index_type)
        other = index_name(width, "vector" if index_type == "halfvec" else "halfvec")
        expression = f"({prefix_sql(VECTOR, width, layout.size, index_type)})"
        graph = f"hnsw ({expression} {index_type}_ip_ops) WITH (m = {m}, ef_construction = {ef_construction})"
        statements.append(f"DROP INDEX IF EXISTS {named}.{other}")
        statements.append(f"CREATE INDEX IF NOT EXISTS {name} ON {named}.items USING {graph}")
    return statements


def index_name(width: int, index_type: IndexType) -> str:
    """Return the name of the index of a prefix.

    >>> index_name(16, "vector")
    'items_vector_16'
    """
    return f"items_{index_type}_{width}"


def _id_column(side: SideLayout) -> str:
    return 'text COLLATE "C"' if side.id_type == "VARCHAR" else "int8"
