"""Sequences in a cell: one interaction per element, only where it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nestrec.data.read_options import ReadOptions
from nestrec.errors import DataError, OptionError
from tests.data.reports import read_with_report
from tests.data.test_reading import pairs_of


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    def write_and_read(contents: str, name: str = "x.csv", **options: Any) -> Any:
        (tmp_path / name).write_text(contents)
        return read_with_report(tmp_path / name, options=ReadOptions(**options))

    return write_and_read


INTER = "user_id:token\titem_id_list:token_seq\trating:float\ttime:float\n1\ta b c\t4\t7\n2\tb\t2\t8\n3\t\t5\t9\n"


def test_each_element_is_an_interaction_of_its_row(read: Callable[..., Any]) -> None:
    interactions, report = read(
        INTER, "x.inter", item_column="item_id_list", sequence=True, min_rating=3, keep_timestamps=True
    )
    assert pairs_of(interactions) == {("1", "a"), ("1", "b"), ("1", "c")}
    assert interactions.timestamps.tolist() == [7.0, 7.0, 7.0]
    assert report.rejected == {"the item id is missing": 1, "the rating is below the minimum": 1}
    assert report.n_rows == report.n_kept + sum(report.rejected.values()) == 5


@pytest.mark.parametrize("column", ["item_id_list", 2])
def test_a_token_seq_column_is_refused_without_the_option(read: Callable[..., Any], column: str | int) -> None:
    with pytest.raises(DataError, match=r"holds sequences by its type.* sequence=True"):
        read(INTER, "x.inter", item_column=column)
    with pytest.raises(DataError, match="name another user_column"):
        read(INTER, "x.inter", user_column="item_id_list", item_column="rating", sequence=True)


def test_histories_of_mind(read: Callable[..., Any]) -> None:
    text = "1\tU1\t11/11/2019 9:05:58 AM\tN1 N2\tN9-0\n2\tU1\t11/11/2019 9:05:58 AM\tN1 N3\tN9-0\n3\tU2\tx\t\tN9-1\n"
    interactions, report = read(text, "b.tsv", user_column=2, item_column=4, sequence=True)
    assert pairs_of(interactions) == {("U1", "N1"), ("U1", "N2"), ("U1", "N3")}
    assert report.n_rows == report.n_kept + sum(report.rejected.values()) == 5


def test_other_separators_and_lists_in_brackets(read: Callable[..., Any]) -> None:
    options: dict[str, Any] = {"sequence": True}
    interactions, _ = read("user,item\n1,a|b c |\n2,||\n", sequence_separator="|", **options)
    assert pairs_of(interactions) == {("1", "a"), ("1", "b c")}
    interactions, report = read("user,item\n1,\"['a', 'b c']\"\n2,[5 6]\n3,[]\n", **options)
    assert pairs_of(interactions) == {("1", "a"), ("1", "b c"), ("2", "5"), ("2", "6")}
    assert report.rejected == {"the item id is missing": 1}


def test_options_that_do_not_fit_are_refused(read: Callable[..., Any]) -> None:
    with pytest.raises(OptionError, match=re.escape("sequence_separator needs sequence=True")):
        ReadOptions(sequence_separator="|")
    with pytest.raises(OptionError, match="one ASCII character"):
        ReadOptions(sequence=True, sequence_separator="")
    with pytest.raises(OptionError, match="sequence does not apply to interactions read as adjacency, got True"):
        read("1 2 3\n", format="adjacency", sequence=True)
