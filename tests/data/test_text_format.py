"""Adjacency text is guessed only where the file cannot be a table; otherwise both ways are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nestrec.cli.error_messages import format_error
from nestrec.data.read_options import ReadOptions
from nestrec.errors import DataError
from tests.data.reports import read_with_report
from tests.data.test_reading import pairs_of

OPTIONS = {name: "--" + name.replace("_", "-") for name in ("format", "delimiter", "user_column", "item_column")}
TRIPLES = "1 2 4.0\n1 3 0.5\n2 2 3.5\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    def write_and_read(contents: str, name: str = "x.txt", **options: Any) -> Any:
        (tmp_path / name).write_text(contents)
        return read_with_report(tmp_path / name, options=ReadOptions(**options))

    return write_and_read


@pytest.mark.parametrize(
    "text",
    [
        TRIPLES,
        "1 2 4\n1 3 1\n2 2 3\n",
        "1 2 4 881\n1 3 1 882\n2 2 3 883\n",
        "1 2\n3 4\n",
        "1 2 3\n",
        "1 2 4\n1 3\n2 2 3\n",
        "1 2 4\n2 3 1\n3 2\n4 2 5\n5 2 5\n6 2 5\n",
        "7\tb\ta\r\n10\ta",
        "1\t2 3\n2\t4 5\n",
        "Toy Story\nHeat\nThe Big Lebowski\n",
        "1 Toy Story (1995)\n2 Heat (1995)\n",
        "7 b a\n10 a\n",
        "1 2 10 11\n2 1 12\n3 3 10 11 12\n",
        "2 10 11\n1 12\n3 10 11 12\n",
        "# user items\n1 2 3\n2 4\n",
        "% sym\n1 2 3\n2 4\n",
        "1 -2 3\n2 4\n",
        "1 5:1 7:1\n0 4:1\n",
    ],
)
def test_text_that_may_be_a_table_is_refused_and_both_ways_are_named(read: Callable[..., Any], text: str) -> None:
    """Ratings were read as items: 0.5 and 3.5 were recommended."""
    with pytest.raises(DataError) as caught:
        read(text)
    said = format_error(caught.value, OPTIONS)
    assert "--format adjacency" in said
    assert "--format csv --delimiter ' '" in said
    assert "--user-column 1 --item-column 2" in said


def test_both_ways_that_are_named_work(read: Callable[..., Any]) -> None:
    interactions, _ = read(TRIPLES, format="csv", delimiter=" ", user_column=1, item_column=2, rating_column=3)
    assert pairs_of(interactions) == {("1", "2"), ("1", "3"), ("2", "2")}
    assert pairs_of(read(TRIPLES, format="adjacency")[0]) >= {("1", "2"), ("1", "0.5")}


def test_a_position_or_a_minimum_rating_means_a_table(read: Callable[..., Any]) -> None:
    interactions, report = read(TRIPLES, user_column=1, item_column=2, rating_column=3, min_rating=3)
    assert pairs_of(interactions) == {("1", "2"), ("2", "2")}
    assert report.format == "csv"
    assert read(TRIPLES, user_column=1, item_column=2)[1].n_kept == 3
    with pytest.raises(DataError, match=r"no column of ratings among '1', '2', '4.0'"):
        read(TRIPLES, min_rating=3)


@pytest.mark.parametrize("text", ["0 1 2 3\n1 2\n", "1 10 11 10\n2\n3 10\n", "5 " + " ".join(map(str, range(30_000)))])
def test_indices_in_lines_of_unequal_length_are_adjacency(read: Callable[..., Any], text: str) -> None:
    assert read(text)[1].format == "adjacency"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git LFS pointer"),
        ("outs:\n- md5: a304afb96060aad90176268345e10355\n  path: train.txt\n", "DVC pointer"),
        ("/annex/objects/SHA256E-s12--ab.txt\n", "git-annex pointer"),
        ("%%MatrixMarket matrix coordinate real general\n3 3 2\n1 1 5\n2 3 4\n", "Matrix Market file"),
        ("<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n", "web page"),
        ("<html>\n<body>504</body></html>\n", "web page"),
        ('<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>\n', "failed download"),
    ],
)
@pytest.mark.parametrize("name", ["x.txt", "x.csv", "x.inter", "x"])
def test_a_substitute_for_the_data_is_named(read: Callable[..., Any], text: str, named: str, name: str) -> None:
    with pytest.raises(DataError, match=named):
        read(text, name)


def test_the_real_adjacency_files_are_still_guessed(shared_data: Path) -> None:
    for name in ("gowalla", "ml100k", "phone", "sport"):
        for part in ("train.txt", "test.txt"):
            assert read_with_report(shared_data / name / part)[1].format == "adjacency"


@pytest.mark.parametrize(
    ("contents", "options", "printed"),
    [
        (
            "alpha,beta\n1,2\n",
            {},
            ["name it with --user-column,", "--user-column 1, --item-column 2;", "another --delimiter"],
        ),
        ("user,item\n1,2\n", {"item_column": "user"}, ["--item-column and --user-column must be two columns"]),
        ("user:token\titem:token_seq\n1\t2 3\n", {}, ["with --sequence,", "name another --item-column"]),
    ],
)
def test_errors_about_columns_name_options_on_the_command_line(
    read: Callable[..., Any], contents: str, options: dict[str, Any], printed: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        read(contents, "x.inter" if "token" in contents else "x.csv", **options)
    message = format_error(caught.value, OPTIONS | {"sequence": "--sequence"})
    assert all(part in message for part in printed), message
