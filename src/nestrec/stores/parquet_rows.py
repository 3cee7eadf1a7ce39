"""Rows of one side in a Parquet file that can be changed: what is written later lies in parts beside it.

A part holds rows in place of earlier ones of the same ids, or ids that are deleted. `compact` writes all of it as one
file and removes the parts; until then the latest part of an id counts. Vectors are fixed-size lists to readers of
Arrow's schema (pyarrow, polars) and lists to others.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from nestrec.arrays import Float32Array
from nestrec.atomic.output_file import atomic_file
from nestrec.data.ids import TEXT, IdArray
from nestrec.data.readers.duckdb_connection import connect, escape_path, quote_name, quote_text, shorten_message
from nestrec.errors import OutputError, StoreError
from nestrec.export.exporters import Side
from nestrec.export.item_columns import FINGERPRINT, ID, VECTOR
from nestrec.export.parquet import ArrowColumns, format_arrow_schema
from nestrec.stores.layout import Layout
from nestrec.stores.store import Rows, StoredRows
from nestrec.stores.write_plan import stored_rows

_PART, _DELETED = "part", "deleted"
_MEMORY_MB = 256
_READ_AT_ONCE = 100_000


class ParquetRows:
    """The rows of a side in a folder."""

    def __init__(self, folder: Path, side: Side, layout: Layout, database: RowsDatabase) -> None:
        self._database = database
        self.path = folder / f"{side}.parquet"
        self._parts = folder / f"{side}.parts"
        self._table, self._size = layout.side(side), layout.size

    def write(self, rows: Rows) -> None:
        """Write a part."""
        columns, plain = self._table.columns, {ID: rows.ids, VECTOR: rows.vectors, FINGERPRINT: rows.fingerprints}
        with self._database.cursor() as database:
            database.register("plain", ArrowColumns(plain))
            source = "plain"
            if columns:
                database.register("described", {name: _as_objects(rows.columns[name]) for name in columns})
                casts = (f"{quote_name(name)}::{kind} AS {quote_name(name)}" for name, kind in columns.items())
                source = f"plain POSITIONAL JOIN (SELECT {', '.join(casts)} FROM described)"
            self._write_part(database, _join((ID, VECTOR, FINGERPRINT, *columns)), source, is_deleted="false")

    def delete(self, ids: IdArray) -> None:
        """Write a part of deleted ids."""
        with self._database.cursor() as database:
            database.register("plain", ArrowColumns({ID: ids}))
            nulls = self._nulls(VECTOR, FINGERPRINT, *self._table.columns)
            self._write_part(database, f"{ID}, {nulls}", "plain", is_deleted="true")

    def read(self) -> Iterator[StoredRows]:
        """Yield the ids and fingerprints of the rows that count."""
        with self._database.cursor() as database:
            if not (self.path.exists() or self._list_parts()):
                return
            result = database.execute(self._latest(f"{ID}, {FINGERPRINT}"))
            while rows := result.fetchmany(_READ_AT_ONCE):
                ids, fingerprints = zip(*rows, strict=True)
                yield stored_rows(list(ids), list(fingerprints), self._table.id_type)

    def count(self) -> int:
        """Return the number of rows of the joined file."""
        with self._database.cursor() as database:
            return int(database.execute(f"SELECT count(*) FROM {self._whole}").fetchall()[0][0])

    def read_ids(self) -> IdArray:
        """Return the ids of the joined file, in the order of its rows."""
        with self._database.cursor() as database:
            found = database.execute(f"SELECT {ID} FROM {self._whole}").fetchall()
        return np.array([row[0] for row in found], dtype=TEXT if self._table.id_type == "VARCHAR" else np.int64)

    def read_vectors(self) -> Iterator[Float32Array]:
        """Yield the vectors of the joined file in blocks, in the order of its rows."""
        yield from self._stream_vectors(f"FROM {self._whole}")

    def sample_vectors(self, n_rows: int) -> Float32Array:
        """Return the vectors of so many rows: those of the smallest fingerprints, which are a random sample."""
        parts = list(self._stream_vectors(f"FROM {self._whole} ORDER BY {FINGERPRINT} LIMIT {n_rows}"))
        return np.concatenate([np.zeros((0, self._size), dtype=np.float32), *parts])

    def _stream_vectors(self, source: str) -> Iterator[Float32Array]:
        import nanoarrow as na

        with self._database.cursor() as database:
            stream = na.ArrayStream(database.sql(f"SELECT {VECTOR}::FLOAT[{self._size}] AS {VECTOR} {source}"))
            for chunk in stream.iter_chunks():
                numbers = np.frombuffer(chunk.child(0).child(0).buffers[1], dtype=np.float32)
                yield numbers[: len(chunk) * self._size].reshape(-1, self._size)

    @property
    def _whole(self) -> str:
        return f"read_parquet({quote_text(escape_path(str(self.path)))})"

    def compact(self) -> None:
        """Write all rows that count as one file; without parts there is nothing to do."""
        parts = self._list_parts()
        if not parts and self.path.exists():
            return
        names = (ID, VECTOR, FINGERPRINT, *self._table.columns)
        query = self._latest(_join(names)) if parts else f"SELECT {self._nulls(*names)} LIMIT 0"
        schema = format_arrow_schema(
            self._table.id_type, {FINGERPRINT: "BIGINT", **self._table.columns}, self._size
        )  # fmt: skip
        options = f"FORMAT parquet, COMPRESSION zstd{schema}"
        with atomic_file(self.path, overwrite=True) as partial, self._database.cursor() as database:
            database.execute(f"COPY ({query}) TO {quote_text(str(partial))} ({options})")
        shutil.rmtree(self._parts, ignore_errors=True)

    def _latest(self, columns: str) -> str:
        """Return the query of the rows that count."""
        parts = [quote_text(escape_path(str(part))) for part in self._list_parts()]
        if not parts:
            return f"SELECT {columns} FROM {self._whole}"
        pending = f"read_parquet([{', '.join(parts)}])"
        latest = f"SELECT {ID} AS last_id, max({_PART}) AS last_part FROM {pending} GROUP BY {ID}"
        newer = f"SELECT {columns} FROM {pending} JOIN latest ON {ID} = last_id AND {_PART} = last_part"
        newer += f" WHERE NOT {_DELETED}"
        if not self.path.exists():
            return f"WITH latest AS ({latest}) {newer}"
        older = f"SELECT {columns} FROM {self._whole} WHERE {ID} NOT IN (SELECT last_id FROM latest)"
        return f"WITH latest AS MATERIALIZED ({latest}) {older} UNION ALL {newer}"

    def _nulls(self, *names: str) -> str:
        """Return columns of their types without values."""
        kinds = {ID: self._table.id_type, VECTOR: "FLOAT[]", FINGERPRINT: "BIGINT", **self._table.columns}
        return ", ".join(f"NULL::{kinds[name]} AS {quote_name(name)}" for name in names)

    def _write_part(self, database: Any, columns: str, source: str, *, is_deleted: str) -> None:
        part = max((int(part.stem) for part in self._list_parts()), default=0) + 1
        query = f"SELECT {columns}, {part} AS {_PART}, {is_deleted} AS {_DELETED} FROM {source}"
        with atomic_file(self._parts / f"{part:08d}.parquet") as partial:
            database.execute(f"COPY ({query}) TO {quote_text(str(partial))} (FORMAT parquet)")

    def _list_parts(self) -> list[Path]:
        return sorted(self._parts.glob("[0-9]*.parquet"))


def _join(names: tuple[str, ...]) -> str:
    return ", ".join(map(quote_name, names))


def _as_objects(values: list[Any]) -> Any:
    """Return values of one column, lists among them, as an array of objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


class RowsDatabase:
    """A database of bounded memory that is opened when it is first used: opening one takes longer than a small part."""

    def __init__(self) -> None:
        self._opened: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """Give a connection of its own; map its errors."""
        try:
            if self._opened is None:
                self._opened = connect(threads=1, memory_mb=_MEMORY_MB)
                self._opened.execute("SET GLOBAL pandas_analyze_sample = 1000000")  # types by all rows of a batch
            with self._opened.cursor() as cursor:
                yield cursor
        except duckdb.IOException as error:
            raise OutputError(f"the store cannot be written ({shorten_message(error)}); make room") from error
        except duckdb.Error as error:
            raise StoreError(f"the rows of the store cannot be read or written ({shorten_message(error)})") from error

    def close(self) -> None:
        """Close it; it opens again when it is used."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
