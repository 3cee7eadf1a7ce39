"""Ids of every type find their rows, and only theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, OptionError, UnknownIdError

_IDS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-50, 50).map(str),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30),
)


def test_numbers_ascend_by_value_and_repeats_count_once() -> None:
    vocabulary = Vocabulary.from_ids([30, 7, 100, 7, -2])
    assert vocabulary.ids.dtype == np.int64
    assert vocabulary.ids.tolist() == [-2, 7, 30, 100]
    assert len(vocabulary) == 4


def test_text_ascends_by_its_bytes() -> None:
    assert Vocabulary.from_ids(["b", "é", "10", "9", "\U0001f600", "\ufffd", "b"]).ids.tolist() == [
        "10",
        "9",
        "b",
        "é",
        "\ufffd",
        "\U0001f600",
    ]


def test_text_in_several_ascending_runs_is_sorted() -> None:
    """NumPy 2.4 ended the process with its default sort; half of the runs of such a test did."""
    ascending = [f"u{number:05}" for number in range(200)]
    for _ in range(20):
        assert Vocabulary.from_ids(ascending * 2).ids.tolist() == ascending


def test_text_that_is_all_canonical_numbers_becomes_numbers() -> None:
    assert Vocabulary.from_ids(["10", "9", "-3"]).ids.tolist() == [-3, 9, 10]


@pytest.mark.parametrize("other", ["007", "+7", "-0", "1_0", "7.0", "", "9223372036854775808", "٣"])
def test_one_id_that_is_not_a_canonical_number_keeps_all_as_text(other: str) -> None:
    vocabulary = Vocabulary.from_ids(["7", other])
    assert vocabulary.ids.tolist() == sorted(["7", other])


def test_42_is_found_by_number_and_by_text_and_042_is_another_id() -> None:
    numbers, texts = Vocabulary.from_ids([42, 5]), Vocabulary.from_ids(["42", "042", "x"])
    assert numbers.index_of(["42", "042", "x", "5"], unknown="mark").tolist() == [1, -1, -1, 0]
    assert texts.index_of([42, 5], unknown="mark").tolist() == [1, -1]
    assert texts.index_of(["042"]).tolist() == [0]


def test_neighbours_beyond_2_to_the_53_stay_apart() -> None:
    vocabulary = Vocabulary.from_ids([2**53, 2**53 + 1])
    assert vocabulary.index_of(2**53 + 1) == 1
    assert len(vocabulary) == 2


def test_numbers_beyond_64_bits_are_text_digit_for_digit() -> None:
    unsigned = Vocabulary.from_ids(np.array([2**64 - 1, 3], dtype=np.uint64))
    assert unsigned.ids.tolist() == ["18446744073709551615", "3"]
    assert unsigned.index_of([2**64 - 1, 2**70], unknown="mark").tolist() == [0, -1]


def test_whole_floats_are_numbers() -> None:
    assert Vocabulary.from_ids(np.array([2.0, 1.0])).ids.tolist() == [1, 2]


@pytest.mark.parametrize("value", [1.5, 2.0**53, np.nan, np.inf])
def test_a_float_that_is_not_an_exact_whole_number_is_refused(value: float) -> None:
    with pytest.raises(DataError, match=rf"must be whole numbers or text, got the float {value}.*2\^53"):
        Vocabulary.from_ids(np.array([1.0, value]))


@pytest.mark.parametrize(("ids", "named"), [([None, "a"], "NoneType"), ([True], "bool"), ([1.5, "a"], "float")])
def test_values_that_are_not_ids_are_named(ids: list[Any], named: str) -> None:
    with pytest.raises(DataError, match=f"{named}.*an id is a whole number or text"):
        Vocabulary.from_ids(ids)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(DataError, match="bytes must be UTF-8"):
        Vocabulary.from_ids([b"a\xff"])


def test_lookup_keeps_the_shape() -> None:
    vocabulary = Vocabulary.from_ids([1, 2, 3])
    assert vocabulary.index_of(np.array([[1, 9], [3, 2]]), unknown="mark").tolist() == [[0, -1], [2, 1]]
    assert vocabulary.index_of(2).shape == ()
    assert vocabulary.index_of([1]).dtype == np.int32
    assert vocabulary.ids_at([[2], [0]]).tolist() == [[3], [1]]


def test_an_empty_vocabulary_knows_nothing() -> None:
    assert Vocabulary.from_ids([]).index_of([1, 2], unknown="mark").tolist() == [-1, -1]


@settings(deadline=None)
@given(st.lists(_IDS, max_size=40), st.lists(_IDS, max_size=10))
def test_every_id_finds_its_row_and_no_other_does(ids: list[int | str], strangers: list[int | str]) -> None:
    vocabulary = Vocabulary.from_ids(ids)
    rows = {str(known): row for row, known in enumerate(vocabulary.ids.tolist())}
    assert set(rows) == {str(known) for known in ids}
    wanted = [*ids, *strangers]
    assert vocabulary.index_of(wanted, unknown="mark").tolist() == [rows.get(str(known), -1) for known in wanted]


def test_unsorted_or_repeated_ids_are_refused() -> None:
    for ids in ([2, 1], [1, 1]):
        with pytest.raises(DataError, match=r"ascend without repeats; use Vocabulary\.from_ids"):
            Vocabulary(np.array(ids))


def test_ids_of_other_types_are_refused_by_the_constructor() -> None:
    with pytest.raises(DataError, match="one row of int64 or text ids, not 1 dimensions of float64"):
        Vocabulary(np.array([1.0]))


def test_equal_where_ids_and_type_are() -> None:
    assert Vocabulary.from_ids([1, 2]) == Vocabulary.from_ids(["2", "1"])
    assert Vocabulary.from_ids([1, 2]) != Vocabulary.from_ids([1, 3])
    assert Vocabulary.from_ids(["a"]) != ["a"]


def test_fingerprints_differ_where_concatenated_ids_would_not() -> None:
    prints = {Vocabulary.from_ids(ids).fingerprint() for ids in (["ab", "c"], ["a", "bc"], ["abc"], [1], [2], [])}
    assert len(prints) == 6


def test_shown_by_size_and_ends() -> None:
    assert repr(Vocabulary.from_ids(["a", "b"])) == "<Vocabulary of 2 text ids, 'a' to 'b'>"
    assert repr(Vocabulary.from_ids([])) == "<Vocabulary of 0 whole-number ids>"


def test_a_whole_number_written_as_a_float_finds_its_row() -> None:
    """pandas writes `3.0` where a column has a missing value, and `similar --item 3.0` found nothing."""
    vocabulary = Vocabulary.from_ids([3, 100000, -4])
    assert vocabulary.index_of(["3.0", "3.00", "3.5", "1e+05", "-4.0", "-0.0", "03.0"], unknown="mark").tolist() == [
        1, -1, -1, 2, 0, -1, -1,
    ]  # fmt: skip
    assert Vocabulary.from_ids(["3", "x"]).index_of(["3.0"], unknown="mark").tolist() == [-1]


def test_unknown_ids_raise_unless_marks_are_asked_for() -> None:
    """-1 as an index would take the last row silently."""
    vocabulary = Vocabulary.from_ids([1, 2, 3])
    assert vocabulary.index_of([[3], [1]]).tolist() == [[2], [0]]
    assert vocabulary.index_of([3, 9], unknown="mark").tolist() == [2, -1]
    with pytest.raises(
        UnknownIdError, match=r"among the 3 known ones, such as 1; got 1 unknown: 9; correct them, or.*mark"
    ):
        vocabulary.index_of(9)
    with pytest.raises(UnknownIdError, match=r"got 2 unknown: 'x', 'y';"):
        vocabulary.index_of(["x", "1", "y"])
    with pytest.raises(UnknownIdError, match=r"got 1,000 unknown: 4, 5, 6, 7, 8, …;"):
        vocabulary.index_of(np.arange(4, 1004))
    with pytest.raises(UnknownIdError, match="none is"):
        Vocabulary.from_ids([]).index_of([1])
    with pytest.raises(OptionError, match='unknown must be "mark" or "raise", got \'skip\''):
        vocabulary.index_of(1, unknown="skip")  # type: ignore[arg-type]
