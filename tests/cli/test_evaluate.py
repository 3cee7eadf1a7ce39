"""`nestrec evaluate`: tables, JSON, per-user values."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Run


@pytest.fixture(scope="session")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("held") / "test.csv"
    rows = "".join(f"u{user:03},topic{1 + user % 4}/sub{1 + user % 8}/item{1 + user % 2}\n" for user in range(1, 100))
    path.write_text("user_id,item_id\n" + rows + "stranger,topic1/sub1/item1\nu001,jam\n")
    return path


def test_json_on_stdout_is_the_documented_shape_and_nothing_else(run: Run, model: Path, held_out: Path) -> None:
    result = run("evaluate", model, held_out, "--json", "-", "--cutoffs", "5,10")
    document = json.loads(result.out)
    assert (document["users"], document["cutoffs"]) == (100, [5, 10])
    assert [entry["width"] for entry in document["widths"]] == [2, 4, 8]
    entry = document["widths"][0]
    for label in ("recall@5", "ndcg@10", "precision@5", "hit_rate@5", "mrr@5", "map@5", "coverage@10", "gini@10"):
        assert 0 <= entry[label] <= 1
    assert entry["intervals"]["recall@5"][0] <= entry["recall@5"] <= entry["intervals"]["recall@5"][1]


def test_piped_it_is_csv_with_the_metrics_and_cutoffs_named(run: Run, model: Path, held_out: Path) -> None:
    result = run(
        "evaluate", model, held_out, "--metrics", "ndcg,recall,coverage", "--cutoffs", "5,10", "--widths", "2,8"
    )
    rows = list(csv.DictReader(result.out.splitlines()))
    assert list(rows[0]) == ["width", "recall@5", "ndcg@5", "recall@10", "ndcg@10", "coverage@5", "coverage@10"]
    assert [row["width"] for row in rows] == ["2", "8"]
    document = json.loads(run("evaluate", model, held_out, "--json", "-", "--cutoffs", "5,10").out)
    assert float(rows[1]["ndcg@10"]) == document["widths"][2]["ndcg@10"]


def test_by_popularity_shows_the_metrics_of_head_middle_and_tail(run: Run, model: Path, held_out: Path) -> None:
    words = ("evaluate", model, held_out, "--by-popularity", "--cutoffs", "5", "--bootstrap", "0")
    document = json.loads(run(*words, "--json", "-").out)
    assert sum(band["test_interactions"] for band in document["bands"]) == 99  # of known users, with known items
    (row, *_) = csv.DictReader(run(*words, "--metrics", "recall").out.splitlines())
    by_band = document["widths"][0]["bands"]
    assert {label: float(value) for label, value in row.items() if " " in label} == {
        f"recall@5 {band}": means["recall@5"] for band, means in by_band.items()
    }


def test_quiet_prints_results_alone(run: Run, model: Path, held_out: Path) -> None:
    loud, quiet = (run("evaluate", model, held_out, "--bootstrap", "0", *words) for words in ((), ("--quiet",)))
    assert (quiet.out, quiet.err) == (loud.out, "")
    assert loud.err


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rich take stdout for a wide terminal."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.usefixtures("terminal")
def test_the_table_shows_every_width_with_intervals_and_what_is_unknown(run: Run, model: Path, held_out: Path) -> None:
    result = run("evaluate", model, held_out)
    assert result.code == 0
    assert result.out.count("per million items") == 6  # over all users and over those known, at three cutoffs
    assert "The 99 users known to the model" in result.out
    assert "±" in result.out
    assert "Users unknown to the model, which count as 0: 1." in result.err
    assert (
        "Items unknown to the model: 1; interactions of known users with them, which count as misses: 1." in result.err
    )


@pytest.mark.usefixtures("terminal")
def test_a_table_shows_the_bands_of_popularity(run: Run, model: Path, held_out: Path) -> None:
    lines = run("evaluate", model, held_out, "--by-popularity", "--metrics", "recall").out.splitlines()
    bands = [line.split() for line in lines if re.search(r"recall@\d+\s+(head|middle|tail): \d+ items?, ", line)]
    assert [band[1] for band in bands] == ["head:", "middle:", "tail:"]
    assert all(re.fullmatch(r"[01]\.\d{4}|–", cell) for band in bands for cell in band[-3:])


@pytest.mark.usefixtures("terminal")
def test_widths_and_cutoffs_choose_what_is_shown(run: Run, model: Path, held_out: Path) -> None:
    result = run("evaluate", model, held_out, "--widths", "4", "--cutoffs", "7", "--bootstrap", "0", "--json", "-")
    document = json.loads(result.out)
    assert [entry["width"] for entry in document["widths"]] == [4]
    assert "recall@7" in document["widths"][0]
    assert "intervals" not in document["widths"][0]


@pytest.mark.usefixtures("terminal")
def test_files_are_written_beside_the_table(run: Run, model: Path, held_out: Path, tmp_path: Path) -> None:
    files = tmp_path / "e.json", tmp_path / "u.parquet"
    result = run("evaluate", model, held_out, "--json", files[0], "--per-user", files[1])
    assert "recall@10" in result.out
    assert json.loads(files[0].read_text())["users"] == 100
    with duckdb.connect() as database:
        table = database.read_parquet(str(files[1]))
        assert table.columns[:2] == ["user_id", "width"]
        assert table.count("*").fetchall() == [(300,)]


def test_a_wide_table_is_cut_into_parts_on_a_narrow_terminal(
    run: Run, model: Path, held_out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "70")
    result = run("evaluate", model, held_out, "--cutoffs", "5")
    assert "…" not in result.out
    assert max(map(len, re.sub("\x1b.*?m", "", result.out).splitlines())) <= 70


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--cutoffs", "0"], "cutoffs must be 1 or more"),
        (["--cutoffs", "ten"], "--cutoffs must be integers separated by commas, such as 4,8,16; got 'ten'"),
        (["--widths", "3"], "width 3 was not trained; choose one of 2, 4, 8"),
        (["--per-user", "u.csv"], "--per-user u.csv is written as Parquet; end its name with .parquet"),
        (["--json", "/proc/no/x.json"], "nothing can be written into /proc/no"),
        (["--bootstrap", "-1"], "got -1; 1000 is usual"),
        (["--item-column", "thing"], "has no column 'thing'"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(
    run: Run, model: Path, held_out: Path, words: list[str], sentence: str
) -> None:
    result = run("evaluate", model, held_out, *words)
    assert result.code == (1 if words[0] in ("--json", "--item-column") else 2)
    assert sentence in result.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("evaluate", "m", "x", "--bootstrap", "-1"), "--bootstrap must be 0"),
        (("evaluate", "m", "x", "--metrics", "recal"), "did you mean 'recall'?"),
        (("evaluate", "m", "x", "--cutoffs", "0"), "--cutoffs must"),
        (("train", "x", "--out", "m", "--metric", "ndgc@20"), "got 'ndgc@20'; did you mean 'ndcg'?"),
        (("tune", "x", "--metric", "recal@20"), "got 'recal@20'; did you mean 'recall'?"),
        (("compare", "x", "y", "--metric", "MPA@5"), "got 'MPA@5'; did you mean 'map'?"),
        (("tune", "x", "--model", "foo"), "got 'foo'"),
        (("tune", "x", "--trials", "0"), "--trials must be between 1"),
        (("compare", "x", "y", "--models", "popularty"), "did you mean 'popularity'?"),
    ],
)
def test_options_are_checked_before_anything_is_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.code == 2
    assert sentence in result.err
