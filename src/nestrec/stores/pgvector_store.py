"""PostgreSQL with the extension pgvector: tables, HNSW indexes of the prefixes, and functions that search."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import msgspec

from nestrec.data.ids import IdArray
from nestrec.data.readers.duckdb_connection import quote_name, shorten_message
from nestrec.errors import NestrecError, OptionError, OutputError, StoreError
from nestrec.export.exporters import Side
from nestrec.export.item_columns import FINGERPRINT, ID
from nestrec.extras import require
from nestrec.stores.metadata import StoreMetadata
from nestrec.stores.pgvector_rows import RowWriter
from nestrec.stores.pgvector_schema import (
    METADATA,
    IndexType,
    check_names,
    create_tables_sql,
    index_name,
    index_sql,
    indexed_widths,
)
from nestrec.stores.pgvector_sql import choose_ef, function_sql, search_sql
from nestrec.stores.requests import Query
from nestrec.stores.store import Answer, Rows, Store, StoredRows
from nestrec.stores.write_plan import stored_rows

_OLDEST = (0, 8)  # of pgvector: hnsw.iterative_scan
_READ_AT_ONCE = 20_000
_LOCK_SECONDS = 15  # a server notices after a moment that an export was killed
_PURPOSE = "a store of PostgreSQL"


@dataclass(frozen=True)
class PgvectorTarget:
    """Tables of a PostgreSQL database (postgresql://user@host/database) with pgvector 0.8 or newer."""

    name: ClassVar[str] = "pgvector"

    schema: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,62}\Z")] = "nestrec"
    """Schema of the tables, which holds nothing else."""
    index_type: IndexType = "vector"
    """Type of the indexed prefixes: vector (32-bit floats) or halfvec (16-bit floats, half the memory)."""
    m: Annotated[int, msgspec.Meta(ge=2, le=100)] = 16
    """Neighbours in the HNSW graph."""
    ef_construction: Annotated[int, msgspec.Meta(ge=4, le=1000)] = 64
    """Candidates while the graph is built, at least twice m."""
    ef_search: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    """Candidates while it is searched; None: twice the shortlist, from 200 to 1,000."""
    maintenance_work_mem: str | None = None
    """Memory for building an index, such as 1GB; None: the server's setting."""

    def open(self, place: str) -> PgvectorStore:
        """See `Target`."""
        require("pgvector.psycopg", "pgvector", _PURPOSE)
        try:
            require("psycopg", "pgvector", _PURPOSE).conninfo.conninfo_to_dict(place)
        except _psycopg().ProgrammingError:
            raise OptionError(
                f"the address of PostgreSQL must be such as postgresql://user@host/database, got {_hide(place)}"
            ) from None
        return PgvectorStore(_hide(place), place, self)


@dataclass
class PgvectorStore(Store):
    """A schema with the tables items, users, seen and export_metadata, and the functions search and recommend."""

    address: str = field(repr=False)
    """As it was given, with a password if it has one."""
    options: PgvectorTarget
    name: ClassVar[str] = "pgvector"
    batch_rows: ClassVar[int] = 10_000

    _connection: Any = field(init=False, repr=False, default=None)
    _extension_schema: str = field(init=False, repr=False, default="public")
    _settings: dict[str, str] = field(init=False, repr=False, default_factory=dict)
    _index_type: IndexType | None = field(init=False, repr=False, default=None)
    _writer: RowWriter | None = field(init=False, repr=False, default=None)

    def load_metadata(self) -> dict[str, Any] | None:
        """See `Store`; raises OutputError for a schema with tables of something else."""
        schema = self.options.schema
        with self._mapping_errors() as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
            if not tables:
                return None
            if (METADATA,) not in tables:
                raise OutputError(
                    f"schema {schema} of {self.place} must be empty or hold a store of nestrec export; name another "
                    "one with the option schema"
                )
            found = connection.execute(f"SELECT value FROM {self._table(METADATA)}").fetchone()
            return None if found is None else dict(found[0])

    def save_metadata(self, metadata: StoreMetadata) -> None:
        """See `Store`; the functions have the recommended stages, and are made with it."""
        with self._mapping_errors() as connection, connection.transaction():
            if metadata.writing is None and metadata.layout.items is not None:
                arguments = (metadata.layout, metadata.operating_points, self.options.index_type)
                for statement in function_sql(
                    self.options.schema, self._extension_schema, *arguments, self.options.ef_search
                ):
                    connection.execute(statement)
            self._store_metadata(metadata)

    def create(self, metadata: StoreMetadata) -> None:
        """See `Store`, in one transaction."""
        layout = metadata.layout
        if layout.quantize is not None:
            raise OptionError(
                f"quantize must be left out for pgvector, which indexes 32-bit or 16-bit floats (option "
                f"index_type=halfvec); got {layout.quantize}",
                option="quantize",
            )
        check_names(layout)
        with self._mapping_errors() as connection, connection.transaction():
            schema = self.options.schema
            if connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", [schema]).fetchone() is None:
                connection.execute(f"CREATE SCHEMA {quote_name(schema)}")
            for statement in create_tables_sql(schema, layout):
                connection.execute(statement)
            self._store_metadata(metadata)
        self._writer = None

    def read_rows(self, side: Side) -> Iterator[StoredRows]:
        """See `Store`."""
        kind = self.layout.side(side).id_type
        with self._mapping_errors() as connection, connection.transaction(), connection.cursor("rows") as cursor:
            cursor.execute(f"SELECT {ID}, {FINGERPRINT} FROM {self._table(side)}", binary=True)
            while rows := cursor.fetchmany(_READ_AT_ONCE):
                yield stored_rows([row[0] for row in rows], [row[1] for row in rows], kind)

    def write(self, side: Side, rows: Rows) -> None:
        """See `Store`."""
        with self._mapping_errors() as connection:
            self._rows(connection).write(side, rows)

    def delete(self, side: Side, ids: IdArray) -> None:
        """See `Store`."""
        with self._mapping_errors() as connection:
            self._rows(connection).delete(side, ids)

    def build_index(self) -> None:
        """Build or complete the graphs, and the statistics of the query planner."""
        options, layout = self.options, self.layout
        with self._mapping_errors() as connection:
            if options.maintenance_work_mem is not None:
                self._set({"maintenance_work_mem": options.maintenance_work_mem})
            if layout.items is not None:
                for statement in index_sql(
                    options.schema, layout, options.index_type, options.m, options.ef_construction
                ):
                    connection.execute(statement)
            for table in (*layout.sides, *(("seen",) if layout.users is not None else ())):
                connection.execute(f"ANALYZE {self._table(table)}")
        self._index_type = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other exports out of the schema; raise OutputError where one is running."""
        key = "SELECT pg_advisory_lock(hashtextextended(%s, 0))"
        name = [f"nestrec export {self.options.schema}"]
        with self._mapping_errors() as connection:
            self._set({"lock_timeout": f"{_LOCK_SECONDS}s"})
            try:
                connection.execute(key, name)
            except _psycopg().errors.LockNotAvailable:
                raise OutputError(f"another export is writing {self.place}; wait for its end") from None
            self._set({"lock_timeout": "0"})
        try:
            yield
        finally:
            if not connection.closed:
                connection.execute(key.replace("lock(", "unlock("), name)

    def find(self, query: Query) -> Answer:
        """See `Store`."""
        with self._mapping_errors() as connection:
            shortlist = query.stages[0].limit
            self._set(
                {
                    "hnsw.ef_search": str(choose_ef(shortlist, self.options.ef_search)),
                    "hnsw.iterative_scan": "strict_order",
                    "enable_indexscan": "off" if query.exact else "on",
                }
            )
            index_type = "vector" if query.exact else self._find_index_type(connection)
            values: dict[str, Any] = {f"user_{stage.width}": query.vector[: stage.width] for stage in query.stages}
            sql = search_sql(query.stages, self.options.schema, self.layout, index_type)
            found = connection.execute(sql, {**values, "excluded": query.excluded}).fetchall()
        return Answer([row[0] for row in found], [row[1] for row in found])

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection, self._writer, self._settings = None, None, {}

    def _store_metadata(self, metadata: StoreMetadata) -> None:
        value = _psycopg().types.json.Jsonb(metadata.as_dict())
        self._connection.execute(
            f"INSERT INTO {self._table(METADATA)} (value) VALUES (%s) ON CONFLICT (one) DO UPDATE SET value = "
            "excluded.value",
            [value],
        )

    def _find_index_type(self, connection: Any) -> IndexType:
        """Return the type of the index that is there."""
        if self._index_type is None:
            name = index_name(indexed_widths(self.layout)[0], "halfvec")
            sql = "SELECT FROM pg_indexes WHERE schemaname = %s AND indexname = %s"
            has_half = connection.execute(sql, [self.options.schema, name]).fetchone() is not None
            self._index_type = "halfvec" if has_half else "vector"
        return self._index_type

    def _rows(self, connection: Any) -> RowWriter:
        if self._writer is None:
            self._writer = RowWriter(connection, self.options.schema, self.layout)
        return self._writer

    def _table(self, name: str) -> str:
        return f"{quote_name(self.options.schema)}.{name}"

    def _set(self, settings: dict[str, str]) -> None:
        """Set parameters of the session that have another value."""
        for name, value in settings.items():
            if self._settings.get(name) != value:
                self._connection.execute("SELECT set_config(%s, %s, false)", [name, value])
                self._settings[name] = value

    @contextmanager
    def _mapping_errors(self) -> Iterator[Any]:
        """Give the connection, and map its errors."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            yield self._connection
        except NestrecError:
            raise
        except _psycopg().Error as error:
            raise StoreError(
                f"PostgreSQL at {self.place} failed ({shorten_message(error)}); check address, permissions and server"
            ) from error

    def _connect(self) -> Any:
        """Connect, make the extension where it is missing, and load its types."""
        connection = _psycopg().connect(self.address, autocommit=True, application_name="nestrec")
        find = (
            "SELECT extversion, nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE "
            "extname = 'vector'"
        )
        found = connection.execute(find).fetchone()
        if found is None:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            found = connection.execute(find).fetchone()
        version, self._extension_schema = found
        if tuple(map(int, version.split(".")[:2])) < _OLDEST:
            raise StoreError(
                f"pgvector must be {'.'.join(map(str, _OLDEST))} or newer, got {version} at {self.place}; install it, "
                "then ALTER EXTENSION vector UPDATE"
            )
        connection.execute("SELECT set_config('search_path', %s, false)", [quote_name(self._extension_schema)])
        connection.execute("SELECT '[0]'::vector")  # loads the library, with which its parameters become known
        require("pgvector.psycopg", "pgvector", _PURPOSE).register_vector(connection)
        return connection


def _psycopg() -> Any:
    psycopg = require("psycopg", "pgvector", _PURPOSE)
    require("psycopg.types.json", "pgvector", _PURPOSE)
    return psycopg


def _hide(address: str) -> str:
    """Return an address without its password.

    >>> _hide("postgresql://ann:secret@db/shop"), _hide("host=db password='a b' dbname=shop")
    ('postgresql://ann:***@db/shop', 'host=db password=*** dbname=shop')
    """
    hidden = re.sub(r"(://[^:/@]*):[^/]*@", r"\1:***@", address)
    return re.sub(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", r"\1***", hidden)
