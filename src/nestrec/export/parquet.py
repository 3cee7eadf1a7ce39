"""Write NumPy columns as Parquet through duckdb, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from nestrec.errors import OutputError

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
