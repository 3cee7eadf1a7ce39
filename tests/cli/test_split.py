"""`nestrec split`: files with all rows and columns, a report, and the commands that use them."""

from __future__ import annotations

import csv
import gzip
import json
import shlex
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Run
from tests.data.reports import read_with_report

HEADER = "when,user_id,note,item_id\n"


def table(n_users: int = 30, n_items: int = 12) -> list[str]:
    """Rows with blanks, quotes, line ends and leading zeros."""
    notes = ["plain", '"said ""yes"", then\nleft"', "", '"a,b"']
    return [
        f"{100 * user + item},{user:04},{notes[(user + item) % 4]},{item:03}"
        for user in range(n_users)
        for item in range(n_items)
        if (user * item) % 5 != 1
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(HEADER + "\n".join(table()) + "\n", newline="")
    return path


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("by", ["random", "time", "leave-last-out"])
def test_every_row_is_kept_unchanged_in_one_part(run: Run, file: Path, tmp_path: Path, by: str) -> None:
    result = run("split", file, "--by", by, "--timestamp-column", "when", "--out", tmp_path / "parts")
    assert result.code == 0
    parts = [(tmp_path / "parts" / f"{name}.csv").read_text() for name in ("train", "validation", "test")]
    assert all(part.startswith(HEADER) for part in parts)
    whole = rows_of(file)[1:]
    found = [row for name in ("train", "validation", "test") for row in rows_of(tmp_path / "parts" / f"{name}.csv")[1:]]
    assert sorted(found) == sorted(whole)
    assert sum(len(part) - len(HEADER) for part in parts) == len(file.read_text()) - len(HEADER)
    assert "cold items" in result.out


def test_the_commands_it_names_work(run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("split", file, "--timestamp-column", "when", "--out", "my parts")
    lines = [line.strip() for line in result.err.splitlines() if line.strip().startswith("nestrec ")]
    assert len(lines) == 2
    train, evaluate = (shlex.split(line)[1:] for line in lines)
    assert run(*train, "--epochs", "2", "--widths", "2,4").code == 0
    judged = run(*evaluate)
    assert judged.code == 0
    assert "training data too" not in judged.err


def test_parquet_keeps_columns_types_and_rows(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log [1].parquet"
    query = (
        "SELECT i % 17 AS user_id, (i * 7) % 23 AS item_id, i::DOUBLE / 3 AS price, [i, i] AS tags FROM range(300) t(i)"
    )
    duckdb.sql(f"COPY ({query}) TO '{path}'")
    assert run("split", path, "--out", tmp_path / "parts").code == 0
    with duckdb.connect() as database:
        parts = [
            database.read_parquet(str(tmp_path / "parts" / f"{n}.parquet")) for n in ("train", "validation", "test")
        ]
        assert {tuple(map(str, part.types)) for part in parts} == {("BIGINT", "BIGINT", "DOUBLE", "BIGINT[]")}
        found = [row for part in parts for row in part.fetchall()]
        assert sorted(map(str, found)) == sorted(map(str, database.sql(query).fetchall()))


@pytest.mark.parametrize(("to", "suffix"), [("parquet", ".parquet"), ("csv", ".csv")])
def test_formats_can_be_chosen(run: Run, file: Path, tmp_path: Path, to: str, suffix: str) -> None:
    """Ids stay as they are in the file: 0007 is text."""
    assert run("split", file, "--to", to, "--out", tmp_path / "parts").code == 0
    train = tmp_path / "parts" / f"train{suffix}"
    with duckdb.connect() as database:
        source = f"read_csv('{train}', all_varchar=true)" if to == "csv" else f"'{train}'"
        ids = database.sql(f"SELECT DISTINCT user_id FROM {source} ORDER BY 1").fetchall()
    assert ids[:2] == [("0000",), ("0001",)]


ODD = ["NA", " a ", "x,y", 'q"t', "NULL", "plain"]


@pytest.mark.parametrize("name", ["odd.parquet", "odd.jsonl"])
def test_csv_is_quoted_where_a_reader_would_alter_ids(run: Run, tmp_path: Path, name: str) -> None:
    """Ids such as NA were written without quotes and read back as missing."""
    rows = [(ODD[k % 6], ODD[k // 6 % 6]) for k in range(36)]
    path = tmp_path / name
    path.write_text("".join(json.dumps({"user": user, "item": item}) + "\n" for user, item in rows))
    if name.endswith(".parquet"):
        with duckdb.connect() as database:
            source = f"read_json('{path}', format='newline_delimited', columns={{user: 'VARCHAR', item: 'VARCHAR'}})"
            table = database.sql(f"FROM {source}").fetchall()
            database.execute('CREATE TABLE t ("user" VARCHAR, item VARCHAR)')
            database.executemany("INSERT INTO t VALUES (?, ?)", table)
            database.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    assert run("split", path, "--to", "csv", "--out", tmp_path / "parts").code == 0
    found, report = read_with_report([tmp_path / "parts" / f"{part}.csv" for part in ("train", "validation", "test")])
    assert (report.n_rows, report.n_kept) == (36, 36)
    assert sorted(found.users.ids.tolist()) == sorted(found.items.ids.tolist()) == sorted(ODD)


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.inter", "user_id:token\titem_id:token\n" + "".join(f"{k % 8}\t{k % 5}\n" for k in range(40)), []),
        ("a.csv", "user;item\n" + "".join(f"{k % 8};{k % 5}\n" for k in range(40)), []),
        ("a.txt", "".join(f" {k % 8}   {k % 5}\n" for k in range(40)),
         ["--format", "csv", "--delimiter", " ", "--user-column", "1", "--item-column", "2"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_delimited_text_is_converted_and_read_with_the_options_that_are_printed(
    run: Run, tmp_path: Path, name: str, text: str, options: list[str], to: str
) -> None:
    """--to csv left tab-separated text as it was, and --to forgot which columns to read."""
    (tmp_path / name).write_text(text)
    result = run("split", tmp_path / name, "--to", to, "--out", tmp_path / "parts", *options)
    assert result.code == 0
    train = tmp_path / "parts" / f"train.{to}"
    if to == "csv":
        assert train.read_text().splitlines()[0] in ("user_id,item_id", "user,item", "column1,column2")
    told = next(line for line in result.err.splitlines() if "nestrec train" in line)
    arguments = [*shlex.split(told)[1:], "--epochs", "1", "--widths", "2"]
    arguments[arguments.index("--out") + 1] = str(tmp_path / "model")
    assert run(*arguments).code == 0


def test_packed_and_headless_text(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "u.data.gz"
    path.write_bytes(gzip.compress("".join(f"{i % 20}\t{i % 13}\t{i % 5}\t{i}\n" for i in range(260)).encode()))
    columns = ["--user-column", "1", "--item-column", "2", "--timestamp-column", "4"]
    result = run("split", path, "--by", "time", "--out", tmp_path / "parts", *columns)
    assert result.code == 0
    assert "--user-column 1 --item-column 2" in result.err
    names = sorted(part.name for part in (tmp_path / "parts").iterdir())
    assert names == ["test.data", "train.data", "validation.data"]
    assert (tmp_path / "parts" / "train.data").read_text().startswith("0\t0\t0\t0\n1\t1\t1\t1\n")


def test_adjacency_and_converted_json_lines_are_written_as_pairs(run: Run, tmp_path: Path) -> None:
    text, lines = tmp_path / "a.txt", tmp_path / "a.jsonl"
    text.write_text("".join(f"{user} " + " ".join(str(i) for i in range(user % 7 + 3)) + "\n" for user in range(15)))
    lines.write_text("".join(f'{{"user": "u{i % 11}", "item": "i{i % 7}", "more": 1}}\n' for i in range(77)))
    split = run("split", text, "--format", "adjacency", "--out", tmp_path / "one")
    assert split.code == 0
    together = [line.split() for name in ("train", "validation", "test")
                for line in (tmp_path / "one" / f"{name}.txt").read_text().splitlines()]  # fmt: skip
    assert sum(len(tokens) - 1 for tokens in together) == sum(user % 7 + 3 for user in range(15))
    assert "--format adjacency" in next(line for line in split.err.splitlines() if "nestrec train" in line)
    result = run("split", lines, "--out", tmp_path / "two", "--to", "csv")
    assert "to keep all keys" in result.err
    assert (tmp_path / "two" / "test.csv").read_text().startswith("user_id,item_id\n")


def test_json_lines_are_copied_byte_for_byte(run: Run, tmp_path: Path) -> None:
    """Only user and item were kept, though every format keeps all original columns."""
    path = tmp_path / "log.jsonl.gz"
    good = [
        f'{{"who":  "ü{i % 11}", "it": {i % 7}, "price": {i}.50, "tags": ["a",  "b"], "big": {"9" * 400}}}'.encode()
        + (b"\r" if i % 5 == 0 else b"")
        for i in range(77)
    ]
    bad = [b"", b"no JSON", b'{"who": null, "it": 1}', b'{"who": "x", "it": "a\\u0000b"}']
    path.write_bytes(gzip.compress(b"\n".join([*good[:30], *bad, *good[30:]])))
    result = run("split", path, "--out", tmp_path / "parts", "--user-column", "who", "--item-column", "it")
    assert result.code == 0
    parts = [tmp_path / "parts" / f"{name}.jsonl" for name in ("train", "validation", "test")]
    rows = [line for part in parts for line in part.read_bytes().split(b"\n") if line]
    assert sorted(rows) == sorted(good)
    assert all(len(part.read_bytes()) for part in parts)
    assert "--user-column who --item-column it" in next(line for line in result.err.splitlines() if "train " in line)


@pytest.mark.parametrize("indent", [None, 2])
def test_objects_of_a_json_array_become_lines_with_all_keys(run: Run, tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "log.json"
    rows = [{"user": f"u{i % 11}", "item": i % 7, "time": i, "note": "a\nb", "in": {"x": [1, 2]}} for i in range(77)]
    path.write_text(json.dumps(rows, indent=indent))
    assert run("split", path, "--by", "time", "--out", tmp_path / "parts").code == 0
    parts = [tmp_path / "parts" / f"{name}.jsonl" for name in ("train", "validation", "test")]
    found = [[json.loads(line) for line in part.read_text().splitlines()] for part in parts]
    assert all(row in rows for part in found for row in part)
    times = [row["time"] for part in found for row in part]
    assert times == sorted(times)
    assert len(found[0]) == len({(row["user"], row["item"]) for row in rows[: found[0][-1]["time"] + 1]})


def test_nothing_is_replaced_without_overwrite(run: Run, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "parts"
    out.mkdir()
    (out / "train.csv").write_text("mine")
    result = run("split", file, "--out", out)
    assert (result.code, (out / "train.csv").read_text()) == (1, "mine")
    assert "--overwrite" in result.err
    assert run("split", file, "--out", out, "--overwrite").code == 0
    result = run("split", file, "--out", out, "--overwrite", "--validation-fraction", "0")
    assert result.code == 1
    assert "belongs to another split" in result.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--by", "time"], "timestamp"),
        (["--by", "leave-last-out", "--timestamp-column", "when", "--test-fraction", "0.1"], "--test-fraction"),
        (["--by", "time", "--timestamp-column", "when", "--at", "yesterday"], "--at must be seconds or an ISO 8601"),
        (["--test-fraction", "2"], "--test-fraction must be between 0 and 1, got 2"),
        (["--sequence"], "sequences"),
        (["--threads", "0"], "--threads must be at least 1, got 0"),
    ],
)
def test_mistakes_are_one_sentence(run: Run, file: Path, tmp_path: Path, arguments: list[str], told: str) -> None:
    result = run("split", file, "--out", tmp_path / "parts", *arguments)
    assert result.code == (1 if told == "timestamp" else 2)
    assert told in result.err
    assert not (tmp_path / "parts").exists() or not list((tmp_path / "parts").iterdir())


def test_shares_and_seed_are_used(run: Run, file: Path, tmp_path: Path) -> None:
    options = ("--test-fraction", "0.5", "--validation-fraction", "0")
    for seed in (1, 2):
        assert run("split", file, "--out", tmp_path / str(seed), *options, "--seed", seed).code == 0
    one, other = ((tmp_path / str(seed) / "test.csv").read_text() for seed in (1, 2))
    assert one != other
    assert len(rows_of(tmp_path / "1" / "test.csv")) - 1 == round(len(table()) / 2)
    assert not (tmp_path / "1" / "validation.csv").exists()


def test_a_moment_parts_the_rows(run: Run, file: Path, tmp_path: Path) -> None:
    options = ("--by", "time", "--timestamp-column", "when", "--at", "2000", "--validation-fraction", "0")
    assert run("split", file, "--out", tmp_path / "parts", *options).code == 0
    train, test = ([int(row[0]) for row in rows_of(tmp_path / "parts" / f"{n}.csv")[1:]] for n in ("train", "test"))
    assert max(train) < 2000 <= min(test)


@pytest.mark.parametrize("option", ["--min-user-interactions", "--min-item-interactions"])
def test_filters_leave_rows_out_and_count_them(run: Run, file: Path, tmp_path: Path, option: str) -> None:
    with file.open("a") as more:
        more.write("7,lonely,x,rare\n")
    result = run("split", file, "--out", tmp_path / "parts", option, "2")
    assert "left out 1:" in result.err
    parts = [(tmp_path / "parts" / f"{name}.csv").read_text() for name in ("train", "validation", "test")]
    assert not any("lonely" in part for part in parts)


def test_a_folder_is_not_a_file(run: Run, tmp_path: Path) -> None:
    assert "regular file" in run("split", tmp_path, "--out", tmp_path / "parts").err


def test_a_file_that_is_not_there_does_not_exist(run: Run, tmp_path: Path) -> None:
    result = run("split", tmp_path / "none.csv", "--out", tmp_path / "parts")
    assert (result.code, f"{tmp_path / 'none.csv'} does not exist" in result.err) == (1, True)
