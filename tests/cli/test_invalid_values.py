"""Values that are not of the type of their option, on the command line and in a --config file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("recommend", "x", "-k", "abc"), "'-k': must be an integer, got 'abc'"),
        (("train", "x", "--out", "m", "--learning-rate", "fast"), "must be a number, got 'fast'"),
        (("train", "x", "--out", "m", "--loss", "sofmax"), "got 'sofmax'; did you mean 'softmax'?"),
    ],
)
def test_an_invalid_value_is_wrong_usage_and_named(run: Run, words: tuple[str, ...], sentence: str) -> None:
    result = run(*words)
    assert result.code == 2
    assert sentence in " ".join(result.err.split())


@pytest.mark.parametrize(
    ("line", "sentence"),
    [('epochs = "two"', "epochs must be an integer, got 'two'"), ('loss = "sofmax"', "did you mean 'softmax'?")],
)
def test_an_invalid_value_in_a_config_names_the_file(run: Run, tmp_path: Path, line: str, sentence: str) -> None:
    config = tmp_path / "c.toml"
    config.write_text(line)
    result = run("train", "x", "--out", tmp_path / "m", "--config", config)
    assert result.code == 2
    assert result.err.startswith(f"nestrec: config {config}: ")
    assert sentence in result.err
