"""Show log records on stderr: that a command compiles kernels, on a terminal, and every warning.

Compiling takes seconds and happens once per machine.
"""

from __future__ import annotations

import logging

from nestrec.cli.console import is_quiet, messages, say, warn


class Notice(logging.Handler):
    """Shows records on stderr: warnings always, others unless --quiet was given."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        message = record.getMessage()
        if record.levelno >= logging.WARNING:
            warn(f"nestrec: {message}")
        else:
            say(message)


def show_log_records() -> None:
    """Show the warnings of this process, and its first compilation on a terminal, unless --quiet was given."""
    logger = logging.getLogger("nestrec.kernels")
    logger.setLevel(logging.INFO if messages().is_terminal and not is_quiet() else logging.WARNING)
    if not any(isinstance(handler, Notice) for handler in logger.handlers):
        logger.addHandler(Notice())
