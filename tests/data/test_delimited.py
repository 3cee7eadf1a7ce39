"""Delimited text as people have it: stray quotes, repeated headers, comments, long rows, words for nothing."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nestrec.data.read_options import ReadOptions
from nestrec.errors import DataError, NestrecError, OptionError
from tests.data.reports import read_with_report
from tests.data.test_reading import pairs_of


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Write a file and read it; every row is kept or counted."""

    def write_and_read(contents: str | bytes, name: str = "x.csv", **options: Any) -> Any:
        path = tmp_path / name
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        interactions, report = read_with_report(path, options=ReadOptions(**options))
        assert report.n_rows == report.n_kept + sum(report.rejected.values())
        return interactions, report

    return write_and_read


def _plays(n_lines: int) -> str:
    """One title begins with a quote and another, many lines later, ends with one."""
    lines = [f"{number % 50}\t{number % 31}\tTitle {number}\t5" for number in range(n_lines)]
    lines[10] = '10\t10\t"Heroes\t5'
    lines[n_lines - 10] = '1\t2\t12"\t5'
    return "user\titem\ttitle\tplays\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["x.tsv", "x.inter", "x.txt"])
def test_tab_separated_text_has_no_quoting(read: Callable[..., Any], name: str) -> None:
    """1,100 of 2,000 rows were read, nothing was left out, and 900 lines were inside one field."""
    _, report = read(_plays(2000), name)
    assert report.n_rows == 2000
    assert set(report.rejected) == {"the same user and item stood in another row"}
    assert read('user\titem\n"a\tb"\n', name)[1].n_kept == 1


def test_a_stray_quote_costs_one_line_where_there_is_quoting(read: Callable[..., Any]) -> None:
    for text, name, options in (
        (_plays(2000), "x.tsv", {"quote": '"'}),
        (_plays(2000).replace("\t", ","), "x.csv", {}),
        (_plays(2000).replace("\t", ";").replace("\n", "\r\n"), "x.csv", {}),
    ):
        _, report = read(text, name, **options)
        assert report.n_rows == 2000
        assert report.rejected["a stray quote begins a field"] == 1
        assert str(report.examples["a stray quote begins a field"][0]).startswith("line 12")
    with pytest.raises(DataError, match="line 12: a stray quote begins a field"):
        read(_plays(2000).replace("\t", ","), strict=True)


def test_tab_separated_text_whose_header_is_quoted_is_quoted(read: Callable[..., Any]) -> None:
    interactions, _ = read('"user"\t"item"\n"1"\t"a\tb"\n2\tc\n', "x.tsv")
    assert pairs_of(interactions) == {("1", "a\tb"), ("2", "c")}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("quoted", [False, True])
def test_repeated_headers_are_counted(read: Callable[..., Any], mark: str, quoted: bool) -> None:
    header = '"user_id","item_id",rating' if quoted else "user_id,item_id,rating"
    part = f"{mark}{header}\r\n1,2,5\r\n3,4,5\r\n"
    interactions, report = read(part + part.replace("1,2", "5,6"), rating_column="rating", min_rating=1)
    assert pairs_of(interactions) == {("1", "2"), ("3", "4"), ("5", "6")}
    assert report.rejected["the row repeats the header"] == 1
    assert interactions.users.ids.dtype.kind == "i"


def test_a_byte_order_mark_inside_is_not_part_of_an_id(read: Callable[..., Any]) -> None:
    assert pairs_of(read("user,item\n1,2\n\ufeff1,3\n")[0]) == {("1", "2"), ("1", "3")}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("# made by hand\n# twice\nuser,item\n1,2\n", {}),
        ("% made by hand\n\nuser item rating\n1 2 3\n", {}),
        ("# user item rating\n1 2 3\n", {}),
        ("#user,item\n1,2\n", {}),
        ("# 5 rows, tabs\n1\t2\t3\n", {"user_column": 1, "item_column": 2}),
        ("sep=;\nuser;item\n1;2\n", {}),
        ('\ufeff"sep=;"\r\nuser;item\r\n1;2\r\n', {}),
        ("user,item,rating\n1,2,3,\n", {}),
        ("user,item,\n1,2,\n", {}),
        ("user  item\trating\n  1 \t2 3  \n", {"delimiter": " "}),
        ("1 2 3\n", {"user_column": 1, "item_column": 2, "delimiter": " "}),
        ("1  2   3\n", {"user_column": 1, "item_column": 2, "rating_column": 3, "min_rating": 1}),
        ('"user id","item id"\n"1","2"\n', {}),
        ("user,item\r1,2\r", {}),
        ("\n\n user , item \n\n 1 , 2 \n\n", {}),
    ],
)
def test_tops_of_files(read: Callable[..., Any], text: str, options: dict[str, Any]) -> None:
    interactions, report = read(text, "x.csv", **options)
    assert pairs_of(interactions) == {("1", "2")}
    assert report.rejected == {}
    assert any("comment line" in note for note in report.notes) == (" by hand" in text or "5 rows" in text)


def test_a_name_that_begins_with_a_hash_is_not_a_comment(read: Callable[..., Any]) -> None:
    interactions, _ = read("#music,a\n#film,b\n", user_column=1, item_column=2)
    assert pairs_of(interactions) == {("#music", "a"), ("#film", "b")}


def test_a_quoted_header_may_hold_line_ends(read: Callable[..., Any]) -> None:
    interactions, _ = read('user,"the\nitem",rating\n1,2,x\n', item_column="the\nitem", rating_column="")
    assert pairs_of(interactions) == {("1", "2")}


def test_long_fields_and_headers_are_read(read: Callable[..., Any]) -> None:
    """Python's csv module, which split the header, refuses fields of more than 131,072 characters."""
    long = "x" * 400_000
    interactions, _ = read(f'user,item,"{long}"\n1,2,"{long}"\n{long},3,\n')
    assert pairs_of(interactions) == {("1", "2"), (long, "3")}
    assert read(f"user,item,{long},{long}\n1,2,3,4\n")[1].n_kept == 1


def test_rows_of_more_than_a_mebibyte_are_counted_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(b"user,item\n1,2\n3,")
        for _ in range(160):
            file.write(b"x" * (1 << 20))
        file.write(b'\n4,"' + b"y" * 1_100_000 + b'"\n5,6\n')
    tracemalloc.start()
    interactions, report = read_with_report(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pairs_of(interactions) == {("1", "2"), ("5", "6")}
    assert report.rejected == {"the row is longer than 1 MiB": 2}
    assert peak < 120 << 20  # offsets for the most rows that two blocks can have


def test_a_first_line_of_more_than_a_mebibyte_is_refused(read: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="line 1: the row is longer than"):
        read("x" * 2_000_000 + "\n1,2\n")


def test_words_for_nothing_are_ids_where_the_user_says_so(read: Callable[..., Any]) -> None:
    text = "user,item\nNA,null\n,1\nx,None\n?,1\n"
    assert pairs_of(read(text, na_values=())[0]) == {("NA", "null"), ("x", "None"), ("?", "1")}
    assert pairs_of(read(text, na_values=("?", "null"))[0]) == {("x", "None")}
    assert pairs_of(read(text)[0]) == {("?", "1")}
    with pytest.raises(OptionError, match="na_values must be a tuple of words"):
        ReadOptions(na_values="NA")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ['user,item\n"\n', '"', 'user,item\n1,"\n', "user,item\n\x00\n", ",\n,\n", "\ufeff"])
def test_scraps_are_refused_in_a_sentence(read: Callable[..., Any], text: str) -> None:
    with pytest.raises(NestrecError):
        read(text)


def test_what_is_shown_of_the_last_line_ends_with_the_file(tmp_path: Path) -> None:
    """Bytes of the buffer after the end of the file were shown: whatever lay in memory there."""
    path = tmp_path / "x.csv"
    path.write_text('user,item\n1,2\n3,"4')
    _, report = read_with_report(path)
    assert [example.value for shown in report.examples.values() for example in shown] == ['3,"4']
