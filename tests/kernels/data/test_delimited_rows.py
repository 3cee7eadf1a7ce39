"""Splitting delimited text: the kernel against Python's csv module and plain Python, in blocks of every size."""

from __future__ import annotations

import csv
import io
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.kernels.data import delimited_rows as kernel

_CELL = st.text(st.sampled_from(list('ab1é",; \n\r\t')), max_size=6)
_TABLE = st.lists(st.lists(_CELL, min_size=2, max_size=4), max_size=8)

Row = tuple[int, list[str] | int]


def _split(
    text: bytes,
    n_columns: int,
    separator: bytes = b",",
    block: int = 1 << 16,
    expected: int = 0,
    longest: int = 1 << 20,
) -> list[Row]:
    """Return (line, fields or status) of each row, feeding at most `block` new bytes at a time."""
    rows: list[Row] = []
    held, place, line, carry = b"", 0, 1, np.zeros(2, dtype=np.int64)
    while True:
        held += text[place : place + block]
        place += block
        is_last = place >= len(text)
        buffer = np.frombuffer(bytearray(held + b" "), dtype=np.uint8)
        shape = (n_columns, len(held) + 1)
        poison = 1 << 40  # what is read without having been written is out of range
        starts, ends = np.full(shape, poison), np.full(shape, poison)
        quoted, status = np.full(shape, 99, dtype=np.uint8), np.full(shape[1], 99, dtype=np.uint8)
        n_fields, lines = np.full(shape[1], poison), np.full(shape[1], poison)
        n_rows, consumed, line = kernel.split_rows(
            buffer, len(held), is_last, np.frombuffer(separator, dtype=np.uint8), ord('"'), expected, longest,
            np.arange(n_columns), line, carry, starts, ends, quoted, n_fields, lines, status,
        )  # fmt: skip
        for row in range(n_rows):
            if status[row] != kernel.FINE:
                rows.append((int(lines[row]), int(status[row])))
                continue
            spans = [(starts[column, row], ends[column, row]) for column in range(n_fields[row])]
            rows.append((int(lines[row]), [buffer[start:end].tobytes().decode() for start, end in spans]))
        held = held[consumed:]
        if is_last:
            assert held == b""
            return rows


def _expected(text: str) -> list[Row]:
    """Read with Python's csv module, which counts a row's last line; blank lines do not count as rows."""
    reader = csv.reader(io.StringIO(text, newline=""))
    rows: list[Row] = []
    before = 0
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


def test_blanks_around_a_field_are_not_part_of_it_unless_quoted() -> None:
    assert _split(b' 1 , " x " ,3\n', 3) == [(1, ["1", " x ", "3"])]


def test_runs_of_blanks_and_tabs_separate_where_a_blank_does() -> None:
    assert _split(b"1 2  3\n \t4\t5 6 \n", 3, b" ") == [(1, ["1", "2", "3"]), (2, ["4", "5", "6"])]
    assert _split(b'"a b" "c"\n', 2, b" ") == [(1, ["a b", "c"])]


def test_a_byte_order_mark_at_the_start_of_any_line_is_not_part_of_it() -> None:
    text = '\ufeffa,b\n\ufeff"1",2\n'.encode()
    assert _split(text, 2) == [(1, ["a", "b"]), (2, ["1", "2"])]


def test_delimiters_at_the_end_are_not_fields_beyond_those_expected() -> None:
    assert _split(b"1,2,,\n1,,\n1,2,3\n", 3, expected=2) == [(1, ["1", "2"]), (2, ["1", ""]), (3, ["1", "2", "3"])]


STRAY, UNCLOSED, AFTER, LONG = kernel.STRAY_QUOTE, kernel.UNCLOSED_QUOTE, kernel.TEXT_AFTER_QUOTE, kernel.TOO_LONG


@pytest.mark.parametrize("block", [1, 3, 1 << 16])
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('1,"a\n2,b\n3,c"\n4,d\n', [STRAY, ["2", "b"], ["3", 'c"'], ["4", "d"]]),
        ('1,"a\n2,"b"\n3,c\n', [STRAY, ["2", "b"], ["3", "c"]]),
        ('1,"a\n2,"b, c"\n3,c\n', [STRAY, ["2", "b, c"], ["3", "c"]]),
        ('"1,a\n"2",b\n3,c\n', [STRAY, ["2", "b"], ["3", "c"]]),
        ('1,"a\n2,b\n\n3\n4,c\n5,"d', [STRAY, ["2", "b"], ["3"], ["4", "c"], UNCLOSED]),
        ('1,"a\n2,b\n3,c\n', [UNCLOSED, ["2", "b"], ["3", "c"]]),
        ('1,"a\nb"\n3,c\n', [["1", "a\nb"], ["3", "c"]]),
        ('"a\nb",1\n3,c\n', [["a\nb", "1"], ["3", "c"]]),
        ('"a\nb",1,5\n3,c\n', [["a\nb", "1", "5"], ["3", "c"]]),
        ('1,"a"b\n3,c\n', [AFTER, ["3", "c"]]),
        ('a","b\n' * 4, [UNCLOSED, STRAY, STRAY, STRAY]),
        ('1,"', [UNCLOSED]),
        ('1,"\r\n2,b\r\n', [UNCLOSED, ["2", "b"]]),
        ('1,"a""\r2,b\r3,"c"\r', [STRAY, ["2", "b"], ["3", "c"]]),
    ],
)
def test_a_stray_quote_costs_one_line(text: str, rows: list[list[str] | int], block: int) -> None:
    assert [row for _, row in _split(text.encode(), 3, block=block, expected=2)] == rows


@pytest.mark.parametrize("n_lines", [10, 1000])
def test_lines_between_two_stray_quotes_are_read(n_lines: int) -> None:
    """A title began with a quote and another, 900 lines later, ended with one: those between were in no count."""
    lines = [f"{number},title {number},5" for number in range(n_lines)]
    lines[n_lines // 2] = "short,one"
    text = '0,"Heroes,4\n' + "\n".join(lines) + '\n1,12",3\n'
    rows = _split(text.encode(), 3, expected=3)
    assert rows == [
        (1, STRAY),
        *((n + 2, line.split(",")) for n, line in enumerate(lines)),
        (n_lines + 2, ["1", '12"', "3"]),
    ]


def test_rows_longer_than_may_be_are_given_up_without_being_held() -> None:
    text = b"1,a\n2," + b"x" * 100 + b'\n3,c\n4,"' + b"y" * 100 + b'"\r\n5,"e\n6,f\n' + b"7,g\n" * 30
    for block in (1, 7, 64, 1 << 16):
        found = [row for _, row in _split(text, 2, block=block, expected=2, longest=50)]
        assert found == [["1", "a"], LONG, ["3", "c"], LONG, UNCLOSED, ["6", "f"], *([["7", "g"]] * 30)]


@settings(deadline=None)  # the first call compiles
@given(st.text(st.sampled_from('ab,""\n\r ;'), max_size=60), st.integers(1, 9), st.integers(8, 70))
def test_blocks_do_not_matter_and_every_line_is_in_a_row(text: str, block: int, longest: int) -> None:
    raw = text.encode()
    whole = _split(raw, 9, expected=2, longest=longest)
    assert _split(raw, 9, block=block, expected=2, longest=longest) == whole
    line_of = [line for line, _ in whole]
    assert line_of == sorted(set(line_of))
    spanned = {line + inner for line, row in whole if isinstance(row, list) for inner in range(_spans(row) + 1)}
    filled = {
        number for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1) if line
    }
    assert filled <= spanned | set(line_of)


def _spans(row: list[str]) -> int:
    return sum(cell.replace("\r\n", "\n").replace("\r", "\n").count("\n") for cell in row)


@pytest.mark.parametrize("line", [b'a","b\n', b'"a\n', b'"a""\n', b'"a,"",b\n', b'1,"x""\n', b'""a,1\n', b'","\n'])
def test_time_is_linear_for_any_quotes(line: bytes) -> None:
    """A quote that opened on every line was followed for a megabyte from each of them."""
    text = line * ((1 << 20) // len(line))
    _split(text[:1000], 2, expected=2)
    before = time.perf_counter()
    buffer, capacity = np.frombuffer(bytearray(text), dtype=np.uint8), len(text) // 3
    offsets, flags = np.empty((2, 2, capacity), dtype=np.int64), np.empty((2, capacity), dtype=np.uint8)
    one = np.empty((2, capacity), dtype=np.int64)
    kernel.split_rows(
        buffer, len(buffer), True, np.frombuffer(b",", dtype=np.uint8), ord('"'), 2, 1 << 20, np.arange(2), 1,
        np.zeros(2, dtype=np.int64), offsets[0], offsets[1], flags, one[0], one[1], np.empty(capacity, dtype=np.uint8),
    )  # fmt: skip
    assert time.perf_counter() - before < 5
