"""Metrics per user as a Parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from nestrec.arrays import BoolArray, Float32Array
from nestrec.atomic.output_file import atomic_file
from nestrec.data.ids import IdArray
from nestrec.errors import OutputError

Table = tuple[tuple[str, ...], Float32Array]  # labels; (n_users, n_labels)


def write_per_user(
    path: str | PathLike[str],
    user_ids: IdArray,
    tables: Mapping[int, Table],
    known: BoolArray | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write user_id, width, a column per label and, if given, known_user, atomically.

    Raises OutputError if the file exists and `overwrite` is False, or cannot be written.
    """
    try:
        with atomic_file(path, overwrite=overwrite) as partial:
            _write_parquet(partial, user_ids, tables, known)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise OutputError(f"{path} cannot be written ({reason}); name another path") from error


def _write_parquet(path: Path, user_ids: IdArray, tables: Mapping[int, Table], known: BoolArray | None) -> None:
    ids = user_ids.astype(object) if user_ids.dtype.kind == "T" else user_ids
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")  # it would be printed to stdout
        for width, (labels, values) in tables.items():
            columns: dict[str, Any] = {"user_id": ids, "width": np.full(len(ids), width, dtype=np.int32)}
            columns |= {label: np.ascontiguousarray(values[:, column]) for column, label in enumerate(labels)}
            if known is not None:
                columns["known_user"] = known
            connection.register(f"width_{width}", columns)
        rows = " UNION ALL ".join(f"SELECT * FROM width_{width}" for width in tables)
        quoted = str(path).replace("'", "''")
        connection.execute(f"COPY ({rows}) TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")
