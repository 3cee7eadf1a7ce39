"""Where words go: results to stdout, everything about the run to stderr; colour and frames on terminals only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from nestrec.report.table import TextTable

_UNBOUNDED = 10_000  # columns: what is piped is never cut


def results() -> Console:
    """Return the console of stdout. rich honours NO_COLOR and TERM=dumb."""
    return _console(stderr=False)


def messages() -> Console:
    """Return the console of stderr."""
    return _console(stderr=True)


def say(line: str = "") -> None:
    """Print one line about the run on stderr."""
    messages().print(line, markup=False, highlight=False, soft_wrap=True)


def show(table: TextTable) -> None:
    """Print a table on stdout: ruled on a terminal, plain columns elsewhere."""
    from rich import box
    from rich.table import Table

    console = results()
    ruled = Table(title=table.title, title_justify="left", box=box.SIMPLE_HEAD if console.is_terminal else None)
    for place, header in enumerate(table.headers):
        ruled.add_column(header, justify="left" if place < table.n_left else "right", no_wrap=place > 0)
    for row in table.rows:
        ruled.add_row(*row)
    console.print(ruled, markup=False, highlight=False)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _UNBOUNDED
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
