"""Arguments that an error of the library names are printed as options."""

from __future__ import annotations

import pytest

from nestrec.cli.error_messages import format_error
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
