"""`nestrec demo`: what it writes and shows; its commands work."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nestrec.cli import demo
from nestrec.cli.main import main
from nestrec.report.quality import Estimate, WidthQuality
from tests.cli.conftest import Result, Run


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Run the demo once, whole, in a fresh folder."""
    folder = tmp_path_factory.mktemp("demo") / "with blank"
    capture = pytest.MonkeyPatch()
    out, err = _Text(), _Text()
    capture.setattr(sys, "stdout", out)
    capture.setattr(sys, "stderr", err)
    try:
        code = main(["demo", "--out", str(folder)])
    finally:
        capture.undo()
    return folder, Result(code, "".join(out.parts), "".join(err.parts))


class _Text:
    """A stream that keeps what is written."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        self.parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Have nothing to do."""

    def isatty(self) -> bool:
        return False


def test_it_writes_model_data_figures_page_and_picture(shown: tuple[Path, Result]) -> None:
    folder, result = shown
    assert result.code == 0, result.err
    names = {path.name for path in folder.iterdir()}
    own = {"model", "train.csv", "test.csv", "quality.json", "quality.html", "quality.svg"}
    assert names == {*own, ".nestrec-outputs.json"}
    assert ET.parse(folder / "quality.svg").getroot().tag.endswith("svg")


def test_the_table_has_width_memory_both_metrics_and_the_share_kept(shown: tuple[Path, Result]) -> None:
    _, result = shown
    lines = result.out.splitlines()
    assert re.split("  +", lines[1].strip()) == [
        "width",
        "per million items",
        "recall@20",
        "ndcg@20",
        "share of full ndcg@20",
    ]
    assert [line.split()[0] for line in lines[2:7]] == ["4", "8", "16", "32", "64"]
    assert "100.0%" in lines[6]


def test_no_width_is_worse_than_a_narrower_one(shown: tuple[Path, Result]) -> None:
    """Width 64 was below 32 on data with structure for 32 dimensions alone. Threads race, by up to .002 here."""
    folder, _ = shown
    rows = json.loads((folder / "quality.json").read_text())["widths"]
    for label in ("recall@20", "ndcg@20"):
        means = [row[label] for row in rows]
        assert all(wide > 0.993 * narrow for narrow, wide in pairwise(means)), means


def test_narrow_widths_know_the_topics_and_wide_ones_the_subtopics(shown: tuple[Path, Result]) -> None:
    """The planted hierarchy shows in the second table."""
    folder, result = shown
    table = re.findall(r"^ +\d+ +(\d+)% +(\d+)% *$", result.out, re.MULTILINE)
    topic, subtopic = ([int(row[place]) for row in table] for place in (0, 1))
    assert len(topic) == 5
    assert topic[0] > 90
    assert subtopic[0] < subtopic[-1]
    assert json.loads((folder / "quality.json").read_text())["cutoffs"] == [10, 20, 50]


def test_the_page_is_self_contained_and_well_formed(shown: tuple[Path, Result]) -> None:
    folder, _ = shown
    page = (folder / "quality.html").read_text(encoding="utf-8")
    checker = _Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.charts == 3
    assert checker.addresses == []
    assert "prefers-color-scheme: dark" in page
    assert "<script" not in page


def test_every_command_it_suggests_works(run: Run, shown: tuple[Path, Result]) -> None:
    _, result = shown
    commands = [line.strip() for line in result.err.partition("Next:")[2].splitlines() if line.strip()]
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "nestrec"
        done = run(*words[1:], *(("--epochs", "2") if words[1] == "train" else ()))
        assert done.code == 0, f"{command}: {done.err}"


def test_another_seed_makes_other_data(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after the data are written: what follows is shown by the other tests."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_train", stop)
    for seed in (1, 2):
        assert run("demo", "--out", tmp_path / str(seed), "--seed", seed).code == 130
    assert (tmp_path / "1" / "train.csv").read_text() != (tmp_path / "2" / "train.csv").read_text()


def test_files_of_the_users_are_never_replaced(run: Run, tmp_path: Path) -> None:
    """`demo --out .` overwrote the train.csv, the test.csv and the model that were there."""
    (tmp_path / "train.csv").write_text("mine")
    refused = run("demo", "--out", tmp_path)
    assert refused.code == 1
    assert "already holds train.csv" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]
    assert (tmp_path / "train.csv").read_text() == "mine"


def test_the_demo_may_replace_what_it_wrote_until_that_is_changed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_train", stop)
    for seed in (1, 2):
        assert run("demo", "--out", tmp_path, "--seed", seed).code == 130
    with (tmp_path / "test.csv").open("a") as file:
        file.write("me,mine\n")
    refused = run("demo", "--out", tmp_path)
    assert refused.code == 1
    assert "already holds test.csv" in refused.err
    assert run("demo", "--out", tmp_path, "--overwrite").code == 130
    assert "me,mine" not in (tmp_path / "test.csv").read_text()


def test_a_model_of_the_users_is_never_replaced(run: Run, model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "model")
    refused = run("demo", "--out", tmp_path)
    assert refused.code == 1
    assert "already holds model/manifest.json" in refused.err


def test_a_folder_that_holds_something_else_as_model_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "precious").write_text("x")
    result = run("demo", "--out", tmp_path)
    assert result.code == 1
    assert "holds something else than a model" in result.err


@pytest.mark.parametrize(
    ("narrow", "sentence"),
    [
        (
            0.19,
            "The first 4 of 8 dimensions keep 95% of the full width's ndcg@20 in 50% of the memory: 16 MB instead of",
        ),
        (0.1, "No narrower width keeps 90% of the full width's ndcg@20."),
    ],
)
def test_the_headline_is_what_the_figures_say(narrow: float, sentence: str) -> None:
    rows = tuple(WidthQuality(width, {"ndcg@20": Estimate(v, v, v)}) for width, v in ((4, narrow), (8, 0.2)))
    assert demo.headline(rows).startswith(sentence)


class _Checker(HTMLParser):
    """Notes elements left open, charts, and everything that would be fetched."""

    _VOID = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.charts = 0
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.charts += tag == "svg"
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open nothing."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
