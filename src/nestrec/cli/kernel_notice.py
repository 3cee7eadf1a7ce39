"""Say on a terminal that a command compiles kernels, which takes seconds and happens once per machine."""

from __future__ import annotations

import logging

from nestrec.cli.console import is_quiet, messages, say


class _Notice(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def announce_compilation() -> None:
    """Let the first compilation of this process be shown, if stderr is a terminal and --quiet was not given."""
    logger = logging.getLogger("nestrec.kernels")
    logger.setLevel(logging.INFO if messages().is_terminal and not is_quiet() else logging.WARNING)
    if not logger.handlers:
        logger.addHandler(_Notice())
