"""Item tables of every source, joined to the ids of a model."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather

from nestrec import NestedEmbeddings
from nestrec.errors import DataError, OptionError
from nestrec.item_table.item_table import ItemTable

COLUMNS: dict[str, list[Any]] = {
    "movie_id": [3, 1, 7],
    "title": ["Rye (1999)", 'Jam, "best" (2001)', "Tea"],
    "price": [2.5, None, 1.0],
}


def model_of(items: list[Any]) -> NestedEmbeddings:
    return NestedEmbeddings.from_arrays([[1.0]], [[1.0]] * len(items), [1], items=items)


def table_of(source: Any, items: list[Any] | None = None, **options: Any) -> ItemTable:
    table = model_of(items or [1, 2, 3]).with_item_table(source, **options).item_table
    assert table is not None
    return table


def rows_of(table: ItemTable) -> list[dict[str, Any]]:
    return pl.DataFrame(table).to_dicts()


def write_csv(path: Path) -> Path:
    pl.DataFrame(COLUMNS).write_csv(path.with_suffix(".csv"))
    return path.with_suffix(".csv")


def write_sqlite(path: Path) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE movies (movie_id, title, price)")
        connection.executemany("INSERT INTO movies VALUES (?, ?, ?)", list(zip(*COLUMNS.values(), strict=True)))
    connection.close()
    return path


def write_duckdb(path: Path) -> str:
    frame = pl.DataFrame(COLUMNS)
    with duckdb.connect(str(path)) as connection:
        connection.register("frame", frame)
        connection.execute("CREATE TABLE other (a INTEGER)")
        connection.execute("CREATE TABLE movies AS FROM frame")
    return f"{path}::movies"


def write_text(suffix: str, content: str | bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        target = path.with_suffix(suffix)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    return write


def write_parquet(path: Path) -> Path:
    pl.DataFrame(COLUMNS).write_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def write_arrow(path: Path) -> Path:
    feather.write_feather(pa.table(COLUMNS), path.with_suffix(".arrow"), compression="uncompressed")
    return path.with_suffix(".arrow")


LINES = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
CSV = pl.DataFrame(COLUMNS).write_csv()
FILES: dict[str, Callable[[Path], Path | str]] = {
    "csv": write_csv,
    "tsv": write_text(".tsv", pl.DataFrame(COLUMNS).write_csv(separator="\t")),
    "other name": write_text(".items", CSV.replace(",", ";").replace('"Jam; ', '"Jam, ')),
    "gzip": write_text(".csv.gz", gzip.compress(CSV.encode())),
    "byte order mark": write_text(".csv", b"\xef\xbb\xbf" + CSV.encode()),
    "utf-16": write_text(".csv", CSV.encode("utf-16")),
    "json lines": write_text(".jsonl", "\n".join(map(json.dumps, LINES))),
    "json array": write_text(".json", json.dumps(LINES)),
    "parquet": write_parquet,
    "arrow": write_arrow,
    "sqlite": write_sqlite,
    "duckdb": write_duckdb,
}
ROWS = "(3, 'Rye (1999)', 2.5), (1, 'Jam, \"best\" (2001)', NULL), (7, 'Tea', 1)"
OBJECTS: dict[str, Callable[[], Any]] = {
    "dictionary": lambda: COLUMNS,
    "pandas": lambda: pd.DataFrame(COLUMNS),
    "pandas of several types": lambda: pd.DataFrame({**COLUMNS, "odd": [1, "a", None]}),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "arrow": lambda: pa.table(COLUMNS),
    "duckdb": lambda: duckdb.connect().sql(f"FROM (VALUES {ROWS}) AS t(movie_id, title, price)"),
}  # fmt: skip


def check(table: ItemTable) -> None:
    assert (table.description.id_column, table.title_column) == ("movie_id", "title")
    assert table.titles([1, 2, 3]).tolist() == ['Jam, "best" (2001)', "", "Rye (1999)"]
    assert [row["price"] for row in rows_of(table)] == [None, None, 2.5]
    assert [row["year"] for row in rows_of(table)] == [2001, None, 1999]
    found = table.description
    assert (found.n_rows, found.n_described, found.n_unknown, found.n_repeated) == (3, 2, 1, 0)
    assert table.select("price > 2 and year < 2000").tolist() == [3]


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_every_format(tmp_path: Path, kind: str) -> None:
    check(table_of(FILES[kind](tmp_path / "movies")))


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_table_of_every_library(kind: str) -> None:
    check(table_of(OBJECTS[kind]()))


def test_a_file_without_header_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "movies.dat"
    path.write_bytes("1::Amélie (2001)::Comedy|Romance\n3::Æon::Action\n".encode("latin-1"))
    options: dict[str, Any] = {"delimiter": "::", "header": False, "id_column": 1, "title_column": 2}
    table = table_of(path, encoding="latin-1", **options)
    assert table.titles([1, 3]).tolist() == ["Amélie (2001)", "Æon"]
    assert table.select(f"{list(table.columns)[2]} contains 'romance'").tolist() == [1]
    with pytest.raises(DataError, match="encoding"):
        table_of(path, **options)


def test_names_and_sequences_of_recbole(tmp_path: Path) -> None:
    path = tmp_path / "ml.item"
    text = (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n1\tToy Story\t1995\tComedy Drama\n"
    )
    path.write_text(text)
    table = table_of(path)
    assert list(table.columns) == ["item_id", "movie_title", "release_year", "class"]
    assert rows_of(table)[0] == {
        "item_id": 1, "movie_title": "Toy Story", "release_year": 1995, "class": ["Comedy", "Drama"]
    }  # fmt: skip


def test_cells_with_bars_are_lists_unless_another_separator_is_given() -> None:
    source = {"id": [1, 2, 3], "title": ["a|b", "c", "d"], "genres": ["x| y|", "z", None]}
    assert [row["genres"] for row in rows_of(table_of(source))] == [["x", "y"], ["z"], None]
    assert [row["genres"] for row in rows_of(table_of(source, list_separator=""))] == ["x| y|", "z", None]
    assert table_of(source).titles([1]).tolist() == ["a|b"]


@pytest.mark.parametrize(
    ("ids", "items", "found"),
    [
        ([1, 2, 3], ["1", "2", "x"], ["1", "2"]),
        (["1", "2", "x"], [1, 2, 3], [1, 2]),
        ([1.0, 2.0, None], [1, 2, 3], [1, 2]),
        ([1.0, 2.0, None], ["1", "2", "x"], ["1", "2"]),
        (["007", "7", "x"], ["007", "x"], ["007", "x"]),
        ([2**63, 2**64 - 1], [str(2**63), "a"], [str(2**63)]),
        ([" a ", "b"], ["a", "b"], ["a", "b"]),
    ],
)
def test_ids_match_as_numbers_or_text(ids: list[Any], items: list[Any], found: list[Any]) -> None:
    table = table_of({"id": ids, "title": [f"t{one}" for one in ids]}, items)
    assert table.select("title is not null").tolist() == found


def test_leading_zeros_of_ids_in_a_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,title\n007,Bond\n7,Seven\n")
    assert table_of(path, ["007", "7", "x"]).titles(["007", "7"]).tolist() == ["Bond", "Seven"]


def test_the_first_row_of_an_id_counts_and_others_are_counted() -> None:
    source = {"id": [2, 1, 2, 9, None, 2], "title": list("abcdef")}
    table = table_of(source)
    assert table.titles([1, 2, 3]).tolist() == ["b", "a", ""]
    found = table.description
    assert (found.n_described, found.n_repeated, found.n_unknown, found.n_without_id) == (2, 2, 1, 1)
    assert found.n_rows == found.n_described + found.n_repeated + found.n_unknown + found.n_without_id
    said = "\n".join(found.lines(3))
    assert "6 rows, 2 of 3 items of the model described" in said
    assert "2 rows of an id that an earlier row has" in said


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        (["item_id", "other"], "item_id"),
        (["other", "movieId"], "movieId"),
        (["rank", "key_of_shop"], "key_of_shop"),
        (["movie", "code"], "code"),
    ],
)
def test_the_id_column_is_found_by_its_name_or_by_the_ids_of_the_model(columns: list[str], chosen: str) -> None:
    values = {name: ([100, 101] if name == chosen else ["x", "y"]) for name in columns}
    assert table_of(values, [100, 101]).description.id_column == chosen


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        (["name", "title"], "title"),
        (["a", "Product Name"], "Product Name"),
        (["a", "song_title_en", "display_title"], "display_title"),
        (["a"], None),
    ],
)
def test_the_title_column_is_found_by_its_name(columns: list[str], chosen: str | None) -> None:
    assert table_of({"id": [1, 2], **{name: ["x", "y"] for name in columns}}).title_column == chosen


def test_columns_are_named_as_they_are_written_whatever_they_hold() -> None:
    source = {"id": [1, 2], "release year": [1, 2], 'a "b"': [3, 4], "file_row_number": [5, 6], "item": [7, 8]}
    source |= {"rowid": [9, 9], "place": [2, 2]}
    table = table_of(source)
    assert table.select(
        '"release year" = 1 and "a ""b""" = 3 and item = 7 and file_row_number_2 = 5 and rowid_2 = 9'
    ).tolist() == [1]
    assert table.select("`release year` = 2").tolist() == [2]


def test_a_column_of_years_is_not_replaced() -> None:
    table = table_of({"id": [1, 2], "title": ["a (1995)", "b (1996)"], "Year": [1, 2]})
    assert list(table.columns) == ["id", "title", "Year"]


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ({"id": [9], "title": ["a"]}, {}, "no column with ids of the model, such as 1, among id, title"),
        ({"id": [9], "title": ["a"]}, {"id_column": "id"}, "no id of column id is one of the model's"),
        (
            {"id": [1], "title": ["a"]},
            {"id_column": "idd"},
            r"got 'idd'; did you mean 'id'\? columns: id, title",
        ),
        ({"id": [1], "title": ["a"]}, {"title_column": "titel"}, "title_column must be a column .* 'title'"),
        ({"id": [1], "title": ["a"]}, {"title_column": 3}, "title_column must be"),
        ({"id": [1], "title": ["a", "b"]}, {}, "equal length"),
        ({"id": 1}, {}, "lists of values, got int"),
        ([1, 2], {}, "cannot be read from builtins list"),
        ("nothere.csv", {}, "does not exist"),
    ],
)
def test_mistakes(source: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        table_of(source, **options)


def test_options_of_text_are_refused_for_other_sources(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="delimiter does not apply to a table in Python"):
        table_of(COLUMNS, delimiter=";")
    with pytest.raises(OptionError, match=r"header does not apply to .*read as parquet"):
        table_of(write_parquet(tmp_path / "a"), header=True)


@pytest.mark.parametrize("content", ["", "   \n"])
def test_an_empty_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match="is empty"):
        table_of(tmp_path / "a.csv")
