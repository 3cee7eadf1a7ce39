"""Ids of any text survive training, answers in every format, and files of users and items."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nestrec.cli.id_files import read_ids
from nestrec.data.read_options import ReadOptions
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError
from tests.cli.conftest import Run
from tests.data.reports import read_with_report

ODD = [
    "z ", " lead", "NA", "nan", "None", "null", "\\N", "N/A", 'q"uote', '"whole"', "a,b", "tab\tin", "line\nend",
    "cr\rend", "crlf\r\nend", "é😀", "007", "12", "v1.0", "\ttab", "#c", "-dash", "user_id", "a;b", "a|b",
    "'s'", "\xa0nb", '"', "=1+1", "true", "[1, 2]", "{}", '" ', "%x",
]  # fmt: skip


@pytest.fixture(scope="module")
def odd_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2, len(ODD), 2))
    model = NestedEmbeddings.from_arrays(vectors[0], vectors[1], [2], users=ODD, items=ODD)
    path = tmp_path_factory.mktemp("odd") / "model"
    model.save(path)
    return path


def _ids(path: Path, **options: str) -> tuple[set[str], set[str]]:
    interactions, report = read_with_report(path, options=ReadOptions(rating_column="", **options))  # type: ignore[arg-type]
    assert report.n_rows == len(ODD) ** 2
    assert report.rejected == {}
    return set(map(str, interactions.users.ids.tolist())), set(map(str, interactions.items.ids.tolist()))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_written_answers_are_read_back_as_the_same_ids(run: Run, odd_model: Path, tmp_path: Path, suffix: str) -> None:
    """` lead` was read back as `lead` and `NA` as missing."""
    path = tmp_path / f"a.{suffix}"
    result = run("recommend", odd_model, "--all-users", "-k", len(ODD), "--out", path)
    assert result.code == 0, result.err
    assert _ids(path) == (set(ODD), set(ODD))


def test_tab_separated_answers_with_such_ids_are_quoted_and_read_as_such(
    run: Run, odd_model: Path, tmp_path: Path
) -> None:
    result = run("recommend", odd_model, "--all-users", "-k", len(ODD), "--out", tmp_path / "a.tsv")
    assert result.code == 0
    assert _ids(tmp_path / "a.tsv") == (set(ODD), set(ODD))


def test_tab_separated_answers_without_such_ids_hold_them_as_they_are(run: Run, tmp_path: Path) -> None:
    model = NestedEmbeddings.from_arrays([[1.0], [2.0]], [[1.0]], [1], users=['5" pipe', '"x"'])
    model.save(tmp_path / "m")
    assert run("recommend", tmp_path / "m", "--all-users", "--out", tmp_path / "a.tsv").code == 0
    assert '"x"\t0\t1\t2.0\n5" pipe\t0\t1\t1.0\n' in (tmp_path / "a.tsv").read_text()


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.csv.gz", "items.jsonl", "items.parquet"])
def test_files_of_users_and_items_name_any_id(run: Run, odd_model: Path, tmp_path: Path, name: str) -> None:
    """`"z "` in quotes was stripped, so `z ` could not be named."""
    kind = name.removesuffix(".gz").rpartition(".")[2]
    answers = tmp_path / f"out.{kind}"
    assert run("recommend", odd_model, "--all-users", "-k", "1", "--out", answers).code == 0
    path = tmp_path / name
    path.write_bytes(gzip.compress(answers.read_bytes()) if name.endswith(".gz") else answers.read_bytes())
    if name == "items.jsonl":
        path.write_text("".join(json.dumps(each) + "\n" for each in ODD))
    if name == "items.parquet":
        pl.DataFrame({"whatever": ODD}).write_parquet(path)
    result = run("recommend", odd_model, "--users", path, "-k", len(ODD), "--out", tmp_path / "again.parquet")
    assert result.code == 0, result.err
    assert _ids(tmp_path / "again.parquet") == (set(ODD), set(ODD))
    if name.startswith("items"):
        allowed = run(
            "recommend", odd_model, "--user", "12", "--allow", path, "-k", 99, "--out", tmp_path / "b.parquet"
        )
        assert allowed.code == 0, allowed.err
        assert pl.read_parquet(tmp_path / "b.parquet").height == len(ODD)


def test_a_csv_of_answers_names_items_by_their_column(run: Run, odd_model: Path, tmp_path: Path) -> None:
    """The first column holds users."""
    (tmp_path / "a.csv").write_text('user_id,item_id\n12,"z "\n12,NA\n')
    result = run("recommend", odd_model, "--user", "12", "--allow", tmp_path / "a.csv")
    assert sorted(line.split(",")[1] for line in result.out.splitlines()[1:]) == ['"NA"', '"z "']


def _read(path: Path, contents: str, known: list[str]) -> list[str]:
    path.write_bytes(contents.encode())
    return list(read_ids(path, Vocabulary.from_ids(known), "user"))


@pytest.mark.parametrize(
    ("name", "contents", "ids"),
    [
        ("x.csv", 'user_id\n"z "\n" lead"\n plain \n', ["z ", " lead", "plain"]),
        ("x.csv", '"a,b",1\r\n"c""d",2\r\ne,3', ["a,b", 'c"d', "e"]),
        ("x.csv", '"two\nlines",1\n"cr\rin"\n', ["two\nlines", "cr\rin"]),
        ("x.csv", '"never closed\nnext\nlast\n', ['"never closed', "next", "last"]),
        ("x.csv", 'rank,user,x\n1,"u 1",3\n2\n3,u2,4\n', ["u 1", "u2"]),
        ("x.csv", '5" pipe\n"a" b\n', ['5" pipe', '"a" b']),
        ("x.tsv", 'a b\t1\n"c\td"\t2\n', ["a b", "c\td"]),
        ("x.txt", ' a, b \n"q "\n"kept"\n\n', ["a, b", "q ", '"kept"']),
        ("x", "user\na\n", ["a"]),
        ("x.jsonl", '{"user_id": "z "}\n{"user_id": 12}\n\n"NA"\n7\n1.0\n', ["z ", "12", "NA", "7", "1.0"]),
    ],
)
def test_files_of_ids_of_every_form(tmp_path: Path, name: str, contents: str, ids: list[str]) -> None:
    assert _read(tmp_path / name, contents, ["x", '"kept"']) == ids


@pytest.mark.parametrize(
    ("name", "contents", "sentence"),
    [
        ("x.csv", "user_id\n", "holds no user ids"),
        ("x.jsonl", "{1}\n", "not JSON"),
        ("x.jsonl", '{"a": 1}\n', "no key of users among 'a'"),
        ("x.jsonl", "[1]\n", "without a user id"),
        ("x.txt", "x" * (2 << 20), "1 MiB"),
        ("x.csv", "SQLite format 3\0", "sqlite"),
    ],
)
def test_files_that_hold_no_ids_are_refused(tmp_path: Path, name: str, contents: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        _read(tmp_path / name, contents, ["x"])


def test_users_come_from_standard_input(odd_model: Path, run: Run) -> None:
    words = [sys.executable, "-m", "nestrec", "recommend", str(odd_model), "--users", "-", "-k", "1"]
    done = subprocess.run(words, input='"z "\n12\n', capture_output=True, text=True, check=False, timeout=120)
    assert [line.split(",")[0] for line in io.StringIO(done.stdout)] == ["user_id", '"z "', "12"], done.stderr
    result = run("recommend", odd_model, "--users", "-", "--allow", "-")
    assert (result.code, "only once" in result.err) == (2, True)
