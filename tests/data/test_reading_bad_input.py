"""Bad input: one sentence with the file, the line, the value, the rule and the way out."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from nestrec.data.read_options import ReadOptions
from nestrec.data.reading import read_interactions
from nestrec.errors import DataError, NestrecError, OptionError
from tests.data.reports import read_with_report
from tests.data.test_reading import pairs_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GOOD = "user,item\n1,1\n2,2\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Write a file and read it."""

    def write_and_read(contents: str | bytes, name: str = "x.csv", **options: Any) -> Any:
        path = tmp_path / name
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return read_with_report(path, options=ReadOptions(**options))

    return write_and_read


@pytest.fixture
def refused(read: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """Return the sentence with which a file is refused; it always names the file."""

    def sentence(contents: str | bytes, name: str = "x.csv", **options: Any) -> str:
        with pytest.raises(NestrecError) as caught:
            read(contents, name, **options)
        said = str(caught.value)
        assert str(tmp_path / name) in said
        assert "\n" not in said
        assert "Error:" not in said  # nothing raw from a library
        return said.replace(str(tmp_path) + "/", "")

    return sentence


# Files that cannot be read at all


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.txt", "x.inter", "x.jsonl", "x.parquet"])
@pytest.mark.parametrize("contents", [b"", b"\n\n"])
def test_an_empty_file_is_refused(refused: Callable[..., str], name: str, contents: bytes) -> None:
    said = refused(contents, name)
    assert re.search("is empty; give a|no Parquet file that can be read: it is damaged", said)


def test_empty_gz_and_zst_are_refused(refused: Callable[..., str]) -> None:
    assert refused(gzip.compress(b""), "x.csv.gz") == (
        "x.csv.gz is empty; give a file with a header and rows of interactions"
    )
    assert "x.csv.zst is empty" in refused(zstd.compress(b""), "x.csv.zst")


@pytest.mark.parametrize("contents", ["user,item", "user,item\n", "user,item\r\n\r\n"])
def test_a_header_alone_is_refused(refused: Callable[..., str], contents: str) -> None:
    assert refused(contents) == "x.csv has no rows of interactions (a header at most); give a file with data"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for name in ("none.csv", "none.parquet", "none.xyz", "none"):
        with pytest.raises(DataError, match=re.escape(f"{tmp_path / name} does not exist; check the path")):
            read_interactions(tmp_path / name)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    for source in (tmp_path, str(tmp_path)):
        with pytest.raises(DataError, match="is a folder without files of interactions; give a file"):
            read_interactions(source)


def test_an_unknown_extension_is_named_with_the_formats(refused: Callable[..., str]) -> None:
    assert refused(GOOD, "x.xyz") == (
        "x.xyz: the extension .xyz names no format that can be read; give format, one of "
        "csv, tsv, recbole, adjacency, jsonl, parquet"
    )


def test_a_named_format_reads_any_extension(read: Callable[..., Any]) -> None:
    assert pairs_of(read(GOOD, "x.xlsx", format="csv")[0]) == {("1", "1"), ("2", "2")}


@pytest.mark.parametrize(("name", "pack"), [("x.csv.gz", gzip.compress), ("x.csv.zst", zstd.compress)])
def test_a_packed_file_cut_off_is_refused_and_not_read_in_part(
    refused: Callable[..., str], name: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(b"user,item\n" + b"".join(b"%d,%d\n" % (row, row * row) for row in range(300_000)))
    said = refused(packed[: len(packed) // 2], name)
    assert said.startswith(f"{name} is cut off or damaged: unpacking stops ")
    assert said.endswith("; fetch or pack it again")


def test_a_gz_that_is_not_gzip_is_refused(refused: Callable[..., str]) -> None:
    assert refused(GOOD, "x.csv.gz") == (
        "x.csv.gz is not gzip data, though its name says so; rename it or pack it again"
    )


def test_a_damaged_gz_is_refused(refused: Callable[..., str]) -> None:
    packed = bytearray(gzip.compress(GOOD.encode() * 1000))
    packed[-6] ^= 255  # its checksum
    assert "x.csv.gz is cut off or damaged" in refused(bytes(packed), "x.csv.gz")


def test_parquet_cut_off_or_damaged_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    pl.DataFrame({"user": range(100_000), "item": range(100_000)}).write_parquet(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for part in (whole[:-100], whole[:100], whole[:-300] + b"\xff" * 250 + whole[-50:], b"PAR1 is not PAR1"):
        said = refused(part, "x.parquet")
        assert said.startswith("x.parquet is no Parquet file that can be read")
        assert said.endswith("write or fetch it again, or give format")


def test_parquet_named_csv_is_reported(refused: Callable[..., str], tmp_path: Path) -> None:
    pl.DataFrame({"user": [1], "item": [1]}).write_parquet(tmp_path / "whole")
    said = refused((tmp_path / "whole").read_bytes())
    assert said == "x.csv is a Parquet file read as csv; give format='parquet'"


def test_bytes_that_are_not_text_are_refused(refused: Callable[..., str]) -> None:
    said = refused(b"\xd0\xcf\x11\xe0\xa1\xb1,\xff\n1,2\n")
    assert said.startswith("x.csv, line 1: the first line is not UTF-8 text")
    assert said.endswith("save the file as UTF-8, give its encoding, or give format if it is not text")


def test_utf16_cut_in_half_a_letter_is_refused(refused: Callable[..., str]) -> None:
    assert "looks like UTF-16 and is not valid" in refused(GOOD.encode("utf-16")[:-1])


def test_a_file_that_holds_no_json_is_reported(refused: Callable[..., str]) -> None:
    assert "holds no JSON object in its first lines" in refused("hello\n", "x.jsonl")


def test_a_file_that_may_not_be_opened_is_named(monkeypatch: Any) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("nestrec.data.readers.byte_source.Path.open", forbidden)
    with pytest.raises(
        DataError, match=r"x\.csv cannot be read \(Permission denied\); check the file and its permissions"
    ):
        read_interactions("x.csv")


def test_too_little_memory_for_duckdb_is_reported(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: Any
) -> None:
    def exhausted(_: object) -> Any:
        raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate")

    pl.DataFrame({"user": [1], "item": [1]}).write_parquet(tmp_path / "whole")
    monkeypatch.setattr("nestrec.data.readers.tables.arrow_batches", exhausted)
    said = refused((tmp_path / "whole").read_bytes(), "x.parquet")
    assert said == "x.parquet needs more memory to read than memory_limit_mb allows; give more"


# Columns


def test_a_missing_column_is_named_with_those_there_are(refused: Callable[..., str]) -> None:
    assert refused("user,title,rating\n1,2,3\n") == (
        "x.csv has no column of items among 'user', 'title', 'rating'; name it with item_column, or, where the first "
        "line is no header, give positions: user_column=1, item_column=2; if this is one field, give another delimiter"
    )
    assert refused(GOOD, item_column="thing") == "x.csv has no column 'thing'; its columns are 'user', 'item'"
    assert refused(GOOD, user_column=1, item_column=9) == "x.csv has no column 9; it has 2 columns: 'user', 'item'"


def test_positions_and_delimiters_are_named_only_where_they_mean_something(refused: Callable[..., str]) -> None:
    """The error for JSON without a column of users asked for positions and a delimiter."""
    said = refused('{"data": 1}\n', "x.jsonl")
    assert "user_column" in said
    assert "position" not in said
    assert "delimiter" not in said
    said = refused("1 10 3\n1 11 4\n2 10 5\n", "x.txt", min_rating=3)  # three numbers a line, no header
    assert "user_column=1, item_column=2, rating_column=3" in said


def test_a_wrong_delimiter_shows_the_one_field_it_leaves(refused: Callable[..., str]) -> None:
    said = refused(GOOD, delimiter=";")
    assert "no column of users among 'user,item'" in said
    assert said.endswith("if this is one field, give another delimiter")


def test_the_error_for_a_file_without_header_names_the_remedy(refused: Callable[..., str]) -> None:
    said = refused("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", "u.data")
    assert "no column of users among '196', '242', '3', '881250949'" in said
    assert "give positions: user_column=1, item_column=2" in said


def test_min_rating_without_ratings_and_times_without_times_are_refused(refused: Callable[..., str]) -> None:
    assert "x.csv has no column of ratings among 'user', 'item', so min_rating cannot" in refused(GOOD, min_rating=3)
    assert "x.csv has no column of times among 'user', 'item'" in refused(GOOD, keep_timestamps=True)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"user_column": "item"}, ("user_column", "item_column")),
        ({"user_column": 1, "item_column": 1}, ("user_column", "item_column")),
        ({"item_column": "rating", "rating_column": "rating"}, ("item_column", "rating_column")),
        ({"item_column": 3, "rating_column": "rating"}, ("item_column", "rating_column")),
        ({"rating_column": "time", "keep_timestamps": True}, ("rating_column", "timestamp_column")),
        ({"user_column": "time", "keep_timestamps": True}, ("user_column", "timestamp_column")),
        ({"user_column": "rating", "min_rating": 3}, ("user_column", "rating_column")),
        ({"timestamp_column": 3, "rating_column": 3, "keep_timestamps": True}, ("timestamp_column", "rating_column")),
    ],
)
@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_one_column_in_two_roles_is_refused_and_both_options_named(
    refused: Callable[..., str], name: str, options: dict[str, Any], named: tuple[str, str]
) -> None:
    """The second role's offsets were never written, and reading them crashed."""
    text = {"x.csv": "user,item,rating,time\n1,2,3,4\n", "x.jsonl": '{"user": 1, "item": 2, "rating": 3, "time": 4}\n'}
    said = refused(text[name], name, **options)
    assert all(option in said for option in named)


def test_a_column_given_to_one_role_is_not_recognised_for_another(read: Callable[..., Any]) -> None:
    interactions, report = read("user,item,rating\n1,2,3\n1,4,5\n", item_column="rating")
    assert pairs_of(interactions) == {("1", "3"), ("1", "5")}
    assert report.columns == {"user": "user", "item": "rating"}


def test_files_read_one_after_another_share_nothing(read: Callable[..., Any]) -> None:
    """The offsets that a short row does not have came from the heap: what the file before had left there."""
    rows = "7\n" + "".join(f'u{number % 10},"i""{number % 7}"\n' for number in range(40))
    quotes = '1,"' + '""' * (len(rows) // 2 - 3) + '"\n'
    for _ in range(5):
        assert read(f"user,item\n{quotes}")[0].n_interactions == 1
        interactions, report = read(f"user,item\n{rows}")
        assert interactions.n_items == 7
        assert report.rejected["the row has more or fewer fields than the first one"] == 1


def test_options_that_mean_nothing_are_refused(read: Callable[..., Any]) -> None:
    with pytest.raises(OptionError, match=r"min_rating does not apply to interactions read as adjacency, got 3"):
        read("1 2 3\n", "x.txt", min_rating=3, format="adjacency")


# Rows that cannot be used are counted and shown by line, and stop a strict reading

_ROWS = [
    ("user,item\n1,1\n1\n2,2,2\n", "the row has more or fewer fields than the first one", [3, 4], "1 fields, not 2"),
    ('user,item\n1,1\n"a\nb",2\n,3\n', "the user id is missing", [5], ""),
    ("user,item\n1,1\n2,NULL\n2,\n", "the item id is missing", [3, 4], "NULL"),
    ("user,item,rating\n1,1,1\n1,2,nan\n1,3,inf\n1,4,-Infinity\n1,5,\n1,6,five\n1,7,4_5\n",
     "the rating is not a finite number", [3, 4, 5, 6, 7, 8], "nan"),
    ('user,item\n1,1\n"a,2\n3,3\n', "a quote is opened and never closed", [3], '"a,2'),
    ('user,item\n1,1\n"a"b,2\n3,3\n', "text follows a closing quote", [3], '"a"b,2'),
    (b"user,item\n1,1\n\xff\xfe,2\n3,\xc3\n\xc3\xa9,3\n", "the id is not UTF-8 text", [3, 4], "\\xff\\xfe"),
]  # fmt: skip


@pytest.mark.parametrize(("contents", "reason", "lines", "value"), _ROWS)
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_unusable_rows_are_counted_with_their_lines(
    read: Callable[..., Any], contents: str | bytes, reason: str, lines: list[int], value: str, packed: str
) -> None:
    raw = contents if isinstance(contents, bytes) else contents.encode()
    options = {"min_rating": -9} if "rating" in reason else {}
    interactions, report = read(gzip.compress(raw) if packed else raw, "x.csv" + packed, **options)
    assert report.rejected == {reason: len(lines)}
    shown = report.examples[reason]
    assert [example.place for example in shown] == [f"line {line}" for line in lines][:5]
    assert shown[0].value == value
    assert report.n_rows == report.n_kept + len(lines)
    assert ("1", "1") in pairs_of(interactions)


@pytest.mark.parametrize(("contents", "reason", "lines", "value"), _ROWS)
def test_a_strict_reading_stops_at_the_first_unusable_row(
    refused: Callable[..., str], contents: str | bytes, reason: str, lines: list[int], value: str
) -> None:
    said = refused(contents, strict=True, min_rating=-9 if "rating" in reason else None)
    assert said.startswith(f"x.csv, line {lines[0]}: {reason}: {value!r}; ")


def test_times_that_are_none_are_counted(read: Callable[..., Any]) -> None:
    _, report = read("user,item,time\n1,1,5\n1,2,soon\n1,3,nan\n1,4,2020-13-01\n", keep_timestamps=True)
    assert report.rejected == {"the timestamp is neither a finite number nor an ISO 8601 date": 3}


def test_unusable_json_lines_are_counted_with_their_lines(read: Callable[..., Any]) -> None:
    lines = [
        '{"user": 1, "item": 1, "rating": 1}',
        "",
        '{"user": 1, "item": ',
        "[1]",
        '{"user": null, "item": 1, "rating": 1}',
        '{"user": 1, "rating": 1}',
        '{"user": true, "item": 1, "rating": 1}',
        '{"user": 1, "item": 1.5, "rating": 1}',
        '{"user": 1, "item": 2, "rating": NaN}',
        '{"user": 1, "item": 2.0, "rating": "4"}',
        '{"user": 1, "item": "\\ud800", "rating": 1}',
    ]
    interactions, report = read("\n".join(lines), "x.jsonl", min_rating=1)
    assert pairs_of(interactions) == {("1", "1"), ("1", "2")}
    places = {reason: [example.place for example in shown] for reason, shown in report.examples.items()}
    assert places == {
        "the line is not a JSON object": ["line 3", "line 4"],
        "the user id is missing": ["line 5"],
        "the item id is missing": ["line 6"],
        "the id is neither a whole number nor text": ["line 7", "line 8", "line 11"],
        "the rating is not a finite number": ["line 9"],
    }
    assert report.n_rows == report.n_kept + sum(report.rejected.values()) == 10


def test_adjacency_text_that_is_not_utf8_is_counted_with_its_line(read: Callable[..., Any]) -> None:
    interactions, report = read(b"1 2 3\n\xff 4\n5 \xff 6\n", format="adjacency")
    assert pairs_of(interactions) == {("1", "2"), ("1", "3"), ("5", "6")}
    assert [example.place for example in report.examples["the id is not UTF-8 text"]] == ["line 2", "line 3"]


def test_where_repeats_are_below_the_minimum_the_minimum_is_to_be_changed(refused: Callable[..., str]) -> None:
    """Of as many repeats as low ratings, the advice was to remove the repeats."""
    said = refused("user,item,rating\n1,1,5\n1,1,1\n", min_rating=4, repeats="last")
    assert "the same user and item stood in another row" in said
    assert said.endswith("lower min_rating")


def test_the_error_for_text_in_another_encoding_names_the_option(refused: Callable[..., str]) -> None:
    assert "encoding" in refused("user,item\nJosé,1\n".encode("latin-1"))


def test_where_no_row_can_be_used_the_reasons_are_reported(refused: Callable[..., str]) -> None:
    assert refused("user,item,rating\n1,1,x\n,2,1\n", min_rating=1) == (
        "x.csv: of 2 rows none can be used: 1 because the user id is missing (line 3: ''); "
        "1 because the rating is not a finite number (line 2: 'x'); fill it in or remove the row"
    )
    assert "of 1 row none can be used: 1 because the rating is below the minimum; lower min_rating" in refused(
        "user,item,rating\n1,1,2\n", min_rating=4
    )


def test_a_stray_quote_spoils_one_row_and_not_the_rest(read: Callable[..., Any]) -> None:
    rows = "".join(f"{number},{number}\n" for number in range(400_000))
    interactions, report = read('user,item\n"lost,1\n' + rows)
    assert interactions.n_interactions == 400_000
    assert report.rejected == {"a quote is opened and never closed": 1}


def test_an_id_of_adjacency_text_has_a_limit(refused: Callable[..., str]) -> None:
    assert "an id is longer than" in refused("1 2\n" + "x" * 5_000_000 + "\n", format="adjacency")


# Data that can be read and may surprise


def test_a_k_core_that_removes_all_is_refused_with_the_minimums(refused: Callable[..., str]) -> None:
    said = refused(GOOD, min_user_interactions=2, min_item_interactions=3)
    assert "every user has at least 2 and every item at least 3" in said
    assert "lower min_user_interactions or min_item_interactions" in said


def test_one_user_one_item_and_a_user_with_everything_are_noted(read: Callable[..., Any]) -> None:
    _, report = read("user,item\n1,1\n")
    assert report.training_notes == [
        "there is only one user: nothing can be learnt from how users differ",
        "there is only one item: nothing can be ranked",
    ]
    assert read("user,item\n1,1\n1,2\n2,1\n")[1].training_notes == [
        "1 user interacted with every item: no item is left as a negative there"
    ]


# Options


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"format": "xls"}, "format must be one of csv, tsv, recbole, adjacency, jsonl, parquet, got 'xls'"),
        ({"user_column": 0}, "user_column must be a name or a position from 1, got 0"),
        ({"delimiter": ""}, "delimiter must be one or two ASCII characters, .* got ''"),
        ({"delimiter": "\n"}, "delimiter must be what stands between fields of a line, got"),
        ({"quote": "''"}, "quote must be one ASCII character"),
        ({"min_rating": float("nan")}, "min_rating must be finite, .* got nan"),
        ({"min_user_interactions": -1}, "min_user_interactions must be at least 0, got -1"),
        ({"memory_limit_mb": 1}, "memory_limit_mb must be at least 64, got 1"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        ReadOptions(**options)


@pytest.mark.parametrize("name", ["x.mtx", "x.mm", "x.txt", "x.csv", "x.mtx.gz"])
def test_a_matrix_market_file_is_recognized_under_any_extension(refused: Callable[..., str], name: str) -> None:
    """An extension that names no format was refused before the contents were looked at."""
    text = b"%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 1\n"
    said = refused(gzip.compress(text) if name.endswith(".gz") else text, name)
    assert "is a Matrix Market file" in said
    assert "scipy.io.mmread" in said


@pytest.mark.parametrize("keep_timestamps", [False, True])
@pytest.mark.parametrize(
    "columns",
    [
        {"rating_column": "when", "timestamp_column": "when"},
        {"rating_column": "when", "timestamp_column": 3},
        {"user_column": "user", "timestamp_column": "user"},
        {"user_column": 1, "item_column": 2, "rating_column": 3, "timestamp_column": 3},
    ],
)
def test_one_column_given_for_two_roles_is_refused_whether_times_are_read_or_not(
    refused: Callable[..., str], keep_timestamps: bool, columns: dict[str, Any]
) -> None:
    """It was refused only where times were read."""
    said = refused("user,item,when\n1,1,5\n2,2,6\n", keep_timestamps=keep_timestamps, **columns)
    assert "timestamp_column must be two columns" in said


def test_a_column_of_times_that_is_not_there_does_not_matter_where_times_are_not_read(read: Callable[..., Any]) -> None:
    assert read(GOOD, timestamp_column="when")[0].n_interactions == 2


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('"7"x,7', '"7"x,7'),
        ('8,"unclosed', '8,"unclosed'),
        ('"un', '"un'),
        ("9," + "x" * 1_100_000, "9," + "x" * 78 + "…"),
    ],
)
def test_a_row_that_has_no_fields_is_shown_by_the_start_of_its_line(
    read: Callable[..., Any], line: str, shown: str
) -> None:
    """The example was empty: (line 4: '')."""
    filling = "".join(f"{n},{n}\n" for n in range(400_000))  # more than a block before it
    _, report = read(f"{GOOD}{filling}{line}\n")
    examples = [example for found in report.examples.values() for example in found if example.place == "line 400004"]
    assert [example.value for example in examples] == [shown]


@pytest.mark.parametrize("column", ["rating", "click"])
def test_the_note_on_zeros_names_no_minimum_that_costs_other_ratings(read: Callable[..., Any], column: str) -> None:
    """It proposed a minimum of 1, which leaves out ratings of 0.5 too."""
    _, report = read(f"user,item,{column}\n1,1,0\n2,2,0.5\n2,1,4\n")
    (note,) = [note for note in report.notes if "count as interactions" in note]
    assert note.startswith(f"1 row has 0 in {column}")
    assert "--min-rating" in note
    assert "--min-rating 1" not in note
