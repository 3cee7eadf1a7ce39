"""The command line run in this process, a small file of interactions, and a model trained on it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from nestrec.cli.main import main
from nestrec.data.synthetic import SyntheticData


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]

SMALL = ("--widths", "2,4,8", "--epochs", "3", "--evaluate-every", "1", "--deterministic")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `nestrec` with these words and return what it did."""

    def nestrec(*words: object) -> Result:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Result(code, *capsys.readouterr())

    return nestrec


@pytest.fixture(scope="session")
def interactions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 users, 80 items; ratings 1 to 5 and times."""
    world = SyntheticData(n_users=150, n_items=80, interactions_per_user=10).generate(seed=3).interactions
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "ratings.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "item_id", "rating", "timestamp", "mark", "moment"))
        for row, user in enumerate(world.users.ids.tolist()):
            for item in world.indices[world.indptr[row] : world.indptr[row + 1]].tolist():
                numbers = rng.integers(1, 6), rng.integers(0, 10**6), rng.integers(1, 6), rng.integers(0, 10**6)
                writer.writerow((user, world.items.ids[item], *numbers))
    return path


@pytest.fixture(scope="session")
def unseen(interactions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs of each user that are not among the interactions."""
    with interactions.open(newline="", encoding="utf-8") as file:
        rows = [(row["user_id"], row["item_id"]) for row in csv.DictReader(file)]
    items, seen = sorted({item for _, item in rows}), set(rows)
    path = tmp_path_factory.mktemp("unseen") / "test.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "item_id"))
        for user in sorted({user for user, _ in rows}):
            writer.writerows([(user, item) for item in items if (user, item) not in seen][:2])
    return path


@pytest.fixture(scope="session")
def model(interactions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of widths 2, 4, 8."""
    out = tmp_path_factory.mktemp("models") / "model"
    assert main(["train", str(interactions), "--out", str(out), *SMALL]) == 0
    return out
