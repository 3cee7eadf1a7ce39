"""Rows written to PostgreSQL by binary COPY: into an empty table at once, else through a temporary one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nestrec.data.ids import IdArray
from nestrec.data.readers.duckdb_connection import quote_name
from nestrec.export.exporters import Side
from nestrec.export.item_columns import FINGERPRINT, ID, VECTOR
from nestrec.extras import require
from nestrec.stores.json_values import as_json
from nestrec.stores.layout import SEEN, Layout
from nestrec.stores.pgvector_schema import id_type, list_columns
from nestrec.stores.store import Rows


class RowWriter:
    """Writes and deletes rows, a batch in a transaction."""

    def __init__(self, connection: Any, schema: str, layout: Layout) -> None:
        self._connection, self._schema, self._layout = connection, quote_name(schema), layout
        self._holds_rows: dict[Side, bool] = {}
        self._jsonb = require("psycopg.types.json", "pgvector", "a store of PostgreSQL").Jsonb

    def write(self, side: Side, rows: Rows) -> None:
        """Write rows; those of ids that are there already are replaced."""
        kinds = self._columns(side)
        with self._connection.transaction():
            if side not in self._holds_rows:
                found = self._connection.execute(f"SELECT FROM {self._schema}.{side} LIMIT 1").fetchone()
                self._holds_rows[side] = found is not None
            if self._holds_rows[side] or not self._append(side, kinds, rows):
                self._upsert(side, kinds, rows)
            if SEEN in rows.columns:
                self._write_seen(rows)

    def delete(self, side: Side, ids: IdArray) -> None:
        """Delete rows, of a user with the list of seen items."""
        kind = id_type(self._layout.side(side))
        with self._connection.transaction():
            gone = f"= ANY (%s::{kind}[])"
            self._connection.execute(f"DELETE FROM {self._schema}.{side} WHERE {ID} {gone}", [ids.tolist()])
            if side == "users":
                self._connection.execute(f"DELETE FROM {self._schema}.{SEEN} WHERE user_id {gone}", [ids.tolist()])

    def _append(self, side: Side, kinds: dict[str, str], rows: Rows) -> bool:
        """Copy rows to a table that had none; False where an id is there."""
        violation = require("psycopg", "pgvector", "a store of PostgreSQL").errors.UniqueViolation
        try:
            with self._connection.transaction():
                self._copy(f"{self._schema}.{side}", kinds, self._values(kinds, rows))
        except violation:
            self._holds_rows[side] = True
            return False
        return True

    def _upsert(self, side: Side, kinds: dict[str, str], rows: Rows) -> None:
        table, names = f"{self._schema}.{side}", [quote_name(name) for name in kinds]
        self._connection.execute(f"CREATE TEMPORARY TABLE rows (LIKE {table}) ON COMMIT DROP")
        self._copy("pg_temp.rows", kinds, self._values(kinds, rows))
        changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        self._connection.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(names)} FROM pg_temp.rows "
            f"ON CONFLICT ({ID}) DO UPDATE SET {changes}"
        )

    def _write_seen(self, rows: Rows) -> None:
        """Replace the lists of users."""
        table, users = f"{self._schema}.{SEEN}", self._layout.side("users")
        if self._holds_rows["users"]:
            kind = id_type(users)
            self._connection.execute(f"DELETE FROM {table} WHERE user_id = ANY (%s::{kind}[])", [rows.ids.tolist()])
        item = "int8" if users.columns[SEEN].startswith("BIGINT") else "text"
        pairs = (
            (user, item) for user, items in zip(rows.ids.tolist(), rows.columns[SEEN], strict=True) for item in items
        )
        self._copy(table, {"user_id": id_type(users), "item_id": item}, pairs)

    def _copy(self, table: str, kinds: dict[str, str], rows: Iterator[tuple[Any, ...]]) -> None:
        names = ", ".join(quote_name(name) for name in kinds)
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.set_types(list(kinds.values()))
            for row in rows:
                copy.write_row(row)

    def _values(self, kinds: dict[str, str], rows: Rows) -> Iterator[tuple[Any, ...]]:
        columns: list[Any] = [
            [None if value is None else self._jsonb(as_json(value)) for value in rows.columns[name]]
            if kind == "jsonb"
            else rows.columns[name]
            for name, kind in list(kinds.items())[3:]
        ]
        return zip(rows.ids.tolist(), rows.vectors, rows.fingerprints.tolist(), *columns, strict=True)

    def _columns(self, side: Side) -> dict[str, str]:
        """Return names and types of the columns, in the order of `_values`."""
        table = self._layout.side(side)
        return {ID: id_type(table), VECTOR: "vector", FINGERPRINT: "int8", **list_columns(table)}
