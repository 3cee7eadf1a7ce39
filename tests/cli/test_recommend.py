"""`nestrec recommend`: who is asked for, which formats come out, what is refused."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from nestrec.cli import progress
from nestrec.embeddings import NestedEmbeddings
from nestrec.export import batch
from nestrec.reranking import Calibrate, Diversify, Quota, Topics
from tests.cli.conftest import Run

HEADER = ["user_id", "item_id", "rank", "score"]


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def expected(model: Path, user: str, k: int, width: int | None = None) -> list[list[str]]:
    ids, scores = NestedEmbeddings.load(model).recommend(user, k, width)
    return [
        [user, item, str(place + 1), str(score)] for place, (item, score) in enumerate(zip(ids, scores, strict=True))
    ]


def test_piped_it_is_csv_of_what_the_library_recommends(run: Run, model: Path) -> None:
    result = run("recommend", model, "--user", "u001", "--user", "u002", "-k", "3", "--width", "4")
    assert result.code == 0
    assert rows_of(result.out) == [HEADER, *expected(model, "u001", 3, 4), *expected(model, "u002", 3, 4)]


def test_on_a_terminal_it_is_a_table(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "80")
    result = run("recommend", model, "--user", "u001", "-k", "3")
    assert "─" in result.out
    assert "," not in result.out


def test_out_dash_is_csv_on_stdout_even_on_a_terminal(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    result = run("recommend", model, "--user", "u001", "-k", "3", "--out", "-")
    assert (rows_of(result.out), result.err) == ([HEADER, *expected(model, "u001", 3)], "")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_holds_the_same_rows(run: Run, model: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"answers.{suffix}"
    result = run("recommend", model, "--all-users", "-k", "2", "--out", path)
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith(f"Wrote {path}: 150 users, 300 rows; " if suffix == "parquet" else f"Wrote {path}.\n")
    users = NestedEmbeddings.load(model).users.ids.tolist()
    read = _read(path)
    assert len(read) == 2 * len(users)
    assert [row[:3] for row in read[:2]] == [row[:3] for row in expected(model, users[0], 2)]
    scores = [[np.float32(row[3]) for row in rows] for rows in (read[:2], expected(model, users[0], 2))]
    assert scores[0] == scores[1]
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def _read(path: Path) -> list[list[str]]:
    if path.suffix == ".parquet":
        with duckdb.connect() as database:
            return [[str(value) for value in row] for row in database.read_parquet(str(path)).fetchall()]
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        records = [json.loads(line) for line in text.splitlines()]
        assert list(records[0]) == HEADER
        return [[str(value) for value in record.values()] for record in records]
    rows = list(csv.reader(io.StringIO(text), delimiter="," if path.suffix == ".csv" else "\t"))
    assert rows[0] == HEADER
    return rows[1:]


def test_whole_number_ids_stay_numbers_in_parquet(run: Run, tmp_path: Path) -> None:
    NestedEmbeddings.from_arrays([[1.0]], [[1.0], [2.0]], [1]).save(tmp_path / "m")
    assert run("recommend", tmp_path / "m", "--user", "0", "--out", tmp_path / "a.parquet").code == 0
    with duckdb.connect() as database:
        relation = database.read_parquet(str(tmp_path / "a.parquet"))
        assert [str(kind) for kind in relation.types] == ["BIGINT", "BIGINT", "BIGINT", "FLOAT"]
        assert relation.fetchall() == [(0, 1, 1, 2.0), (0, 0, 2, 1.0)]


def test_blocks_of_users_give_what_one_block_gives(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("recommend", model, "--all-users", "-k", "4", "--out", tmp_path / "one.csv")
    monkeypatch.setattr("nestrec.cli.recommend._ROWS_IN_MEMORY", 40)
    for suffix in ("csv", "parquet"):
        run("recommend", model, "--all-users", "-k", "4", "--out", tmp_path / f"many.{suffix}")
        assert [row[:3] for row in _read(tmp_path / f"many.{suffix}")] == [
            row[:3] for row in _read(tmp_path / "one.csv")
        ]


@pytest.mark.parametrize(
    ("name", "text"),
    [("u.txt", "u002\n\nu001\n"), ("u.csv", "user_id,age\nu002,3\nu001,4\n"), ("u.tsv", "u002\tx\nu001\ty\n")],
)
def test_users_come_from_lines_or_a_first_column(run: Run, model: Path, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    result = run("recommend", model, "--users", tmp_path / name, "-k", "1")
    assert [row[0] for row in rows_of(result.out)] == ["user_id", "u002", "u001"]


def test_a_packed_file_of_users_is_unpacked(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "u.csv.gz").write_bytes(gzip.compress(b"user,age\nu003,2\n"))
    result = run("recommend", model, "--users", tmp_path / "u.csv.gz", "-k", "1")
    assert [row[0] for row in rows_of(result.out)] == ["user_id", "u003"]


def test_seen_items_come_only_when_asked_for(run: Run, model: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    seen = set(loaded.items.ids_at(loaded.seen.indices[: loaded.seen.indptr[1]]).tolist())
    k = loaded.n_items
    left_out = {row[1] for row in rows_of(run("recommend", model, "--user", "u001", "-k", k).out)[1:]}
    everything = {
        row[1] for row in rows_of(run("recommend", model, "--user", "u001", "-k", k, "--include-seen").out)[1:]
    }
    assert everything - left_out == seen


def test_allow_and_deny_lists_bound_the_items(run: Run, model: Path, tmp_path: Path) -> None:
    best = [row[1] for row in rows_of(run("recommend", model, "--user", "u001", "-k", "4").out)[1:]]
    (tmp_path / "some.txt").write_text("item_id\n" + "\n".join(best[:3]))
    (tmp_path / "not.txt").write_text(best[0] + "\n")
    words = ["recommend", model, "--user", "u001", "-k", "4"]
    assert [row[1] for row in rows_of(run(*words, "--allow", tmp_path / "some.txt").out)[1:]] == best[:3]
    assert [row[1] for row in rows_of(run(*words, "--deny", tmp_path / "not.txt").out)[1:4]] == best[1:4]


def test_unknown_users_are_an_error_or_skipped_and_reported(run: Run, model: Path) -> None:
    words = ["recommend", model, "--user", "nobody", "--user", "u001", "-k", "1"]
    refused = run(*words)
    assert (refused.code, refused.out) == (1, "")
    assert "user id 'nobody' is unknown to the model" in refused.err
    assert "give --skip-unknown to leave unknown ones out" in refused.err
    skipped = run(*words, "--skip-unknown")
    assert [row[0] for row in rows_of(skipped.out)] == ["user_id", "u001"]
    assert skipped.err == "Skipped 1 user unknown to the model: 'nobody'\n"


def test_unknown_items_are_reported_once(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nestrec.cli.recommend._ROWS_IN_MEMORY", 40)
    (tmp_path / "i.txt").write_text("jam\n")
    result = run("recommend", model, "--all-users", "--deny", tmp_path / "i.txt", "--skip-unknown")
    assert result.err == "Skipped 1 item unknown to the model: 'jam'\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--history FILE; got none"),
        (["--user", "u001", "--all-users"], "got --user and --all-users"),
        (["--user", "u001", "--width", "3"], "width 3 was not trained; choose one of 2, 4, 8"),
        (["--user", "u001", "-k", "0"], "must be 1 or more"),
        (["--user", "u001", "--out", "a.xlsx"], "--out must end with one of .csv, .tsv, .jsonl, .parquet, got a.xlsx"),
        (["--user", "u001", "--out", "/proc/no/a.csv"], "nothing can be written into /proc/no"),
        (["--user", "u001", "--threads", "0"], "--threads must be at least 1, got 0"),
        (["--users", "nothere.txt"], "nothere.txt does not exist"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(run: Run, model: Path, words: list[str], sentence: str) -> None:
    result = run("recommend", model, *words)
    assert (result.code, result.out) == (1 if "proc" in sentence or "exist" in sentence else 2, "")
    assert sentence in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\n\n", "holds no user ids"),
        (b"PAR1....", "no Parquet file that can be read"),
        (b"a\xff\xfeb\n", "must be UTF-8 text"),
        (b"movieId\nu001\n", "must be a file of user ids, got the column movieId"),
    ],
)
def test_a_file_of_users_that_cannot_be_used_is_reported(
    run: Run, model: Path, tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "u.txt").write_bytes(content)
    result = run("recommend", model, "--users", tmp_path / "u.txt")
    assert result.code == 1
    assert sentence in result.err


def test_a_failing_write_leaves_nothing(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "u.txt").write_text("u001\nnobody\n")
    result = run("recommend", model, "--users", tmp_path / "u.txt", "--out", tmp_path / "a.csv")
    assert result.code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["u.txt"]


def test_a_damaged_model_is_reported(run: Run, model: Path, tmp_path: Path) -> None:
    NestedEmbeddings.load(model).save(tmp_path / "m")
    file = tmp_path / "m" / "embeddings.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    result = run("recommend", tmp_path / "m", "--user", "u001")
    assert result.code == 1
    assert "is damaged" in result.err


def test_a_user_with_nothing_left_is_reported(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("nothing-like-it\n")
    result = run("recommend", model, "--user", "u001", "--allow", tmp_path / "none.txt", "--skip-unknown")
    assert result.code == 0
    assert "No item is left to recommend to 1 user; --include-seen allows seen items" in result.err


def test_a_file_of_json_lines_names_users(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.jsonl").write_text('{"user_id": "u001"}\n"u002"\n')
    result = run("recommend", model, "--users", tmp_path / "ids.jsonl", "-k", "1")
    assert [row[0] for row in rows_of(result.out)] == ["user_id", "u001", "u002"]


def test_an_id_that_is_not_text_is_one_sentence(run: Run, model: Path) -> None:
    """Python decodes bytes of a command line that are not UTF-8 so."""
    result = run("recommend", model, "--user", "\udcff")
    assert result.code == 1
    assert "give ids as UTF-8" in result.err


def test_an_interrupted_file_of_all_users_continues(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.parquet"
    words = ("recommend", model, "--all-users", "-k", "2", "--out", path)
    monkeypatch.setattr(batch, "recommend_all", partial(batch.recommend_all, rows_per_part=100))
    with monkeypatch.context() as interrupted:
        interrupted.setattr(progress, "counting_bar", _interrupting)
        stopped = run(*words)
    assert stopped.code == 130
    assert f"are in {path}.parts; to continue, give the same command with --resume" in stopped.err
    result = run(*words, "--resume")
    assert result.code == 0
    assert "150 users, 50 of them by an earlier run, 300 rows" in result.err
    assert len(_read(path)) == 300


@contextmanager
def _interrupting(_: str) -> Iterator[Any]:
    def advance(done: int, total: int) -> None:
        raise KeyboardInterrupt

    yield advance


def test_only_a_parquet_file_of_all_users_continues(run: Run, model: Path, tmp_path: Path) -> None:
    for words in (("--user", "u001"), ("--all-users", "--out", tmp_path / "a.csv"), ("--all-users",)):
        result = run("recommend", model, *words, "--resume")
        assert result.code == 2
        assert "--resume needs --all-users" in result.err


@pytest.mark.parametrize("name", ["pipe", "pipe.jsonl"])
def test_a_pipe_needs_no_suffix_and_gets_csv_unless_it_has_one(
    run: Run, model: Path, tmp_path: Path, name: str
) -> None:
    """A suffix was asked for, so answers could not be written to /dev/null, /dev/stdout or a pipe."""
    pipe, got = tmp_path / name, []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    result = run("recommend", model, "--user", "u001", "-k", "3", "--out", pipe)
    reader.join(timeout=60)
    assert result.code == 0
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    if name == "pipe":
        assert rows_of(got[0]) == [HEADER, *expected(model, "u001", 3)]
    else:
        assert [json.loads(line)["item_id"] for line in got[0].splitlines()] == [
            row[1] for row in expected(model, "u001", 3)
        ]


@pytest.mark.parametrize("command", ["recommend", "similar"])
def test_the_null_device_needs_no_suffix(run: Run, model: Path, command: str) -> None:
    assert run(command, model, "--user", "u001", "-k", "3", "--out", "/dev/null").code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_history_recommends_to_the_users_of_a_file(run: Run, model: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    first, second, third = loaded.items.ids[:3].tolist()
    path = tmp_path / "new.csv"
    path.write_text(f"user,item\nzoe,{first}\nzoe,{second}\nann,{third}\n")
    result = run("recommend", model, "--history", path, "-k", "3", "--width", "4")
    assert result.code == 0
    ranking = loaded.recommend_for({"ann": [third], "zoe": [first, second]}, 3, 4)
    expected_rows = [[str(value) for value in row] for row in zip(*ranking.columns(), strict=True)]
    assert rows_of(result.out) == [HEADER, *expected_rows]


def test_an_unknown_id_that_is_repeated_is_named_once(run: Run, model: Path) -> None:
    words = ("recommend", model, "--user", "u001", "--user", "nobody", "--user", "nobody")
    assert "user id 'nobody' is unknown" in run(*words).err
    assert "Skipped 2 users unknown to the model: 'nobody'\n" in run(*words, "--skip-unknown").err


def test_unknown_items_of_a_history_are_an_error_or_skipped(run: Run, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text(f"user,item\nzoe,{NestedEmbeddings.load(model).items.ids[0]}\nzoe,never-heard-of\n")
    failed = run("recommend", model, "--history", path)
    assert (failed.code, failed.out) == (1, "")
    assert "never-heard-of" in failed.err
    skipped = run("recommend", model, "--history", path, "--skip-unknown")
    assert skipped.code == 0
    assert "never-heard-of" in skipped.err
    assert run("recommend", model, "--history", path, "--user", "u001").code == 2


@pytest.mark.parametrize(
    ("words", "rerank"),
    [
        (["--diversity", "0.6"], Diversify(0.6)),
        (["--diversity", "0.6", "--diversity-width", "4"], Diversify(0.6, 4)),
        (["--calibrate", "0.7"], Calibrate(0.7)),
        (["--most-per-group", "1", "--groups", "9"], Quota(1, Topics(9))),
    ],
)
def test_lists_are_reranked_as_by_the_library(run: Run, model: Path, words: list[str], rerank: Any) -> None:
    loaded = NestedEmbeddings.load(model)
    expected = loaded.recommend("u001", k=4, rerank=rerank)
    result = run("recommend", model, "--user", "u001", "-k", "4", *words)
    assert result.code == 0
    assert [row[1] for row in csv.reader(io.StringIO(result.out))][1:] == [str(item) for item in expected.ids.tolist()]


def test_a_popularity_penalty_is_that_of_the_library(run: Run, model: Path) -> None:
    expected = NestedEmbeddings.load(model).recommend("u001", k=4, popularity_penalty=0.5)
    result = run("recommend", model, "--user", "u001", "-k", "4", "--popularity-penalty", "0.5")
    assert [row[1] for row in csv.reader(io.StringIO(result.out))][1:] == [str(item) for item in expected.ids.tolist()]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--diversity", "0.3", "--calibrate", "0.3"], "--calibrate"),
        (["--diversity-width", "2"], "--diversity"),
        (["--groups", "4"], "--most-per-group"),
        (["--diversity", "7"], "--diversity must be a number from 0 (scores alone) to 1, got 7"),
        (["--calibrate", "7"], "--calibrate must be a number from 0 (scores alone) to 1, got 7"),
        (["--diversity", "0.3", "--diversity-width", "3"], "--diversity-width must be one of 2, 4, 8; got 3"),
        (["--most-per-group", "0"], "--most-per-group must be 1 or more"),
        (["--most-per-group", "1", "--groups", "0"], "--groups must be 1 or more"),
        (["--most-per-group", "1", "--groups", "genre"], "item table"),
        (["--popularity-penalty", "-1"], "--popularity-penalty must be between 0 and 1000000, got -1"),
        (["--weight-column", "plays"], "--history"),
    ],
)
def test_reranking_options_without_effect_are_mistakes(run: Run, model: Path, words: list[str], named: str) -> None:
    result = run("recommend", model, "--user", "u001", *words)
    assert (result.code, result.out) == (2, "")
    assert named in result.err


def test_a_history_may_have_weights(run: Run, model: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    items, path = loaded.items.ids[[2, 9, 20]].tolist(), tmp_path / "new.csv"
    rows = [f"ann,{item},{weight}" for item, weight in zip(items, (1, 1, 50), strict=True)]
    path.write_text("\n".join(["user_id,item_id,plays", *rows, ""]), encoding="utf-8")
    expected = loaded.recommend_for({"ann": items}, k=3, weights={"ann": [1, 1, 50]})
    result = run("recommend", model, "--history", path, "-k", "3", "--weight-column", "plays")
    assert [row[1] for row in csv.reader(io.StringIO(result.out))][1:] == expected.ids[0].tolist()


@pytest.mark.parametrize(
    ("column", "low", "high", "words"),
    [("rating", 2, 5, ("--min-rating", 4)), ("plays", 0, 3, ("--weight-column", "plays"))],
)
def test_items_that_are_dropped_from_a_history_are_seen_all_the_same(
    run: Run, model: Path, tmp_path: Path, column: str, low: int, high: int, words: tuple[object, ...]
) -> None:
    """Items rated low, or with a weight of 0, were recommended back to those who have them."""
    loaded, path = NestedEmbeddings.load(model), tmp_path / "new.csv"
    liked = loaded.items.ids[:2].tolist()
    dropped, further = loaded.recommend_for(liked, 2).ids.tolist()
    rows = [f"zoe,{liked[0]},{high}", f"zoe,{liked[1]},{high}", f"zoe,{dropped},{low}", f"ann,{further},{high}"]
    path.write_text(f"user,item,{column}\n" + "\n".join(rows) + "\n")
    best = loaded.recommend_for({"zoe": liked}, 1, deny=[dropped])
    found = rows_of(run("recommend", model, "--history", path, "-k", loaded.n_items, *words).out)
    of_zoe = [row for row in found if row[0] == "zoe"]
    assert of_zoe[0][1] == best.ids[0, 0] == further
    assert dropped not in {row[1] for row in of_zoe}
    assert dropped in {row[1] for row in found if row[0] == "ann"}
    included = rows_of(run("recommend", model, "--history", path, "-k", loaded.n_items, "--include-seen", *words).out)
    assert {dropped, *liked} <= {row[1] for row in included if row[0] == "zoe"}


def test_a_history_of_one_column_is_one_user(run: Run, model: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(model)
    items, path = loaded.items.ids[[2, 9, 20]].tolist(), tmp_path / "items.txt"
    path.write_text("\n".join([*items, ""]), encoding="utf-8")
    result = run("recommend", model, "--history", path, "-k", "3")
    assert result.code == 0
    assert [row[1] for row in csv.reader(io.StringIO(result.out))][1:] == loaded.recommend_for(items, k=3).ids.tolist()
    assert run("recommend", model, "--history", path, "--weight-column", "plays").code == 2


def _best(run: Run, model: Path, *words: object) -> list[str]:
    return [row[1] for row in rows_of(run("recommend", model, "--user", "u001", *words).out)[1:]]


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.tsv", "pairs.txt"])
def test_pairs_without_a_header_are_lists_of_single_users(run: Run, model: Path, tmp_path: Path, name: str) -> None:
    """They were read as items: those of the first column, which are users."""
    best, path = _best(run, model, "-k", "3"), tmp_path / name
    delimiter = "\t" if name.endswith("tsv") else ","
    path.write_text("".join(f"{user}{delimiter}{item}\n" for user, item in (("u001", best[0]), ("u002", best[1]))))
    assert _best(run, model, "-k", "2", "--deny", path) == best[1:3]


def test_rows_that_may_be_pairs_or_items_need_a_header(run: Run, tmp_path: Path) -> None:
    """Numbers of users are numbers of items, too: a wrong list was applied."""
    numbers = NestedEmbeddings.from_arrays([[1.0], [2.0], [3.0]], [[1.0], [2.0], [3.0]], widths=[1])
    numbers.save(tmp_path / "m")
    path = tmp_path / "pairs.csv"
    path.write_text("0,2\n1,2\n")
    for words in (("recommend", "--user", "0"), ("similar", "--item", "0")):
        result = run(words[0], tmp_path / "m", *words[1:], "--deny", path)
        assert (result.code, result.out) == (1, "")
        assert "pairs.csv has no header" in result.err
    path.write_text("user_id,item_id\n0,2\n1,2\n")
    assert rows_of(run("recommend", tmp_path / "m", "--user", "0", "--deny", path).out)[1:] == [
        ["0", "1", "1", "2.0"],
        ["0", "0", "2", "1.0"],
    ]
    path.write_text("2,Jam\n")  # one column of ids, and another of titles
    assert [row[1] for row in rows_of(run("recommend", tmp_path / "m", "--user", "0", "--deny", path).out)] == [
        "item_id",
        "1",
        "0",
    ]


def test_unknown_users_of_pairs_are_counted_or_an_error(run: Run, model: Path, tmp_path: Path) -> None:
    best, path = _best(run, model, "-k", "2"), tmp_path / "pairs.csv"
    words = ("recommend", model, "--user", "u001", "-k", "1", "--deny", path)
    path.write_text(f"user_id,item_id\nu001,{best[0]}\nnobody,{best[1]}\n")
    some = run(*words)
    assert rows_of(some.out)[1][1] == best[1]
    assert "skipped the lists of 1 user unknown to the model: 'nobody'" in some.err
    path.write_text(f"user_id,item_id\nnobody,{best[0]}\n")
    none = run(*words)
    assert (none.code, none.out) == (1, "")
    assert "'nobody'" in none.err
    assert run(*words, "--skip-unknown").code == 0


def test_pairs_are_of_the_users_of_a_history(run: Run, model: Path, tmp_path: Path) -> None:
    item, other = NestedEmbeddings.load(model).items.ids[:2].tolist()
    history, path = tmp_path / "new.csv", tmp_path / "pairs.csv"
    history.write_text(f"user,item\nzoe,{item}\n")
    path.write_text(f"user_id,item_id\nzoe,{other}\nu001,{item}\n")
    result = run("recommend", model, "--history", history, "-k", "80", "--deny", path)
    assert "skipped the lists of 1 user not in --history: 'u001'" in result.err
    assert {item, other}.isdisjoint(row[1] for row in rows_of(result.out))
    path.write_text(f"user_id,item_id\nu001,{item}\n")
    assert run("recommend", model, "--history", history, "--deny", path).code == 1


@pytest.mark.parametrize("content", ["", "\n", "item_id\n", "user_id,item_id\n"])
def test_an_empty_deny_list_denies_nothing(run: Run, model: Path, tmp_path: Path, content: str) -> None:
    path = tmp_path / "none.csv"
    path.write_text(content)
    result = run("recommend", model, "--user", "u001", "-k", "3", "--deny", path)
    assert [row[1] for row in rows_of(result.out)[1:]] == _best(run, model, "-k", "3")
    assert "none.csv holds no ids: nothing is denied" in result.err
    assert run("recommend", model, "--user", "u001", "--allow", path).code == 1


def test_a_history_of_unknown_items_alone_is_an_error_or_skipped(run: Run, model: Path, tmp_path: Path) -> None:
    """It got the list of the mean user."""
    path = tmp_path / "new.csv"
    path.write_text(f"user,item\nann,never-heard-of\nzoe,{NestedEmbeddings.load(model).items.ids[0]}\n")
    failed = run("recommend", model, "--history", path)
    assert (failed.code, failed.out) == (1, "")
    skipped = run("recommend", model, "--history", path, "-k", "1", "--skip-unknown")
    assert [row[0] for row in rows_of(skipped.out)] == ["user_id", "zoe"]
    assert "Skipped 1 history of unknown items alone: 'ann'" in skipped.err
    (tmp_path / "one.txt").write_text("never-heard-of\n")
    alone = run("recommend", model, "--history", tmp_path / "one.txt", "--skip-unknown")
    assert rows_of(alone.out) == [HEADER]


def test_with_nothing_left_the_filters_are_named(run: Run, model: Path, tmp_path: Path) -> None:
    seen = NestedEmbeddings.load(model)
    row = int(seen.users.index_of(["u001"])[0])
    items = seen.items.ids[seen.seen.indices[seen.seen.indptr[row] : seen.seen.indptr[row + 1]]]
    (tmp_path / "seen.txt").write_text("\n".join(items.tolist()))
    result = run("recommend", model, "--user", "u001", "--allow", tmp_path / "seen.txt")
    assert "--include-seen allows seen items, and there are more without --allow" in result.err


def test_lists_that_a_quota_shortens_are_said(run: Run, model: Path, tmp_path: Path) -> None:
    words = ("recommend", model, "-k", "10", "--most-per-group", "1", "--groups", "3")
    one = run(*words, "--user", "u001")
    assert len(rows_of(one.out)) == 1 + 3
    assert "The list has 3 items, fewer than 10: --most-per-group 1 leaves out the other candidates" in one.err
    for name in ("all.csv", "all.parquet"):
        assert (
            "Lists have 3.0 items on average, fewer than 10" in run(*words, "--all-users", "--out", tmp_path / name).err
        )
    assert "fewer" not in run("recommend", model, "-k", "3", "--most-per-group", "9", "--user", "u001").err
