"""Splitting cells: the kernel against str.split and ast.literal_eval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.id_index import TextIds
from nestrec.data.readers.sequences import split_sequences


def _split(cells: list[str], separator: str = " ") -> list[list[str]]:
    elements, owners = split_sequences(TextIds.from_strings(cells), separator)
    result: list[list[str]] = [[] for _ in cells]
    for row, owner in enumerate(owners.tolist()):
        result[owner].append(elements.at(row))
    return result


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.text(st.sampled_from("a1é \t,|"), max_size=12), max_size=6), st.sampled_from(" ,|"))
def test_cells_are_split_as_str_split_does(cells: list[str], separator: str) -> None:
    def plainly(cell: str) -> list[str]:
        parts = cell.split() if separator == " " else [part.strip() for part in cell.split(separator)]
        return [part for part in parts if part]

    assert _split(cells, separator) == [plainly(cell) for cell in cells]


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(-5, 500), st.text(st.sampled_from("abé0 "), min_size=1).filter(str.strip))))
def test_printed_lists_give_back_their_elements(values: list[int | str]) -> None:
    printed = str(values)
    expected = [str(value) for value in values]
    assert _split([printed, " " + printed]) == [expected, expected]


@pytest.mark.parametrize(
    ("cell", "elements"),
    [
        ("[1 2  3]", ["1", "2", "3"]),
        ("[]", []),
        ("[", ["["]),
        ("", []),
        ('["a","b"]', ["a", "b"]),
        ("[ ]", []),
        ("['a' 'b c']", ["a", "b c"]),
        ("['a, b', \"c'd\"]", ["a, b", "c'd"]),
        ("['a", ["['a"]),
        ("['a]", ["'a"]),
    ],
)
def test_brackets(cell: str, elements: list[str]) -> None:
    assert _split([cell]) == [elements]


def test_nothing_gives_nothing() -> None:
    elements, owners = split_sequences(TextIds.from_strings([]), " ")
    assert len(elements) == len(owners) == 0
    assert owners.dtype == np.int64
