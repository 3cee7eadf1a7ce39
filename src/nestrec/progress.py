"""Progress bars: on a terminal by rich, in a notebook as HTML that is replaced in place, elsewhere none.

The command line and `progress=True` share them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn


class Advance(Protocol):
    """Moves a bar."""

    def __call__(self, done: int, total: int | None) -> None:
        """Show how much is done, and of how much if that is known."""


def is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


def make_bar(*columns: ProgressColumn, console: Console | None = None) -> Progress:
    """Return a bar, on stderr unless a console is given; it shows on terminals and in notebooks only."""
    if console is None and is_notebook():
        from nestrec.notebook_bar import NotebookBar

        return NotebookBar(*columns)
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True) if console is None else console
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def counting_bar(noun: str, console: Console | None = None) -> Iterator[Advance]:
    """Show a bar of things done, such as users, until the block ends."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with show_bar(noun, *columns, console=console) as advance:
        yield advance


@contextmanager
def show_bar(description: str, *columns: ProgressColumn, console: Console | None = None) -> Iterator[Advance]:
    """Show a bar until the block ends."""
    with make_bar(*columns, console=console) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class ShownProgress:
    """A bar that is shown inside a `with` block; with a console, messages are printed above it."""

    def __init__(self, *columns: ProgressColumn, console: Console | None) -> None:
        self._bar = make_bar(*columns, console=console)
        self._prints = console is not None

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self._bar.stop()

    def on_message(self, message: str) -> None:
        """Print a message."""
        if self._prints:
            self._bar.console.print(message, markup=False, highlight=False, soft_wrap=True)
