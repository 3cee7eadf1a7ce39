"""What the command's exit codes mean; 2, wrong usage, is given by typer."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from nestrec.cli.console import say

MISTAKE = 1
INTERRUPTED = 130

Words = ParamSpec("Words")


def interruptible(command: Callable[Words, None]) -> Callable[Words, None]:
    """Return the command with Ctrl-C as an exit code and a word instead of a traceback."""

    @wraps(command)
    def wrapper(*args: Words.args, **kwargs: Words.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            say("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None

    return wrapper
