"""A terminal shows that kernels are compiled; warnings are shown everywhere."""

from __future__ import annotations

import logging

import pytest

from nestrec.cli.console import set_quiet
from nestrec.cli.log_records import show_log_records


@pytest.mark.parametrize(("terminal", "quiet", "shown"), [("1", False, 1), ("1", True, 0), ("0", False, 0)])
def test_compilation_is_announced_on_a_terminal_unless_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: str, quiet: bool, shown: int
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", terminal)
    set_quiet(quiet=quiet)
    try:
        show_log_records()
        show_log_records()
        logging.getLogger("nestrec.kernels").info("Compiling kernels")
    finally:
        set_quiet(quiet=False)
    assert capsys.readouterr().err.count("Compiling kernels") == shown


@pytest.mark.parametrize("quiet", [False, True])
def test_a_warning_is_shown_once_even_if_quiet(capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    set_quiet(quiet=quiet)
    try:
        show_log_records()
        show_log_records()
        logging.getLogger("nestrec.kernels").warning("the cache is full")
    finally:
        set_quiet(quiet=False)
    assert capsys.readouterr().err == "nestrec: the cache is full\n"
