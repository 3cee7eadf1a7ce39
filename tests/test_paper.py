"""The experiments of the paper: what is run once, by whom, and which epoch's figures a line holds."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import paper
from paper import EVERY, Final, Runs, Search, run_missing, subjects

KEY = {"data": "groups", "backbone": "mf", "variant": "rns"}


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Users of four groups, each with items of its own."""
    folder = tmp_path_factory.mktemp("data") / "groups"
    folder.mkdir()
    rng = np.random.default_rng(1)
    with (folder / "train.txt").open("w") as train, (folder / "test.txt").open("w") as test:
        for user in range(80):
            items = 15 * (user % 4) + rng.permutation(20)[:12]
            print(user, *items[:9], file=train)
            print(user, *items[9:], file=test)
    return folder


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """An empty folder, and searches that are soon over."""
    monkeypatch.setattr(paper, "PATIENCE", 1)
    return Runs(tmp_path / "out")


def tasks(groups: Path, *wanted: str, seeds: tuple[int, ...] = (0,), watch: bool = False) -> list[Search | Final]:
    found: list[Search | Final] = []
    for subject in subjects([groups], ["mf"], list(wanted), "cpu"):
        found += [Search(subject), *(Final(subject, seed, watch) for seed in seeds)]
    return found


def keys(runs: Runs) -> list[tuple[str, str, int | None]]:
    return [(line["kind"], line["variant"], line.get("seed")) for line in runs.lines()]


def one_final(runs: Runs, groups: Path, *, epoch: int, watch: bool) -> dict[str, Any]:
    """Return the line of a run up to an epoch, which a search has chosen, with the values of its users."""
    runs.add({"kind": "search", **KEY, "epoch": epoch})
    run_missing(runs, tasks(groups, "rns", watch=watch))
    line = runs.find(kind="final")
    assert line is not None
    return {**line, "users": dict(np.load(runs.users_file(**KEY, seed=0)))}


def test_processes_share_the_runs_and_none_is_run_twice(groups: Path, runs: Runs) -> None:
    """Threads represent processes: a lock is held against everyone who opened the file anew."""
    wanted = tasks(groups, "dns", "rns", seeds=(0, 1))
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(run_missing, runs, wanted) for _ in range(2)]:
            future.result()
    finals = [("final", variant, seed) for variant in ("dns", "rns") for seed in (0, 1)]
    assert sorted(keys(runs), key=str) == [*finals, ("search", "dns", None), ("search", "rns", None)]


def test_what_another_process_has_taken_is_left_to_it_and_waited_for(groups: Path, runs: Runs) -> None:
    wanted = tasks(groups, "rns", seeds=(0, 1))
    with ThreadPoolExecutor(1) as pool, runs.claimed({"kind": "final", **KEY, "seed": 0}) as mine:
        assert mine
        running = pool.submit(run_missing, runs, wanted)
        while len(keys(runs)) < 2 and not running.done():
            time.sleep(0.01)
        assert keys(runs) == [("search", "rns", None), ("final", "rns", 1)]
        assert not running.done()
        runs.add({"kind": "final", **KEY, "seed": 0})
        running.result()
    assert len(keys(runs)) == 3


def test_variants_are_run_in_the_order_they_are_named(
    groups: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--backbones", "mf", "--variants", "dns,rns", "--seeds", "0", "--out", str(runs.folder)]
    monkeypatch.setattr("sys.argv", ["paper.py", str(groups), *options])
    paper.main()
    assert keys(runs) == [
        (kind, variant, seed) for variant in ("dns", "rns") for kind, seed in (("search", None), ("final", 0))
    ]
    assert not any("device" in line for line in runs.lines())


@pytest.mark.parametrize("epoch", [EVERY, 8 * EVERY])
def test_a_validated_run_has_the_figures_of_the_chosen_epoch_and_continues_until_the_metric_stops_rising(
    groups: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    monkeypatch.setattr(paper, "PATIENCE", 1)
    plain, watched = (
        one_final(Runs(tmp_path / str(watch)), groups, epoch=epoch, watch=watch) for watch in (False, True)
    )
    at = {look["epoch"]: look["metrics"] for look in watched["watched_on_test"]}
    assert list(at) == list(range(EVERY, max(at) + 1, EVERY))
    assert max(at) >= max(epoch, 2 * EVERY)
    assert watched["test"] == at[epoch] == plain["test"]
    for label, values in plain["users"].items():
        np.testing.assert_array_equal(watched["users"][label], values)


def test_a_line_after_one_that_was_cut_off_is_whole(runs: Runs) -> None:
    runs.add({"kind": "search", "epoch": 1})
    with (runs.folder / "runs.jsonl").open("a") as file:
        file.write('{"kind": "fin')
    runs.add({"kind": "search", "epoch": 2})
    assert [line["epoch"] for line in runs.lines()] == [1, 2]
