"""`nestrec tune`: the best options beside the defaults, in a file that `nestrec train` takes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_the_best_options_are_shown_and_taken_by_train(run: Run, interactions: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    words = ("--widths", "2,4", "--trials", "4", "--seconds", "300", "--seed", "5", "--threads", "1")
    result = run("tune", interactions, *words, "--metric", "recall@10", "--out", settings)
    assert result.code == 0, result.err
    assert "recall@10 on the validation part" in result.out
    assert "nestrec at width 2, 4: the best of 4 fits" in result.out
    values = tomllib.loads(settings.read_text(encoding="utf-8"))
    assert values["widths"] == [2, 4]
    assert f"--config {settings}" in result.err
    result = run("train", interactions, "--out", tmp_path / "model", "--config", settings, "--threads", "1")
    assert result.code == 0, result.err
    training = json.loads((tmp_path / "model" / "manifest.json").read_text())["training"]
    assert training["options"]["widths"] == [2, 4]
    if "learning_rate" in values:
        assert training["options"]["learning_rate"] == values["learning_rate"]


def test_another_model_is_tuned_at_each_width(run: Run, interactions: Path) -> None:
    words = ("--model", "ials", "--widths", "2,4", "--trials", "2", "--threads", "1", "--metric", "ndcg@5")
    result = run("tune", interactions, *words)
    assert result.code == 0, result.err
    assert "ials at width 2: the best of 2 fits" in result.out
    assert "ials at width 4: the best of 2 fits" in result.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "ease", "--out", "x.toml"], "--out writes options for nestrec train, which does not train ease"),
        (["--model", "popularity"], "popularity has no options to tune"),
        (["--model", "magic"], "got 'magic'"),
        (["--trials", "0"], "--trials must be between 1"),
        (["--seconds", "-1"], "--seconds must be above 0, got -1.0"),
        (["--widths", "2,2"], "widths must be positive, ascending and unique"),
        (["--threads", "0"], "--threads must be at least 1, got 0"),
        (["--seed", "-1"], "--seed must be between 0 and 2^63 - 1, got -1"),
    ],
)
def test_invalid_arguments_are_reported_in_one_sentence(
    run: Run, interactions: Path, words: list[str], sentence: str
) -> None:
    result = run("tune", interactions, *words)
    assert result.code == 2
    assert sentence in result.err.splitlines()[-1]


def test_an_output_that_cannot_be_written_is_found_first(run: Run, interactions: Path) -> None:
    result = run("tune", interactions, "--out", "/proc/no/x.toml")
    assert result.code == 1
    assert "nothing can be written into /proc/no" in result.err.splitlines()[-1]
