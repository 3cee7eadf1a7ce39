"""Tables of sqlite-vec, which has no inner product: vectors lifted by one coordinate, so that distances order by it.

For the greatest norm M of the items, let x' = (x, sqrt(M² - |x|²)) and q' = (q, 0). Then
|x' - q'|² = M² + |q|² - 2 q·x, so that the nearest neighbours are the items of greatest inner product (Bachrach et al.,
Speeding Up the Xbox Recommender System Using a Euclidean Transformation for Inner-Product Spaces, RecSys 2014). Each
width has its own table and M. A greater norm than M lifts all vectors of a width anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.export.item_columns import VECTOR

ROW = "nestrec_row"
_AT_ONCE = 10_000  # rows


def create_index_sql(widths: tuple[int, ...]) -> list[str]:
    """Return the statements that make the tables of the widths, of norms, and of rows that are not lifted yet."""
    return [
        "CREATE TABLE norms (width INTEGER PRIMARY KEY, greatest REAL NOT NULL, lifted REAL NOT NULL)",
        f"CREATE TABLE not_lifted ({ROW} INTEGER PRIMARY KEY)",
        *(f"INSERT INTO norms VALUES ({width}, 0, 0)" for width in widths),
        *(
            f"CREATE VIRTUAL TABLE {table_name(width)} USING vec0("
            f"{ROW} INTEGER PRIMARY KEY, lifted float[{width + 1}] distance_metric=L2)"
            for width in widths
        ),
    ]


def table_name(width: int) -> str:
    """Return the name of a width's table.

    >>> table_name(16)
    'items_16'
    """
    return f"items_{width}"


def lift(vectors: Float32Array, norm: float) -> Float32Array:  # (n, width) -> (n, width + 1)
    """Return vectors with the coordinate that gives all of them one norm.

    >>> lift(np.array([[3.0, 4.0], [0.0, 3.0]], dtype=np.float32), 5.0).tolist()
    [[3.0, 4.0, 0.0], [0.0, 3.0, 4.0]]
    """
    squares = np.sum(vectors.astype(np.float64) ** 2, axis=1)
    last = np.sqrt(np.maximum(norm**2 - squares, 0.0)).astype(np.float32)
    return np.hstack([vectors, last[:, None]])


def lift_query(vector: Float32Array, norm: float) -> bytes:
    """Return a query as its table takes it, scaled to the norm of the items against rounding; the order stays."""
    length = float(np.linalg.norm(vector.astype(np.float64)))
    scaled = vector if length == 0 else vector * np.float32(norm / length)
    return np.append(scaled, np.float32(0)).astype("<f4").tobytes()


def note_norms(connection: Any, vectors: Float32Array, widths: tuple[int, ...]) -> None:
    """Remember the greatest norm of each width."""
    squares = np.cumsum(vectors.astype(np.float64) ** 2, axis=1)
    for width in widths:
        greatest = float(np.sqrt(squares[:, width - 1].max(initial=0.0)))
        connection.execute("UPDATE norms SET greatest = max(greatest, ?) WHERE width = ?", (greatest, width))


def lift_rows(connection: Any, widths: tuple[int, ...], size: int) -> None:
    """Bring the tables up to date: rows that were written, or all of them where the norm has grown."""
    norms = {width: (greatest, lifted) for width, greatest, lifted in connection.execute("SELECT * FROM norms")}
    for width in widths:
        greatest, lifted = norms[width]
        whole = greatest > lifted
        if whole:
            connection.execute(f"DELETE FROM {table_name(width)}")
            connection.execute("UPDATE norms SET lifted = ? WHERE width = ?", (greatest, width))
        for rows, vectors in _read_vectors(connection, size, whole=whole):
            _replace(connection, width, rows, lift(vectors[:, :width], max(greatest, lifted)))
    connection.execute("DELETE FROM not_lifted")


def _read_vectors(connection: Any, size: int, *, whole: bool) -> Iterator[tuple[list[int], Float32Array]]:
    """Yield rows and vectors of all items, or of those that are not lifted yet."""
    source, last = "items" if whole else "items JOIN not_lifted USING (nestrec_row)", -(2**63)
    sql = f"SELECT {ROW}, {VECTOR} FROM {source} WHERE {ROW} > ? ORDER BY {ROW} LIMIT {_AT_ONCE}"
    while found := list(connection.execute(sql, (last,))):
        last = found[-1][0]
        vectors = np.frombuffer(b"".join(vector for _, vector in found), dtype="<f4").reshape(-1, size)
        yield [row for row, _ in found], vectors


def _replace(connection: Any, width: int, rows: list[int], lifted: Float32Array) -> None:
    table = table_name(width)
    connection.executemany(f"DELETE FROM {table} WHERE {ROW} = ?", [(row,) for row in rows])
    pairs = [(row, vector.tobytes()) for row, vector in zip(rows, lifted.astype("<f4"), strict=True)]
    connection.executemany(f"INSERT INTO {table} ({ROW}, lifted) VALUES (?, ?)", pairs)
