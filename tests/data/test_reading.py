"""Good files and tables of every kind give the interactions that are in them."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nestrec.data.interactions import Interactions
from nestrec.data.pairs import PairStore
from nestrec.data.read_options import ReadOptions
from nestrec.data.reading import read_interactions
from tests.data.reports import read_with_report

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CSV = "userId,movieId,rating,timestamp\n7,b,5,20\n10,a,3,10\n7,a,4,30\n"
PACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}
PAIRS = {("7", "b"), ("10", "a"), ("7", "a")}


def pairs_of(interactions: Interactions) -> set[tuple[str, str]]:
    rows = np.repeat(np.arange(interactions.n_users), np.diff(interactions.indptr))
    users, items = interactions.users.ids_at(rows), interactions.items.ids_at(interactions.indices)
    return {(str(user), str(item)) for user, item in zip(users.tolist(), items.tolist(), strict=True)}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Write a file and read it."""

    def write_and_read(contents: str | bytes, name: str = "x.csv", **options: Any) -> Any:
        path = tmp_path / name
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return read_with_report(path, options=ReadOptions(**options))

    return write_and_read


@pytest.mark.parametrize(
    ("name", "contents", "format_name"),
    [
        ("x.csv", CSV, "csv"),
        ("x.CSV", CSV, "csv"),
        ("x.tsv", CSV.replace(",", "\t"), "tsv"),
        ("x.txt", CSV.replace(",", ";"), "csv"),
        ("x.dat", CSV.replace(",", "|"), "csv"),
        ("x.dat", CSV.replace(",", "::"), "csv"),
        ("x.txt", CSV.replace(",", " "), "csv"),
        ("x.inter", "user_id:token\titem_id:token\trating:float\n7\tb\t5\n10\ta\t3\n7\ta\t4\n", "recbole"),
        ("x.txt", "user_id:token\titem_id:token\n7\tb\n10\ta\n7\ta\n", "recbole"),
        ("x.jsonl", '{"user": 7, "item": "b"}\n{"user": 10, "item": "a"}\n\n{"item": "a", "user": "7"}', "jsonl"),
        ("x.txt", '{"user": 7, "item": "b"}\n{"user": 10, "item": "a"}\n{"item": "a", "user": 7}\n', "jsonl"),
    ],
)
@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_every_text_format_is_detected_from_name_and_contents(
    read: Callable[..., Any], name: str, contents: str, format_name: str, packed: str
) -> None:
    interactions, report = read(PACK[packed](contents.encode()), name + packed)
    assert pairs_of(interactions) == PAIRS
    assert report.format == format_name
    assert (report.n_rows, report.n_kept, report.rejected) == (3, 3, {})


@pytest.mark.parametrize("text", ["7 b a\n10 a\n", "7\tb\ta\r\n10\ta"])
@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_adjacency_text_is_read(read: Callable[..., Any], text: str, packed: str) -> None:
    interactions, report = read(PACK[packed](text.encode()), "x.txt" + packed, format="adjacency")
    assert pairs_of(interactions) == PAIRS
    assert (report.format, report.n_rows, report.n_kept, report.rejected) == ("adjacency", 3, 3, {})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_and_utf16_are_read(read: Callable[..., Any], encoding: str) -> None:
    interactions, _ = read("user,item\né,1\nb,2\n".encode(encoding))
    assert pairs_of(interactions) == {("é", "1"), ("b", "2")}


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_parquet_is_read_packed_or_not(read: Callable[..., Any], tmp_path: Path, packed: str) -> None:
    pl = pytest.importorskip("polars")
    pl.DataFrame({"user_id": [7, 10, 7], "asin": ["b", "a", "a"]}).write_parquet(tmp_path / "made.parquet")
    interactions, report = read(PACK[packed]((tmp_path / "made.parquet").read_bytes()), "x.parquet" + packed)
    assert pairs_of(interactions) == PAIRS
    assert report.columns == {"user": "user_id", "item": "asin"}


def test_a_file_without_header_is_read_by_position(read: Callable[..., Any]) -> None:
    interactions, report = read(
        "7\tb\t5\t20\n10\ta\t3\t10\n7\ta\t4\t30\n",
        "u.data",
        user_column=1,
        item_column="2",
        rating_column=3,
        min_rating=4,
    )
    assert pairs_of(interactions) == {("7", "b"), ("7", "a")}
    assert report.columns == {"user": "column 1", "item": "column 2", "rating": "column 3"}
    assert report.rejected == {"the rating is below the minimum": 1}


def test_positions_with_a_header_skip_it(read: Callable[..., Any]) -> None:
    interactions, report = read("who,what\n7,b\n10,a\n7,a\n", user_column=1, item_column=2, header=True)
    assert pairs_of(interactions) == PAIRS
    assert report.columns == {"user": "who", "item": "what"}


def test_columns_may_be_named(read: Callable[..., Any]) -> None:
    interactions, _ = read("item,who,user\nb,7,x\na,10,y\na,7,z\n", user_column="who", item_column="item")
    assert pairs_of(interactions) == PAIRS


def test_quoted_fields_hold_delimiters_quotes_and_line_ends(read: Callable[..., Any]) -> None:
    interactions, _ = read('user,item\r\n"a, b","say ""hi"""\r\n"two\r\nlines",x\r\n')
    assert pairs_of(interactions) == {("a, b", 'say "hi"'), ("two\r\nlines", "x")}


def test_without_quoting_quotes_are_ordinary(read: Callable[..., Any]) -> None:
    interactions, _ = read('user,item\n"a,b"\n', quote=None)
    assert pairs_of(interactions) == {('"a', 'b"')}


def test_leading_zeros_and_large_numbers_keep_every_digit(read: Callable[..., Any]) -> None:
    interactions, _ = read(f"user,item\n007,{2**53 + 1}\n7,{2**53}\n{2**64},1\n")
    assert pairs_of(interactions) == {("007", str(2**53 + 1)), ("7", str(2**53)), (str(2**64), "1")}
    assert interactions.items.ids.dtype == np.int64


def test_repeats_count_once_and_keep_the_latest_time(read: Callable[..., Any]) -> None:
    interactions, report = read("user,item,ts\n1,1,5\n1,2,1\n1,1,9.5\n1,1,7\n", keep_timestamps=True)
    assert interactions.timestamps is not None
    assert interactions.timestamps.tolist() == [9.5, 1.0]
    assert report.rejected == {"the same user and item stood in another row": 2}
    assert report.n_rows == report.n_kept + sum(report.rejected.values()) == 4


def test_dates_become_seconds(read: Callable[..., Any]) -> None:
    text = "user,item,date\n1,1,1970-01-02\n1,2,1970-01-01T00:01:00+01:00\n1,3,1970-01-01 00:00:01.5\n"
    interactions, _ = read(text, keep_timestamps=True)
    assert interactions.timestamps.tolist() == [86400.0, -3540.0, 1.5]


def test_a_repeat_counts_by_its_best_rating(read: Callable[..., Any]) -> None:
    interactions, report = read("user,item,rating\n1,1,2\n1,1,5\n1,2,3.999\n", min_rating=4)
    assert pairs_of(interactions) == {("1", "1")}
    assert report.rejected == {"the rating is below the minimum": 2}


def test_a_user_of_adjacency_text_may_have_no_items(read: Callable[..., Any]) -> None:
    interactions, report = read("1 10 11 10\n2\n3 10\n", "x.txt")
    assert np.diff(interactions.indptr).tolist() == [2, 0, 1]
    assert report.rejected == {"the same user and item stood in another row": 1}
    assert report.notes == ["1 user without interactions"]
    assert report.training_notes == ["1 user interacted with every item: no item is left as a negative there"]


def test_the_k_core_is_counted(read: Callable[..., Any]) -> None:
    text = "user,item\n1,1\n1,2\n2,1\n2,2\n3,1\n"
    interactions, report = read(text, min_user_interactions=2, min_item_interactions=2)
    assert interactions.users.ids.tolist() == [1, 2]
    assert report.rejected == {"the user or the item has too few interactions": 1}
    assert report.n_rows == report.n_kept + 1 == 5


def test_rows_longer_than_a_block_and_many_blocks_are_read(read: Callable[..., Any], monkeypatch: Any) -> None:
    """Blocks of 64 bytes cut rows, quotes and tokens anywhere."""
    monkeypatch.setattr("nestrec.data.readers.blocks.BLOCK_BYTES", 64)
    rows = [(f"user {number}", f"ítem\n{number % 7}") for number in range(200)]
    text = "user,item\n" + "".join(f'"{user}","{item}"\r\n' for user, item in rows)
    assert pairs_of(read(text)[0]) == set(rows)
    lines = "".join(f"{number} " + " ".join(str(item) for item in range(number % 40)) + "\n" for number in range(50))
    interactions, report = read(lines, "x.txt")
    assert pairs_of(interactions) == {(str(user), str(item)) for user in range(50) for item in range(user % 40)}
    assert (interactions.n_users, report.n_rows) == (50, sum(number % 40 for number in range(50)))


def test_pairs_that_wait_in_a_file_come_back(monkeypatch: Any) -> None:
    with PairStore(memory_bytes=40, with_times=True) as store:
        for user in range(5):
            store.add(np.full(3, user, dtype=np.int32), np.arange(3, dtype=np.int32), np.full(3, float(user)))
        ranks = np.arange(5, dtype=np.int32)
        indptr, indices, times = store.rows(ranks, ranks, 2)
    assert indptr.tolist() == [0, 3, 6, 9, 12, 15]
    assert indices.tolist() == [0, 1, 2] * 5
    assert times is not None
    assert times.tolist() == np.repeat(np.arange(5.0), 3).tolist()


_ID = st.one_of(st.integers(-5, 5).map(str), st.text(st.sampled_from("aé0 "), min_size=1, max_size=4))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(rows=st.lists(st.tuples(_ID, _ID), min_size=1, max_size=30), seed=st.randoms(), threads=st.integers(1, 3))
def test_the_result_depends_on_the_pairs_alone(
    read: Callable[..., Any], rows: list[tuple[str, str]], seed: Any, threads: int
) -> None:
    """Not on row order, repeats, threads or format."""
    shuffled = [*rows, rows[0]]
    seed.shuffle(shuffled)
    text = "user,item\n" + "".join(f'"{user}","{item}"\n' for user, item in rows)
    lines = "".join(json.dumps({"item": item, "user": user}) + "\n" for user, item in shuffled)
    from_csv, from_json = read(text)[0], read(lines, "x.jsonl", threads=threads)[0]
    assert pairs_of(from_csv) == set(rows)
    assert from_csv.fingerprint() == from_json.fingerprint()


def test_progress_ends_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    seen: list[tuple[int, int | None]] = []
    read_interactions(path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_the_report_shows_every_row(read: Callable[..., Any]) -> None:
    _, report = read("user,item,rating\n1,1,5\n1,2,nan\n1,1,4\n1,,4\n", "r.csv", min_rating=1)
    lines = report.lines()
    assert lines[0].endswith("r.csv: 4 rows read as csv (user from user, item from item, rating from rating)")
    assert lines[1:5] == [
        "kept 1 interaction of 1 user with 1 item",
        "left out 1: the item id is missing (line 5: '')",
        "left out 1: the rating is not a finite number (line 3: 'nan')",
        "left out 1: the same user and item stood in another row",
    ]
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["n_rows"] == plain["n_kept"] + sum(plain["rejected"].values())
    assert plain["examples"]["the rating is not a finite number"] == ["line 3: 'nan'"]


def test_real_files_have_their_known_counts(shared_data: Path) -> None:
    for name, n_users, n_items, n_interactions in (
        ("raw/ml-latest-small/ratings.csv", 671, 9_066, 100_004),
        ("raw/ml-100k/ml-100k.inter", 943, 1_682, 100_000),
        ("phone/train.txt", 27_875, 10_427, 155_163),
    ):
        interactions, report = read_with_report(shared_data / name, options=ReadOptions(strict=True))
        assert (interactions.n_users, interactions.n_items, report.n_rows) == (n_users, n_items, n_interactions)
        assert interactions.n_interactions == n_interactions
        assert report.rejected == {}
