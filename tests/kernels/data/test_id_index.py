"""The hash table of ids against a Python dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.id_index import IdIndex, TextIds
from nestrec.data.ids import parse_whole_number as plain_whole_number
from nestrec.kernels.data.id_index import parse_whole_number as whole_number

_TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=25)
_DIGITS = st.integers(-(2**70), 2**70).map(str)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.lists(st.one_of(_TEXT, _DIGITS, st.sampled_from(["a", "1", "01"])), max_size=30), max_size=5))
def test_an_id_keeps_the_number_of_its_first_appearance(batches: list[list[str]]) -> None:
    index, seen = IdIndex(), dict[str, int]()
    for batch in batches:
        expected = [seen.setdefault(text, len(seen)) for text in batch]
        assert index.add(TextIds.from_strings(batch)).tolist() == expected
    assert len(index) == len(seen)
    vocabulary, ranks = index.finish()
    assert [str(known) for known in vocabulary.ids[ranks].tolist()] == list(seen)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50))
def test_numbers_and_their_text_are_the_same_id(numbers: list[int]) -> None:
    index = IdIndex()
    entries = index.add(np.array(numbers, dtype=np.int64)).tolist()
    assert index.add(TextIds.from_strings([str(number) for number in numbers])).tolist() == entries
    vocabulary, ranks = index.finish()
    assert vocabulary.ids.dtype == np.int64
    assert vocabulary.ids[ranks[entries]].tolist() == numbers


def test_a_late_text_turns_the_numbers_before_it_into_text() -> None:
    index = IdIndex()
    index.add(np.array([10, 9]))
    index.add(TextIds.from_strings(["x"]))
    assert index.finish()[0].ids.tolist() == ["10", "9", "x"]


def test_the_table_grows_past_its_first_size() -> None:
    index = IdIndex()
    for start in range(0, 20_000, 1_000):
        texts = [f"user-{number}" for number in range(start, start + 1_000)]
        assert index.add(TextIds.from_strings(texts)).tolist() == list(range(start, start + 1_000))
    assert index.add(TextIds.from_strings(["user-0", "user-19999"])).tolist() == [0, 19_999]


@pytest.mark.parametrize(
    "text",
    ["0", "-0", "00", "-", "", "1", "-1", "01", "1 ", "9223372036854775807", "9223372036854775808",
     "-9223372036854775808", "-9223372036854775809", "99999999999999999999", "1e3", "+1", "1_0"],
)  # fmt: skip
def test_canonical_numbers_are_recognized_as_by_the_plain_version(text: str) -> None:
    raw = np.frombuffer(bytearray(text.encode()), dtype=np.uint8)
    number, is_number = whole_number(raw, 0, len(raw))
    expected = plain_whole_number(text)
    assert (int(number) if is_number else None) == expected
