"""Errors have the exit code of their kind, and arguments that they name are printed as options."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestrec.cli.error_messages import format_error
from nestrec.cli.main import _COMMANDS
from nestrec.errors import DataError, NestrecError, OptionError
from tests.cli.conftest import Run

OPTIONS = {"min_rating": "--min-rating", "user_column": "--user-column", "resume": "--resume", "k": "-k"}


@pytest.mark.parametrize(
    ("error", "printed"),
    [
        (
            OptionError("min_rating must be finite, got nan", option="min_rating"),
            "--min-rating must be finite, got nan",
        ),
        (OptionError("k must be an integer, got 'k'", option="k"), "-k must be an integer, got 'k'"),
        (
            DataError("x has no header; give user_column=1", mentions=["user_column=1"]),
            "x has no header; give --user-column 1",
        ),
        (DataError("start anew with resume=False", mentions=["resume=False"]), "start anew with --resume False"),
        (
            DataError('correct the ids, or pass unknown="skip" to', mentions=['unknown="skip"']),
            "correct the ids, or pass --skip-unknown to",
        ),
        (DataError("data/user_column.csv: column 'user_column' is empty", mentions=["user_column"]), None),
        (OptionError("memory_limit_mb must be at least 64", option="memory_limit_mb"), None),
        (DataError("min_rating is not said to be an option here"), None),
    ],
)
def test_names_become_options_and_values_stay(error: NestrecError, printed: str | None) -> None:
    assert format_error(error, OPTIONS) == (printed or str(error))


def test_the_command_line_prints_the_option_of_an_error(run: Run, model: str) -> None:
    assert run("recommend", model, "--user", "u001", "--threads", "0").err.startswith("nestrec: --threads")


EXIT_CODES = {  # of each command: words that are wrong usage, and words that fail for a file, a model or data
    "demo": (["--seed", "-1"], ["--out", "file"]),
    "split": (["rows.csv", "--out", "parts", "--test-fraction", "2"], ["none.csv", "--out", "parts"]),
    "train": (["rows.csv", "--out", "m", "--no-validation", "--metric", "ndcg@5"], ["none.csv", "--out", "m"]),
    "evaluate": (["{model}", "rows.csv", "--cutoffs", "0"], ["{model}", "rows.csv", "--json", "file"]),
    "plan": (["{model}", "--recall", "2"], ["none"]),
    "recommend": (["{model}", "--user", "u001", "--all-users"], ["{model}", "--user", "nobody"]),
    "similar": (["{model}", "--user", "u001", "--item", "a"], ["{model}", "--item", "none"]),
    "export": (["{model}", "--to", "docx", "--out", "x"], ["none", "--to", "npz", "--out", "x"]),
    "query": (["file", "--model", "{model}"], ["file", "--model", "none", "--store", "duckdb", "--user", "u001"]),
    "serve": (["{model}", "--port", "70000"], ["none"]),
    "tune": (["rows.csv", "--trials", "0"], ["none.csv"]),
    "compare": (["rows.csv", "rows.csv", "--models", "magic"], ["none.csv", "rows.csv"]),
    "update": (["{model}"], ["{model}", "none.csv"]),
    "items": (["{model}"], ["{model}", "none.csv"]),
    "explain": (["{model}", "--user", "u001", "--frob"], ["{model}", "--user", "nobody", "--item", "a"]),
    "info": (["{model}", "--frob"], ["none"]),
    "doctor": (["--frob"], None),
    "datasets": (["download", "netflix"], None),
}


@pytest.mark.parametrize("command", _COMMANDS)
def test_wrong_usage_exits_with_2_and_other_failures_with_1(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("user_id,item_id\na,b\n")
    Path("file").write_text("")
    for code, words in zip((2, 1), EXIT_CODES[command], strict=True):
        if words is not None:
            result = run(command, *(word.format(model=model) for word in words))
            assert (result.code, result.out) == (code, ""), result.err


@pytest.mark.parametrize(("text", "code"), [("epochs = 0", 2), ("epoch = 3", 2), ("epochs = [", 1), (None, 1)])
def test_a_config_file_has_the_codes_of_options(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("c.toml").write_text(text)
    assert run("train", "rows.csv", "--out", "m", "--config", "c.toml").code == code
