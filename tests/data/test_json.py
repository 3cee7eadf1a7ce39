"""JSON as people have it: optional keys, arrays, long lines, and records that are none."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nestrec.data.read_options import ReadOptions
from nestrec.errors import DataError
from tests.data.reports import read_with_report
from tests.data.test_reading import pairs_of

ROWS = [{"user": 7, "item": "b"}, {"user": 10, "item": "a"}, {"user": 7, "item": "a"}]
PAIRS = {("7", "b"), ("10", "a"), ("7", "a")}
LONG = 1 << 20


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Write a JSON file and read it; check that every record is in the account."""

    def write_and_read(contents: str | bytes, **options: Any) -> Any:
        path = tmp_path / "x.json"
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        interactions, report = read_with_report(path, options=ReadOptions(**options))
        assert report.n_rows == report.n_kept + sum(report.rejected.values())
        return interactions, report

    return write_and_read


def lines_of(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_keys_may_be_absent_from_the_first_object(read: Callable[..., Any]) -> None:
    """The first object decided which keys there are, so that lines had to be put in another order."""
    rows = [{"user": 1, "item": 2}, {"user": 1, "item": 3, "rating": 5, "ts": 10}, {"user": 2, "item": 3, "rating": 1}]
    interactions, report = read(lines_of(rows), min_rating=3)
    assert pairs_of(interactions) == {("1", "3")}
    assert report.columns == {"user": "user", "item": "item", "rating": "rating"}
    assert sum(report.rejected.values()) == 2
    assert read(lines_of([{"x": 1}, *rows]))[1].n_kept == 3


def test_a_named_key_may_come_after_the_sample(read: Callable[..., Any]) -> None:
    rows = [{"user": n, "item": n, "pad": "x" * 100} for n in range(2000)] + [{"user": 1, "item": 2, "grade": 9}]
    interactions, _ = read(lines_of(rows), min_rating=9, rating_column="grade")
    assert pairs_of(interactions) == {("1", "2")}
    with pytest.raises(DataError, match="has no column 'grade'; its columns are 'user', 'item'"):
        read(lines_of(ROWS), rating_column="grade")


def test_a_named_key_that_no_object_has_is_reported(read: Callable[..., Any]) -> None:
    rows = [{"user": n, "item": n, "pad": "x" * 100} for n in range(2000)]
    with pytest.raises(DataError, match="no object has a key 'person'"):
        read(lines_of(rows), user_column="person")


@pytest.mark.parametrize(
    "text",
    [
        "[\n" + ",\n".join(json.dumps(row) for row in ROWS) + "\n]\n",
        "[" + ",\n".join(json.dumps(row) for row in ROWS) + "]",
        "[\r\n" + " ,\r\n".join("  " + json.dumps(row) for row in ROWS) + "\r\n]\r\n",
        "[\n" + "\n,".join(json.dumps(row) for row in ROWS) + "\n]",
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        " \n " + json.dumps(ROWS, indent="\t") + " \n",
        "\n".join(json.dumps(row, indent=4) for row in ROWS),
        "\ufeff" + json.dumps(ROWS),
        json.dumps([{"pad": [{"user": 1}, {"item": 1}]} | row for row in ROWS], indent=1),
    ],
)
def test_arrays_are_read_however_their_lines_are_broken(
    read: Callable[..., Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at_once in (1 << 20, 7):
        monkeypatch.setattr("nestrec.data.readers.json_records._AT_ONCE", at_once)
        interactions, report = read(text)
        assert (pairs_of(interactions), report.rejected) == (PAIRS, {})


def test_elements_are_counted_with_their_lines(read: Callable[..., Any]) -> None:
    text = json.dumps([*ROWS, 5, {"user": None, "item": 1}, [1], {"user": 1}], indent=1)
    _, report = read(text)
    places = [example.place for shown in report.examples.values() for example in shown]
    lines = text.splitlines()
    assert places == [f"line {lines.index(' 5,') + 1}", f"line {lines.index(' [') + 1}", "line 15", "line 22"]
    _, report = read("[\n" + lines_of(ROWS[:1]).strip() + ",\n[1],\n" + lines_of(ROWS[1:2]) + "]\n")
    assert report.rejected == {"the line is not a JSON object": 1}


@pytest.mark.parametrize(
    "text",
    [json.dumps(ROWS)[:-1], json.dumps(ROWS, indent=2)[:-20], json.dumps(ROWS) + "x", json.dumps(ROWS)[:-1] + "{]",
     "[\n" + lines_of(ROWS).replace("}\n", "},\n")],
)  # fmt: skip
def test_an_array_that_is_cut_off_or_damaged_is_refused_whole(read: Callable[..., Any], text: str) -> None:
    with pytest.raises(DataError, match=r"x.json, line \d+: .*write one object a line, for example with `jq -c"):
        read(text)


def test_the_error_for_a_file_without_objects_says_how_to_convert(read: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"no JSON object in its first lines; write one object a line, .*jq -c"):
        read('"a"\n[1, 2]\n')
    with pytest.raises(DataError, match="no column of users among 'data'"):
        read(json.dumps({"data": ROWS}))


def test_long_lines_are_read_up_to_the_limit_and_counted_beyond(read: Callable[..., Any]) -> None:
    """A line of 500 MB was taken as an id."""
    first = json.dumps({"user": 1, "item": 2, "pad": "x" * 600_000})
    beyond = json.dumps({"user": "y" * LONG, "item": 2})
    for rows in ([first, *map(json.dumps, ROWS)], [*map(json.dumps, ROWS), first]):
        assert read("\n".join(rows))[1].n_kept == 4
    for rows in (
        [beyond, *map(json.dumps, ROWS)],
        [*map(json.dumps, ROWS), beyond],
        [*map(json.dumps, ROWS), beyond * 5],
    ):
        interactions, report = read("\n".join(rows))
        assert (pairs_of(interactions), report.rejected) == (PAIRS, {"the row is longer than 1 MiB": 1})
    with pytest.raises(DataError, match="holds no JSON object in its first lines"):
        read("\n".join([beyond * 5, *map(json.dumps, ROWS)]))
    with pytest.raises(DataError, match="an element is damaged or longer than 1 MiB"):
        read(f"[{json.dumps(ROWS[0])}, {beyond[:-20] * 3}]")


def test_one_endless_line_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with path.open("w") as file:
        file.write('{"user": 1, "item": 1}\n{"user": "')
        for _ in range(200):
            file.write("x" * (1 << 20))
        file.write('", "item": 2}\n{"user": 2, "item": 1}\n')
    code = (
        "import resource, sys\n"
        "from nestrec import read_interactions\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "report = read_interactions(sys.argv[1]).report\n"
        "print(report.n_rows, report.n_kept, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    n_rows, n_kept, kilobytes = map(int, done.stdout.split())
    assert (n_rows, n_kept) == (3, 2)
    assert kilobytes < 150_000
    assert resource.RUSAGE_SELF == 0


@pytest.mark.parametrize(
    "value", ["1" * 400, "9" * 5000, "1e999", "-1e999", '"x"', "[5]", "{}", "null", "NaN", "Infinity"]
)
def test_ratings_that_are_not_finite_numbers_are_counted(read: Callable[..., Any], value: str) -> None:
    """A number of 400 digits ended the reading with an OverflowError."""
    _, report = read(lines_of([{"user": 1, "item": 1, "rating": 4}]) + f'{{"user": 1, "item": 2, "rating": {value}}}\n',
                     min_rating=1)  # fmt: skip
    assert (report.n_kept, report.rejected) == (1, {"the rating is not a finite number": 1})
    assert len(str(report.examples["the rating is not a finite number"][0])) < 150


def test_ids_of_any_number_of_digits_stay_exact(read: Callable[..., Any]) -> None:
    ids = ["1" * 400, "7" * 5000, str(2**63), str(-(2**63))]
    interactions, _ = read("".join(f'{{"user": {number}, "item": 1}}\n' for number in ids))
    assert set(interactions.users.ids.tolist()) == set(ids)


def test_strange_objects_are_counted_and_the_rest_is_read(read: Callable[..., Any]) -> None:
    lines = [
        '{"user": 1, "user": 2, "item": 5}',  # the last of equal keys counts
        '{"user": "\\ud83d\\ude00", "item": 5}',
        '{"user": "\\ud83d", "item": 5}',
        '{"user": NaN, "item": 5}',
        '{"user": 3, "item": ' + "[" * 100_000 + "}",
        '{"user": 3, "item": [1, 2]}',
        '{"user": {"id": 3}, "item": 1}',
        '{"user": 4, "item": "é"}',
        '{"user": 1e400, "item": 5}',
    ]
    interactions, report = read("\n".join(lines).encode() + b'\n{"user": "\xff", "item": 5}\n\x00\n')
    assert pairs_of(interactions) == {("2", "5"), ("😀", "5"), ("4", "é")}
    assert report.rejected == {
        "the line is not a JSON object": 3,
        "the user id is missing": 1,
        "the id is neither a whole number nor text": 2,
        "the id is a list or an object": 2,
    }
    assert all("\ud83d" not in line for line in report.lines())


def test_lines_that_are_broken_alike_are_not_joined(read: Callable[..., Any]) -> None:
    """Many lines are parsed at once, which must not make one object of two lines."""
    lines = ['{"user": 0, "item": 0}', '{"user": 1, "item": 1}, {"user": 2, "item": 2}', '{"user": [{}',
             '{}], "user": 3, "item": 3}', '{"user": 4, "item": 4}']  # fmt: skip
    interactions, report = read("\n".join(lines))
    assert pairs_of(interactions) == {("0", "0"), ("4", "4")}
    assert report.rejected == {"the line is not a JSON object": 3}


@pytest.mark.parametrize("text", ['{"user": 1, "items": [5, "6", 7]}', '{"user": 1, "items": "5 6 7"}',
                                  '[{"user": 1, "items": [5, 6]}, {"user": 1, "items": [7]}]'])  # fmt: skip
def test_a_list_of_items_is_an_interaction_for_each(read: Callable[..., Any], text: str) -> None:
    interactions, report = read(text, item_column="items", sequence=True)
    assert pairs_of(interactions) == {("1", "5"), ("1", "6"), ("1", "7")}
    assert report.n_rows == 3


def test_elements_without_an_id_are_counted(read: Callable[..., Any]) -> None:
    rows = [{"user": 1, "items": [5, None, "", [6]]}, {"user": 2, "items": []}, {"user": 3, "items": None}, {"user": 4}]
    _, report = read(lines_of(rows), item_column="items", sequence=True)
    assert report.n_rows == 7
    assert report.rejected == {"the item id is missing": 5, "the id is a list or an object": 1}


def test_without_sequence_a_list_is_counted_and_the_way_out_named(read: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"the id is a list or an object.*sequence"):
        read(lines_of([{"user": 1, "item": [1, 2]}]))


def test_a_first_line_beyond_the_limit_is_named_as_such(read: Callable[..., Any]) -> None:
    """The error said that the first lines have no object."""
    with pytest.raises(DataError, match="line 1: the row is longer than 1 MiB"):
        read(lines_of([{"user": 1, "item": 1, "text": "x" * (2 * LONG)}, {"user": 2, "item": 2}]))
