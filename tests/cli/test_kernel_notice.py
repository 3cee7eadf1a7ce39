"""A terminal shows that kernels are compiled."""

from __future__ import annotations

import logging

import pytest

from nestrec.cli.console import set_quiet
from nestrec.cli.kernel_notice import announce_compilation


@pytest.mark.parametrize(("terminal", "quiet", "shown"), [("1", False, 1), ("1", True, 0), ("0", False, 0)])
def test_compilation_is_announced_on_a_terminal_unless_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: str, quiet: bool, shown: int
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", terminal)
    set_quiet(quiet=quiet)
    try:
        announce_compilation()
        announce_compilation()
        logging.getLogger("nestrec.kernels").info("Compiling kernels")
    finally:
        set_quiet(quiet=False)
    assert capsys.readouterr().err.count("Compiling kernels") == shown
