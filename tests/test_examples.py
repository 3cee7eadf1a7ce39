"""The scripts of examples/ run without arguments and without a network, and on a file."""

from __future__ import annotations

import csv
import runpy
import sys
from pathlib import Path

import pytest

from nestrec import SyntheticData

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file like ratings.csv of MovieLens."""
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    data = SyntheticData(n_users=200, n_items=160, interactions_per_user=15).generate(seed=1).interactions
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("userId", "movieId", "rating", "timestamp"))
        for user in range(data.n_users):
            for item in data.indices[data.indptr[user] : data.indptr[user + 1]].tolist():
                writer.writerow((user + 1, item + 1, 3 + (user + item) % 3, 10**9 + item))
    return path


def test_there_are_three() -> None:
    assert [path.stem for path in EXAMPLES] == ["choose_a_width", "movielens", "vectors_elsewhere"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("given", [False, True], ids=["synthetic data", "a file"])
def test_an_example_runs(
    path: Path,
    given: bool,
    ratings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path), *([str(ratings)] if given else [])])
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out
