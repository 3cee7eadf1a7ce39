"""Write NumPy columns as Parquet through duckdb, in bounded memory."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from nestrec.errors import OutputError
from nestrec.tabular import Tabular

_MEMORY_MB = 256


def write_parquet(partial: Path, target: Path, query: Callable[[Any], Any]) -> int:
    """Write the relation that `query` makes of a connection to `partial`; return its number of rows.

    Raises OutputError, which names `target`, where it cannot be written.
    """
    import duckdb

    from nestrec.data.readers.duckdb_connection import connect

    try:
        with connect(threads=1, memory_mb=_MEMORY_MB) as database:
            table = query(database)
            n_rows = int(table.count("*").fetchall()[0][0])
            table.write_parquet(str(partial))
    except duckdb.Error as error:
        raise OutputError(f"{target} cannot be written ({error}); name another place") from error
    return n_rows


def register_columns(database: Any, columns: dict[str, npt.NDArray[Any]]) -> str:
    """Register columns with duckdb and return the query that reads them.

    Text is passed as Python strings, since duckdb does not support NumPy's StringDType, and cast: a block without rows
    would have no type otherwise.
    """
    is_text = {name: column.dtype.kind == "T" for name, column in columns.items()}
    plain = {name: column.astype(object) if is_text[name] else column for name, column in columns.items()}
    database.register("block", plain)
    return f"SELECT {', '.join(f'{name}::VARCHAR AS {name}' if is_text[name] else name for name in columns)} FROM block"


class ArrowColumns(Tabular):
    """NumPy columns as an Arrow stream, which duckdb reads without a copy; (n, width) float32 is a list a row."""

    def __init__(self, columns: dict[str, npt.NDArray[Any]]) -> None:
        self._columns = columns

    def as_columns(self) -> dict[str, npt.NDArray[Any]]:
        """Return the columns."""
        return self._columns


def open_database() -> Any:
    """Return a connection of bounded memory, which keeps the order of rows."""
    from nestrec.data.readers.duckdb_connection import connect

    return connect(threads=1, memory_mb=_MEMORY_MB)


def copy_to(database: Any, query: str, partial: Path, options: str) -> None:
    """Write the rows of a query to a file, with the options of COPY."""
    from nestrec.data.readers.duckdb_connection import quote_text

    database.execute(f"COPY ({query}) TO {quote_text(str(partial))} ({options})")


def format_arrow_schema(id_type: str, columns: dict[str, str], size: int) -> str:
    """Return the option of COPY that keeps Arrow's schema in a Parquet file, where vectors are fixed-size lists.

    Empty text where a column has a type that is not among the common ones: its readers get lists of any size.
    """
    import nanoarrow as na
    from nanoarrow.ipc import StreamWriter

    kinds = {"BIGINT": na.int64(), "VARCHAR": na.string(), "DOUBLE": na.float64(), "INTEGER": na.int32()}
    kinds |= {"BOOLEAN": na.bool_(), "DATE": na.date32()}
    kinds |= {f"{name}[]": na.list_(kind) for name, kind in kinds.items()}
    if not all(kind in kinds for kind in columns.values()):
        return ""
    others = {name: kinds[kind] for name, kind in columns.items()}
    schema = na.struct({"id": kinds[id_type], "vector": na.fixed_size_list(na.float32(), size), **others})
    buffer = io.BytesIO()
    with StreamWriter.from_writable(buffer) as writer:
        writer.write_stream(na.Array(na.c_array([], schema)))
    return f", KV_METADATA {{'ARROW:schema': '{base64.b64encode(buffer.getvalue()).decode()}'}}"
