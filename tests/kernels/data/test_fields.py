"""Tokens, missing values and decimals: the kernels against plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.id_index import TextIds
from nestrec.data.readers.fields import find_missing
from nestrec.kernels.data import fields


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.lists(st.text(st.sampled_from("ab1é\x01"), min_size=1, max_size=5), max_size=5), max_size=8), st.data()
)
def test_tokens_know_their_line_and_the_first_of_it(table: list[list[str]], data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(["\n", "\r\n"])).join(
        data.draw(st.sampled_from([" ", "\t "])).join(row) for row in table
    )
    raw = text.encode()
    buffer = np.frombuffer(bytearray(raw + b" "), dtype=np.uint8)
    starts, ends, heads, lines = (np.empty(len(raw) + 1, dtype=np.int64) for _ in range(4))
    n_tokens, consumed, _, _ = fields.split_tokens(buffer, len(raw), True, 1, starts, ends, heads, lines)
    found = [
        (int(lines[token]), raw[starts[token] : ends[token]].decode(), bool(heads[token] == token))
        for token in range(n_tokens)
    ]
    assert found == [
        (line, token, place == 0) for line, row in enumerate(table, start=1) for place, token in enumerate(row)
    ]
    assert raw[consumed:].strip() == b""


@settings(deadline=None)  # the first call compiles
@given(st.one_of(st.decimals(-(10**9), 10**9, places=3).map(str), st.integers(-(10**16), 10**16).map(str)))
def test_decimals_are_parsed_to_the_bit(text: str) -> None:
    _check_decimal(text)


@pytest.mark.parametrize(
    "text", ["", "-", ".", "-.", ".5", "5.", "1e3", "nan", "1..2", "4,5", "0.1", "4.1", "+1", "--1"]
)
def test_odd_decimals_are_exact_or_left_to_python(text: str) -> None:
    _check_decimal(text)


def _check_decimal(text: str) -> None:
    raw = np.frombuffer(bytearray(text.encode() + b" "), dtype=np.uint8)
    values, unsure = np.empty(1), np.empty(1, dtype=np.uint8)
    fields.parse_decimals(raw, np.array([0]), np.array([len(text)]), values, unsure)
    if unsure[0]:
        assert math.isnan(values[0])
    else:
        assert values[0] == float(text)


def _missing(words: list[str], quoted: list[int], na_values: tuple[str, ...] | None) -> list[bool]:
    found: list[bool] = find_missing(TextIds.from_strings(words), np.array(quoted, dtype=np.uint8), na_values).tolist()
    return found


@pytest.mark.parametrize("word", ["", "NULL", "null", "None", "NaN", "nan", "NA", "\\N"])
def test_words_for_nothing_are_missing_unless_quoted(word: str) -> None:
    assert _missing([word, word], [0, 1], None) == [True, word == ""]
    assert _missing([word, word], [0, 1], ()) == [word == "", word == ""]


def test_other_short_words_are_ids() -> None:
    assert _missing(["Nan", "0", "N", "NULLS", "nul"], [0] * 5, None) == [False] * 5


@given(st.lists(st.text("aNé", max_size=4), max_size=5), st.lists(st.text("aNé", max_size=5), max_size=5))
@settings(deadline=None)
def test_any_words_can_be_missing(words: list[str], texts: list[str]) -> None:
    assert _missing(texts, [0] * len(texts), tuple(words)) == [text == "" or text in words for text in texts]
