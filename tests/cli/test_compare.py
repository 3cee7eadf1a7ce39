"""`nestrec compare`: table, page, JSON, a folder to go on from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nestrec.comparison.comparison_run import ComparisonRun
from nestrec.comparison.result import Comparison
from tests.cli.conftest import Run

FEW = ("--models", "popularity", "--widths", "2,4", "--seeds", "0", "--trials", "0", "--threads", "1")


@pytest.fixture(scope="module")
def parts(interactions: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the parts of the interactions: every fifth row is held out."""
    folder = tmp_path_factory.mktemp("parts")
    header, *rows = interactions.read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "train.csv").write_text(header + "".join(row for n, row in enumerate(rows) if n % 5), encoding="utf-8")
    (folder / "test.csv").write_text(header + "".join(rows[::5]), encoding="utf-8")
    return folder / "train.csv", folder / "test.csv"


def test_it_shows_tables_and_writes_figures_and_page(run: Run, parts: tuple[Path, Path], tmp_path: Path) -> None:
    result = run("compare", *parts, *FEW, "--out", tmp_path / "study", "--json", tmp_path / "copy.json")
    assert result.code == 0, result.err
    for word in ("nestrec", "popularity", "ndcg@20", "recall@20"):
        assert word in result.out
    document = json.loads((tmp_path / "study" / "comparison.json").read_text(encoding="utf-8"))
    assert document == json.loads((tmp_path / "copy.json").read_text(encoding="utf-8"))
    assert [model.name for model in Comparison.from_dict(document).models] == ["nestrec", "popularity"]
    assert (tmp_path / "study" / "comparison.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "comparison.html" in result.err


def test_every_option_reaches_the_comparison(run: Run, parts: tuple[Path, Path], tmp_path: Path) -> None:
    words: tuple[Any, ...] = (
        "--models", "ease", "--widths", "2,4", "--cutoffs", "5,10", "--seeds", "3,4", "--trials", "1", "--seconds",
        "60", "--metric", "recall@10", "--tune-nestrec", "--threads", "1", "--out", tmp_path / "study", "--json", "-",
    )  # fmt: skip
    result = run("compare", *parts, *words)
    assert result.code == 0, result.err
    found = Comparison.from_dict(json.loads(result.out))
    rules = found.protocol
    assert (rules.widths, rules.cutoffs, rules.seeds, rules.trials) == ((2, 4), (5, 10), (3, 4), 1)
    assert (rules.seconds, rules.metric, rules.tuned_reference, rules.threads) == (60.0, "recall@10", True, 1)
    assert [model.name for model in found.models] == ["nestrec", "ease"]
    assert found.model("nestrec").at(2).trials == found.model("ease").at(2).trials == 2
    assert "tuned ease: recall@10" in result.err


def test_interrupted_it_says_how_to_continue_and_does(
    run: Run, parts: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "study"
    fitted = ComparisonRun._fit

    def interrupted(self: ComparisonRun, name: str, *rest: Any) -> Any:
        if name == "popularity":
            raise KeyboardInterrupt
        return fitted(self, name, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(ComparisonRun, "_fit", interrupted)
        result = run("compare", *parts, *FEW, "--out", out)
    assert result.code == 130
    assert f"The fits done so far are in {out}; to continue, give the same command again." in result.err
    assert len((out / "runs.jsonl").read_text().splitlines()) == 2
    assert run("compare", *parts, *FEW, "--out", out).code == 0
    assert len((out / "runs.jsonl").read_text().splitlines()) == 3
    other = tmp_path / "other.csv"
    other.write_text("".join(parts[1].read_text().splitlines(keepends=True)[:-5]))
    result = run("compare", parts[0], other, *FEW, "--out", out)
    assert result.code == 1
    assert "must be a log of the same data, but its test part" in result.err


def test_slow_models_are_announced(run: Run, parts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nestrec.comparison.compare", nothing)
    result = run("compare", *parts, "--models", "popularity,lightgcn")
    assert "lightgcn is slow" in result.err
    assert "--models nestrec,popularity" in result.err


def test_models_that_do_not_use_weights_are_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(train: Any, test: Any, **_: Any) -> None:
        assert train.weights is not None
        assert train.dislikes is not None
        assert (test.n_interactions, test.weights, test.dislikes) == (1, None, None)
        raise KeyboardInterrupt

    monkeypatch.setattr("nestrec.comparison.compare", nothing)
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("user,item,rating\n1,1,5\n1,2,1\n2,2,4\n2,3,5\n")
    test.write_text("user,item,rating\n1,3,4\n2,1,2\n")
    words = ["--models", "popularity,ials", "--rating-weights", "--dislike-below", "3"]
    result = run("compare", train, test, *words)
    assert "Weights are not used by popularity." in result.err
    assert "Dislikes are not used by popularity, ials." in result.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--models", "magic"], "got 'magic'"),
        (["--widths", "4,x"], "--widths must be integers separated by commas, such as 4,8,16; got '4,x'"),
        (["--seeds", "0,0"], "got 0,0"),
        (["--trials", "-1"], "--trials must be between 0"),
        (["--seconds", "0"], "--seconds must be above 0, got 0.0"),
    ],
)
def test_invalid_arguments_are_reported_in_one_sentence(
    run: Run, parts: tuple[Path, Path], tmp_path: Path, words: list[str], sentence: str
) -> None:
    result = run("compare", *parts, *FEW, "--out", tmp_path / "study", *words)
    assert result.code == 2
    assert sentence in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "/proc/no/study"], "nothing can be written into /proc/no"),
        (["--json", "/proc/no/x.json"], "nothing can be written into /proc/no"),
        (["--item-column", "thing"], "has no column 'thing'"),
    ],
)
def test_files_that_do_not_fit_are_reported_in_one_sentence(
    run: Run, parts: tuple[Path, Path], tmp_path: Path, words: list[str], sentence: str
) -> None:
    result = run("compare", *parts, *FEW, "--out", tmp_path / "study", *words)
    assert result.code == 1
    assert sentence in result.err.splitlines()[-1]
