"""Ids with NUL bytes, other encodings, and ids with odd characters, in every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nestrec.data.read_options import ReadOptions
from nestrec.data.reading import read_interactions
from nestrec.errors import DataError, OptionError
from tests.data.reports import read_with_report
from tests.data.test_reading import pairs_of

REASON = "the id holds a NUL byte"
ROWS = [("a\0x", "1"), ("a\0y", "1"), ("b", "1"), ("b", "2\0"), ("c", "\0"), ("c", "3")]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    def write_and_read(contents: str | bytes, name: str = "x.csv", **options: Any) -> Any:
        path = tmp_path / name
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return read_with_report(path, options=ReadOptions(**options))

    return write_and_read


def _check(result: Any) -> None:
    interactions, report = result
    assert pairs_of(interactions) == {("b", "1"), ("c", "3")}
    assert report.rejected == {REASON: 4}
    assert report.n_rows == report.n_kept + 4 == 6


def test_ids_with_nul_are_counted_in_every_format(read: Callable[..., Any], tmp_path: Path) -> None:
    """Two ids that differ after a NUL ended in a sentence about how vocabularies are made."""
    _check(read("user,item\n" + "".join(f"{user},{item}\n" for user, item in ROWS)))
    _check(read("\n".join(json.dumps({"user": user, "item": item}) for user, item in ROWS), "x.jsonl"))
    _check(read("".join(f"{user} {item}\n" for user, item in ROWS), "x.txt", format="adjacency"))
    frame = pl.DataFrame({"user": [user for user, _ in ROWS], "item": [item for _, item in ROWS]})
    frame.write_parquet(tmp_path / "x.parquet")
    _check(read_with_report(tmp_path / "x.parquet"))
    _check(read_with_report(frame))


def test_a_strict_reading_names_the_line_of_a_nul(read: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"line 3: the id holds a NUL byte"):
        read("user,item\n1,2\na\0,1\n", strict=True)


def test_odd_ids_survive(read: Callable[..., Any]) -> None:
    odd = [
        "a b",
        'say "hi"',
        "a\rb",
        "a\nb",
        "a\r\nb",
        "NA",
        "null",
        " pad ",
        "'",
        "a,b",
        "\t",
        "é",
        "\u2028",
        "-",
        "0x1",
    ]
    text = "user,item\n" + "".join('1,"' + item.replace('"', '""') + '"\n' for item in odd)
    interactions, report = read(text)
    assert {item for _, item in pairs_of(interactions)} == set(odd)
    assert report.rejected == {}


@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "shift_jis", "utf-8", "cp437", "utf-32"]
)
def test_text_in_other_encodings_is_read(read: Callable[..., Any], encoding: str) -> None:
    word = "ｱｲ漢字" if encoding == "shift_jis" else "éÜ"
    text = "user,item\n" + "".join(f"{word}{number},{word}\n" for number in range(50))
    interactions, report = read(text.encode(encoding), encoding=encoding)
    assert interactions.items.ids.tolist() == [word]
    assert (interactions.n_users, report.rejected) == (50, {})
    assert read(f"{word} a b\n".encode(encoding), "x.txt", encoding=encoding, format="adjacency")[1].n_kept == 2
    assert read(
        json.dumps({"user": word, "item": 1}, ensure_ascii=False).encode(encoding), "x.jsonl", encoding=encoding
    )


def test_bytes_that_the_encoding_does_not_have_are_refused(read: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="is not text in shift_jis"):
        read(b"user,item\n\x81,1\n\xff\xff,2\n", encoding="shift_jis")
    with pytest.raises(OptionError, match="encoding must be one that Python knows"):
        ReadOptions(encoding="hex")
    with pytest.raises(OptionError, match=r"encoding does not apply to .*, got 'latin-1'"):
        read_interactions({"user": [1], "item": [2]}, options=ReadOptions(encoding="latin-1"))


def test_most_ids_with_blanks_are_noted(read: Callable[..., Any]) -> None:
    _, report = read("user,item\n1,a b c\n2,b c\n3,d\n")
    assert any("contain blanks, such as 'a b c'" in note for note in report.notes)
    assert not any("blanks" in note for note in read("user,item\n1,a b c\n2,b\n3,d\n")[1].notes)


def test_lines_of_a_reason_are_in_order_whichever_side_it_is_of(read: Callable[..., Any]) -> None:
    """Lines of users came before those of items."""
    _, report = read(b"user,item\n5,\xff\n\xfe,3\n6,7\n\xff,\xff\n")
    shown = report.examples["the id is not UTF-8 text"]
    assert [str(example) for example in shown] == [
        f"line {n}: {v!r}" for n, v in ((2, "\\xff"), (3, "\\xfe"), (5, "\\xff"))
    ]
