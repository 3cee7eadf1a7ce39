"""Splitting text: the kernel against Python's csv module and str.split, in blocks of every size."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.kernels import fields

_CELL = st.text(st.sampled_from(list('ab1é",; \n\r\t')), max_size=6)
_TABLE = st.lists(st.lists(_CELL, min_size=2, max_size=4), max_size=8)

Row = tuple[int, list[str]]


def _split(text: bytes, n_columns: int, separator: bytes = b",", block: int = 1 << 16) -> list[Row]:
    """Return (line, fields) of each fine row, feeding at most `block` new bytes at a time."""
    rows: list[Row] = []
    held, place, line = b"", 0, 1
    while True:
        held += text[place : place + block]
        place += block
        is_last = place >= len(text)
        buffer = np.frombuffer(bytearray(held + b" "), dtype=np.uint8)
        shape = (n_columns, len(held) + 1)
        starts, ends = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        quoted, status = np.zeros(shape, dtype=np.uint8), np.zeros(shape[1], dtype=np.uint8)
        n_fields, lines = np.zeros(shape[1], dtype=np.int64), np.zeros(shape[1], dtype=np.int64)
        n_rows, consumed, line = fields.split_rows(
            buffer, len(held), is_last, np.frombuffer(separator, dtype=np.uint8), ord('"'), 1 << 20,
            np.arange(n_columns), line, starts, ends, quoted, n_fields, lines, status,
        )  # fmt: skip
        for row in range(n_rows):
            assert status[row] == fields.FINE
            spans = [(starts[column, row], ends[column, row]) for column in range(n_fields[row])]
            rows.append((int(lines[row]), [buffer[start:end].tobytes().decode() for start, end in spans]))
        held = held[consumed:]
        if is_last:
            assert held == b""
            return rows


def _expected(text: str) -> list[Row]:
    """Read with Python's csv module, which counts a row's last line; blank lines are no rows."""
    reader = csv.reader(io.StringIO(text, newline=""))
    rows, before = [], 0
    for cells in reader:
        if cells:
            rows.append((before + 1, cells))
        before = reader.line_num
    return rows


@settings(deadline=None)  # the first call compiles
@given(_TABLE, st.sampled_from(["\n", "\r\n"]), st.integers(1, 40), st.booleans())
def test_quoted_text_is_split_as_the_csv_module_does(
    table: list[list[str]], line_end: str, block: int, ended: bool
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(table)
    text = out.getvalue() if ended else out.getvalue().removesuffix(line_end)
    assert _split(text.encode(), 4, block=block) == _expected(text)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.lists(st.text(st.sampled_from("ab1é;'"), min_size=1), min_size=1, max_size=4)), st.integers(1, 30))
def test_plain_text_is_split_as_the_csv_module_does(table: list[list[str]], block: int) -> None:
    text = "\r\n".join(",".join(row) for row in table)
    assert _split(text.encode(), 4, block=block) == _expected(text)


def test_lines_are_counted_through_quotes_blank_lines_and_every_line_end() -> None:
    text = b'a,b\r\n\r\n"x\ny\r\nz",1\rq,2\n\nlast,3'
    assert [line for line, _ in _split(text, 2)] == [1, 3, 6, 8]


def test_two_characters_separate_and_one_of_them_does_not() -> None:
    assert _split(b"1::a:b::5\n", 3, b"::") == [(1, ["1", "a:b", "5"])]


def test_blanks_around_a_field_are_no_part_of_it_unless_quoted() -> None:
    assert _split(b' 1 , " x " ,3\n', 3) == [(1, ["1", " x ", "3"])]


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


@pytest.mark.parametrize("word", ["", "NULL", "null", "None", "NaN", "nan", "NA", "\\N"])
def test_words_for_nothing_are_missing_unless_quoted(word: str) -> None:
    raw = np.frombuffer(bytearray(word.encode() + b" "), dtype=np.uint8)
    missing = np.zeros(2, dtype=np.uint8)
    places, ends = np.zeros(2, dtype=np.int64), np.full(2, len(word))
    fields.find_missing(raw, places, ends, np.array([0, 1], dtype=np.uint8), missing)
    assert missing.tolist() == [1, 1 if word == "" else 0]


def test_other_short_words_are_ids() -> None:
    raw = np.frombuffer(bytearray(b"Nan0"), dtype=np.uint8)
    missing = np.zeros(2, dtype=np.uint8)
    fields.find_missing(raw, np.array([0, 3]), np.array([3, 4]), np.zeros(2, dtype=np.uint8), missing)
    assert missing.tolist() == [0, 0]
