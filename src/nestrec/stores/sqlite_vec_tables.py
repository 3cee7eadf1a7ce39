"""The tables of a store in SQLite: rows of items and users, and the search as one SQL query."""

from __future__ import annotations

import json
from typing import Any

from nestrec.data.readers.duckdb_connection import quote_name
from nestrec.export.item_columns import FINGERPRINT, ID, VECTOR
from nestrec.item_table.column_types import classify_type
from nestrec.stores.json_values import as_json
from nestrec.stores.layout import Layout, SideLayout
from nestrec.stores.requests import Stage
from nestrec.stores.sqlite_vec_index import ROW, table_name
from nestrec.stores.store import Rows

PRODUCT = "inner_product"  # function of two blobs, which the store registers
GREATEST_K = 4_096  # neighbours that sqlite-vec returns at most
SPARE = 16  # neighbours beyond a shortlist, for items whose distances differ by rounding alone


def create_rows_sql(layout: Layout) -> list[str]:
    """Return the statements that make the tables of rows."""
    return [
        f"CREATE TABLE {side} ({ROW} INTEGER PRIMARY KEY, {ID} {_id_type(layout.side(side))} NOT NULL UNIQUE, "
        f"{VECTOR} BLOB NOT NULL, {FINGERPRINT} INTEGER NOT NULL"
        + "".join(f", {quote_name(name)} {_column_type(kind)}" for name, kind in layout.side(side).columns.items())
        + ")"
        for side in layout.sides
    ]


def upsert_sql(side: str, layout: Layout) -> str:
    """Return the statement that writes a row, in the order of `list_values`; it returns the number of the row."""
    names = [ID, VECTOR, FINGERPRINT, *map(quote_name, layout.side("items" if side == "items" else "users").columns)]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    return (
        f"INSERT INTO {side} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
        f"ON CONFLICT ({ID}) DO UPDATE SET {changes} RETURNING {ROW}"
    )


def list_values(rows: Rows) -> list[tuple[Any, ...]]:
    """Return rows as values of SQLite: lists as JSON, dates and times as text in ISO 8601."""
    vectors = [vector.tobytes() for vector in rows.vectors.astype("<f4")]
    columns = [[_as_value(value) for value in values] for values in rows.columns.values()]
    return list(zip(rows.ids.tolist(), vectors, rows.fingerprints.tolist(), *columns, strict=True))


def search_sql(stages: tuple[Stage, ...], n_excluded: int) -> str:
    """Return the query for the parameters lifted and n of the first stage, excluded, and user_WIDTH of each stage.

    The nearest neighbours are as many more as are excluded; where sqlite-vec cannot return so many, all are scored.
    """
    first, *_, last = (*stages, stages[-1])
    neighbours = f"SELECT {ROW} FROM {table_name(first.width)} WHERE lifted MATCH :lifted AND k = :n"
    if count_neighbours(first, n_excluded) > GREATEST_K:
        neighbours = f"SELECT {ROW} FROM {table_name(first.width)}"
    source = f"items WHERE {ROW} IN ({neighbours}) AND {ID} NOT IN (SELECT value FROM json_each(:excluded))"
    for stage in stages:
        source = (
            f"(SELECT {ID}, {VECTOR}, {PRODUCT}({VECTOR}, :user_{stage.width}) AS score FROM {source} "
            f"ORDER BY score DESC, {ID} LIMIT {stage.limit})"
        )
    return f"SELECT {ID}, score FROM {source} LIMIT {last.limit}"


def count_neighbours(stage: Stage, n_excluded: int) -> int:
    """Return how many neighbours the first stage asks for."""
    return stage.limit + n_excluded + SPARE


def _id_type(side: SideLayout) -> str:
    return "TEXT" if side.id_type == "VARCHAR" else "INTEGER"


def _column_type(kind: str) -> str:
    """Return a declared type, whose affinity keeps values as they are."""
    if classify_type(kind) == "number":
        return "REAL" if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL") else "INTEGER"
    return "INTEGER" if kind == "BOOLEAN" else "BLOB" if kind == "BLOB" else "TEXT"


def _as_value(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    plain = as_json(value)
    if isinstance(plain, (list, dict)):
        return json.dumps(plain, ensure_ascii=False)
    return int(plain) if isinstance(plain, bool) else plain
