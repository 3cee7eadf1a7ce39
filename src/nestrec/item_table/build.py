"""Build an item table: join a table of any source to the ids of a model and write it as Parquet.

Values are kept as they are, with four exceptions, all noted in the description but the first: NaN and empty text are
missing values; cells such as `Comedy|Drama` become lists, as do RecBole's sequences of tokens; a column `year` is
derived from titles such as `Toy Story (1995)` where the table has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import msgspec
import numpy as np

from nestrec.arguments import require
from nestrec.arrays import Int64Array
from nestrec.data.readers.columns import normalize_name
from nestrec.data.readers.duckdb_connection import connect, quote_name, quote_text, shorten_message
from nestrec.data.temporary import explain_temporary_failure
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError
from nestrec.item_table.choose_columns import Column, build_id_sql, choose_id_column, choose_title_column
from nestrec.item_table.description import Description
from nestrec.item_table.open_file import OpenFile
from nestrec.item_table.queries import ROW
from nestrec.item_table.sources import SOURCE, TextLayout, load_source

_LISTS_FROM = 0.05  # of the cells of a column hold the separator, so that it is taken for lists
_YEARS_FROM = 0.5  # of the titles end with a year
_YEAR = r"\((\d{4})(?:\s*[-–]\s*(?:\d{4})?)?\)\s*$"
_TOKENS = (":token_seq", ":float_seq")  # RecBole's types of cells that hold several values
_AS_TEXT = ('"NULL"', "UUID", "BIT", "JSON", "HUGEINT", "UHUGEINT", "BIGNUM", "TIME", "INTERVAL")


@dataclass(frozen=True)
class ItemTableOptions:
    """How an item table is read."""

    id_column: Column = None
    """Name or position from 1 of the column of item ids; by default found by its name and the model's ids."""
    title_column: Column = None
    """Name or position from 1 of the column of titles; by default found by its name."""
    list_separator: str = "|"
    """Separator of the elements of cells such as `Comedy|Drama`; empty text keeps all cells as text."""
    layout: TextLayout = field(default_factory=TextLayout)
    """How delimited text is read."""

    def __post_init__(self) -> None:
        """Validate."""
        require(isinstance(self.list_separator, str), "list_separator", "be text", self.list_separator)


@dataclass(frozen=True)
class _Stored:
    """A column as it is stored."""

    name: str
    sql: str


def build_item_table(
    source: object, items: Vocabulary, options: ItemTableOptions | None = None
) -> tuple[OpenFile, Description]:
    """Return a table with the row of each item in a source, and counts of what is left out.

    Of rows with the same id the first counts. Raises DataError for a source that cannot be read or has no id of the
    model.
    """
    options = options or ItemTableOptions()
    with connect() as connection:
        name = load_source(connection, source, options.layout)
        columns = _describe_source(connection)
        id_column = choose_id_column(connection, columns, options.id_column, items, name)
        title_column = choose_title_column(columns, options.title_column, id_column, name)
        places, counts = _match_rows(connection, id_column, columns[id_column], items)
        if not counts["n_described"]:
            raise DataError(
                f"{name}: no id of column {id_column} is one of the model's, such as {items.ids[:1].tolist()[0]!r}; "
                "name another id_column",
                mentions=("id_column",),
            )
        stored, notes = _choose_stored(connection, columns, id_column, title_column, options.list_separator)
        values = ", ".join(f"{one.sql} AS {quote_name(one.name)}" for one in stored)
        file, kinds = _write_rows(connection, f"SELECT {values}, rowid AS {ROW} FROM {SOURCE}", places)
    names = dict(zip(columns, (one.name for one in stored), strict=False))
    title = None if title_column is None else names[title_column]
    return file, Description(Path(name).name, names[id_column], title, kinds, **counts, notes=notes)


def rearrange(
    file: OpenFile, description: Description, old: Vocabulary, new: Vocabulary
) -> tuple[OpenFile, Description]:
    """Return an item table for other items; new ones have no values, and rows of lost ones count as unknown."""
    places = old.index_of(new.ids, unknown="mark").astype(np.int64)
    with connect() as connection:
        rows = f"SELECT * FROM read_parquet({quote_text(file.readable_path)}, {ROW} = true)"
        written, kinds = _write_rows(connection, rows, places)
        ids = (
            f"SELECT count({quote_name(description.id_column)}) FROM read_parquet({quote_text(written.readable_path)})"
        )
        described = int(connection.execute(ids).fetchall()[0][0])
    unknown = description.n_rows - described - description.n_repeated - description.n_without_id
    counts = {"n_described": described, "n_unknown": unknown}
    return written, msgspec.structs.replace(description, columns=kinds, **counts)


def _describe_source(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return names and types of the source's columns."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {SOURCE}").fetchall()}


def _match_rows(
    connection: duckdb.DuckDBPyConnection, column: str, kind: str, items: Vocabulary
) -> tuple[Int64Array, dict[str, int]]:
    """Return the row of the source for each item, -1 without one, and the counts of rows."""
    found = connection.execute(f"SELECT {build_id_sql(column, kind)} AS id FROM {SOURCE} ORDER BY rowid").fetchnumpy()
    texts = np.ma.filled(found["id"], "") if np.ma.isMaskedArray(found["id"]) else found["id"]
    texts = np.array([text.strip() if text else "" for text in texts.tolist()], dtype=object)
    present = np.flatnonzero(texts != "")
    rows = items.index_of(texts[present].tolist(), unknown="mark")
    known = np.flatnonzero(rows >= 0)
    places = np.full(len(items), -1, dtype=np.int64)
    places[rows[known][::-1]] = present[known][::-1]  # the first of several is written last
    described = int(np.count_nonzero(places >= 0))
    return places, {
        "n_rows": len(texts),
        "n_described": described,
        "n_unknown": len(present) - len(known),
        "n_repeated": len(known) - described,
        "n_without_id": len(texts) - len(present),
    }


def _choose_stored(
    connection: duckdb.DuckDBPyConnection,
    columns: dict[str, str],
    id_column: str,
    title_column: str | None,
    separator: str,
) -> tuple[list[_Stored], tuple[str, ...]]:
    """Return what is stored of each column, a year where it is derived, and notes on what was changed."""
    stored, notes, taken = [], [], {ROW}
    for column, kind in columns.items():
        name = _find_free_name(normalize_name(column) or column, taken)
        taken.add(name.lower())
        split = ""
        if kind == "VARCHAR" and column not in (id_column, title_column):
            split = " " if column.strip().endswith(_TOKENS) else _find_separator(connection, column, separator)
        if split:
            notes.append(f"cells of {name} are read as lists of what stands between {split!r}")
        stored.append(_Stored(name, _build_value_sql(quote_name(column), kind, split)))
    if title_column is not None and "year" not in taken and _has_years(connection, title_column):
        stored.append(_Stored("year", _build_year_sql(title_column)))
        notes.append("column year is derived from the ends of titles, such as (1995)")
    return stored, tuple(notes)


def _find_free_name(name: str, taken: set[str]) -> str:
    """Return the name, or one with a number where it is taken in any case."""
    numbers = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *numbers) if one.lower() not in taken)


def _find_separator(connection: duckdb.DuckDBPyConnection, column: str, separator: str) -> str:
    """Return the separator if enough cells of a column hold it, else nothing."""
    if not separator:
        return ""
    quoted = quote_name(column)
    n, n_lists = connection.execute(
        f"SELECT count({quoted}), count(*) FILTER (WHERE contains({quoted}, ?)) FROM {SOURCE}", [separator]
    ).fetchall()[0]
    return separator if n and n_lists >= _LISTS_FROM * n else ""


def _build_value_sql(column: str, kind: str, split: str) -> str:
    if split:
        parts = f"list_transform(string_split({column}, {quote_text(split)}), lambda x: trim(x))"
        return f"list_filter({parts}, lambda x: x <> '')"
    if kind in ("FLOAT", "DOUBLE"):
        return f"CASE WHEN NOT isnan({column}) THEN {column} END"
    if kind == "VARCHAR":
        return f"nullif({column}, '')"
    if kind.startswith("ENUM") or kind in _AS_TEXT:
        return f"CAST({column} AS VARCHAR)"
    return column


def _has_years(connection: duckdb.DuckDBPyConnection, title_column: str) -> bool:
    title = quote_name(title_column)
    counts = f"count({title}), count({_build_year_sql(title_column)})"
    n, n_years = connection.execute(f"SELECT {counts} FROM {SOURCE}").fetchall()[0]
    return bool(n) and n_years >= _YEARS_FROM * n


def _build_year_sql(title_column: str) -> str:
    title = f"CAST({quote_name(title_column)} AS VARCHAR)"
    return f"TRY_CAST(regexp_extract({title}, {quote_text(_YEAR)}, 1) AS INTEGER)"


def _write_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: str,  # SQL: columns, and the numbers of rows as `ROW`
    places: Int64Array,  # (n_items,) row of the table, -1 without one
) -> tuple[OpenFile, dict[str, str]]:
    """Write a row for each item as Parquet; return the file, and the names and types of its columns."""
    connection.register("places", {"place": places, "item": np.arange(len(places))})
    joined = f"places LEFT JOIN ({rows}) AS stored ON stored.{ROW} = places.place"
    query = f"SELECT stored.* EXCLUDE ({ROW}) FROM {joined} ORDER BY places.item"
    try:
        with TemporaryDirectory(prefix="nestrec-") as folder:
            path = Path(folder) / "items.parquet"
            connection.execute(f"COPY ({query}) TO {quote_text(str(path))} (FORMAT parquet, COMPRESSION zstd)")
            described = connection.execute(f"DESCRIBE FROM read_parquet({quote_text(str(path))})").fetchall()
            with path.open("rb") as file:
                return OpenFile(file.fileno(), path), {row[0]: row[1] for row in described}
    except OSError as error:
        raise explain_temporary_failure("an item table is written to a temporary file", error) from error
    except duckdb.Error as error:
        raise DataError(f"the item table cannot be stored ({shorten_message(error)}); leave out the column") from error
