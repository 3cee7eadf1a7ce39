"""The library's argument names become the command's options."""

from __future__ import annotations

import pytest

from nestrec.cli.sentences import in_command_words

OPTIONS = ["user_column", "min_rating", "widths", "min_user_interactions"]


@pytest.mark.parametrize(
    ("library", "command_line"),
    [
        ("name it with user_column", "name it with --user-column"),
        ("give positions: user_column=1", "give positions: --user-column 1"),
        ("min_rating nan is not finite", "--min-rating nan is not finite"),
        ("lower min_user_interactions or so.", "lower --min-user-interactions or so."),
        ("widths must be positive", "widths must be positive"),
        ("column 'user_column' is missing", "column 'user_column' is missing"),
        ("data/user_column.csv is empty", "data/user_column.csv is empty"),
        ("or train without validation", "or train without validation"),
        (
            "give a file of held-out interactions, or train without validation",
            "give --validation FILE, or --no-validation",
        ),
        ('correct the ids, or pass unknown="skip" to', "correct the ids, or give --skip-unknown to"),
    ],
)
def test_names_become_options_and_values_stay(library: str, command_line: str) -> None:
    assert in_command_words(library, OPTIONS) == command_line
