"""`nestrec plan`: measures, shows, draws and stores a search config; `recommend` and `info` show it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec import NestedEmbeddings
from nestrec.autotune import autotune as planner
from nestrec.retrieval.search_config import CoarseIndexOptions, Measurements, SearchConfig
from tests.cli.conftest import Run


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """Return a copy of the model, to be planned."""
    return Path(shutil.copytree(model, tmp_path / "model"))


@pytest.fixture
def short(own: Path) -> Path:
    """Return a model whose plan is a shortlist of 3 items at width 2: too short to find all."""
    loaded = NestedEmbeddings.load(own)
    options = CoarseIndexOptions(2)
    index = options.build(loaded.user_embeddings, loaded.item_embeddings, 8)
    found = SearchConfig(8, options, 3).with_measurements(3, Measurements(0.5, 1.0, 2.0, 3.0, 4.0, 0.9, 1))
    loaded.with_search_config(found, index).save(own, overwrite=True)
    return own


def plans(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def test_it_shows_the_frontier_and_keeps_the_plan_with_the_model(run: Run, own: Path) -> None:
    result = run("plan", own, "-k", 5, "--sample", 20)
    assert result.code == 0
    for told in (
        "recall",
        "p50 ms",
        "p99 ms",
        "bytes per item",
        "chosen",
        "80 items, top 5",
        "other users: recall",
    ):
        assert told in result.out
    assert "Stored the search config" in result.err
    kept = NestedEmbeddings.load(own, verify=True).search_config
    assert kept is not None
    assert kept.name in result.out
    assert f"Search config: {kept.name}" in run("info", own).out


def test_the_target_k_and_width_are_taken(run: Run, own: Path, tmp_path: Path) -> None:
    out = tmp_path / "plans.json"
    assert run("plan", own, "--recall", 0.5, "-k", 3, "--width", 4, "--sample", 10, "--json", out).code == 0
    document = plans(out)
    assert (document["recall"], document["k"], document["width"]) == (0.5, 3, 4)
    kept = NestedEmbeddings.load(own).search_config
    assert kept is not None
    assert (kept.width, kept.k) == (4, 3)


def test_storages_and_sample_bound_what_is_measured(run: Run, own: Path, tmp_path: Path) -> None:
    out = tmp_path / "plans.json"
    words = ("--storages", "bf16,float32", "--sample", 14, "-k", 2, "--measure-only", "--json", out)
    assert run("plan", own, *words).code == 0
    found = {plan["index"]["storage"] for plan in plans(out)["plans"] if plan["index"]}
    assert found == {"bf16", "float32"}
    recalls = [plan["measurements"]["recall"] * 7 * 2 for plan in plans(out)["plans"]]
    np.testing.assert_allclose(recalls, np.round(recalls))


def test_seed_and_threads_reach_the_planner(run: Run, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    real = planner.plan

    def listening(*arguments: Any, **options: Any) -> Any:
        given.update(options)
        return real(*arguments, **options)

    monkeypatch.setattr(planner, "plan", listening)
    assert run("plan", own, "-k", 2, "--sample", 5, "--seed", 9, "--threads", 1, "--measure-only").code == 0
    assert (given["seed"], given["threads"]) == (9, 1)


def test_all_shows_every_plan(run: Run, own: Path) -> None:
    every = run("plan", own, "-k", 2, "--sample", 5, "--measure-only", "--all").out
    frontier = run("plan", own, "-k", 2, "--sample", 5, "--measure-only").out
    assert len(every.splitlines()) > len(frontier.splitlines())
    assert "int8 2, certified, 8" in every


def test_measuring_only_leaves_the_model_as_it_is(run: Run, own: Path) -> None:
    before = (own / "manifest.json").read_bytes()
    result = run("plan", own, "-k", 2, "--sample", 5, "--measure-only")
    assert (own / "manifest.json").read_bytes() == before
    assert "Stored" not in result.err


def test_picture_and_json_are_written(run: Run, own: Path, tmp_path: Path) -> None:
    picture, out = tmp_path / "frontier.svg", tmp_path / "plans.json"
    words = ("-k", 2, "--sample", 5, "--measure-only", "--picture", picture, "--json", out)
    assert run("plan", own, *words).code == 0
    assert picture.read_text().startswith("<svg")
    assert sum(plan["chosen"] for plan in plans(out)["plans"]) == 1
    assert plans(out)["of_other_users"]["recall"] >= 0.99


def test_recommend_goes_by_the_plan_and_says_so_unless_exact(run: Run, model: Path, short: Path) -> None:
    words = ("--all-users", "-k", 3)
    plain, planned, exact = run("recommend", model, *words), run("recommend", short, *words), None
    assert planned.out != plain.out
    assert "measured at recall 0.5000 at 3" in planned.err
    exact = run("recommend", short, *words, "--exact")
    assert exact.out == plain.out
    assert "search config" not in exact.err


def test_a_question_beyond_the_plan_is_answered_by_all_items(run: Run, model: Path, short: Path) -> None:
    for words in (("--all-users", "-k", 4), ("--all-users", "-k", 3, "--width", 4)):
        planned = run("recommend", short, *words)
        assert planned.out == run("recommend", model, *words).out
        assert "search config" not in planned.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--recall", 2), "--recall must be above 0 and at most 1, got 2"),
        (("-k", 0), "k must be 1 or more"),
        (("--width", 3), "width 3 was not trained"),
        (("--storages", "int4"), "--storages must be some of float32, bf16, int8, comma-separated; got 'int4'"),
        (("--sample", 1), "must be 2 or more"),
    ],
)
def test_mistakes_are_reported_in_one_sentence(run: Run, own: Path, words: tuple[object, ...], sentence: str) -> None:
    result = run("plan", own, *words)
    assert result.code == 2
    assert sentence in result.err
    assert "Traceback" not in result.err


def test_a_picture_is_not_written_under_another_format_s_name(run: Run, own: Path, tmp_path: Path) -> None:
    """A picture went into a file that was called x.jpg."""
    result = run("plan", own, "--measure-only", "--picture", tmp_path / "x.jpg")
    assert result.code == 2
    message = " ".join(result.err.split())
    assert "--picture must end in .svg" in message
    assert "x.jpg" in message
    assert not (tmp_path / "x.jpg").exists()
    words = ("plan", own, "--measure-only", "-k", 2, "--sample", 4)
    assert run(*words, "--picture", tmp_path / "X.SVG").code == 0
    assert (tmp_path / "X.SVG").read_text().startswith("<svg")
