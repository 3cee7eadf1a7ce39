"""Where words go: results to stdout, everything about the run to stderr; colour and frames on terminals only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from nestrec.report.table import TextTable

_quiet = ContextVar("_quiet", default=False)
_UNBOUNDED = 10_000  # columns: what is piped is never cut


def results() -> Console:
    """Return the console of stdout. rich honours NO_COLOR and TERM=dumb."""
    return _console(stderr=False)


def messages() -> Console:
    """Return the console of stderr, which prints nothing with --quiet."""
    return _console(stderr=True, quiet=_quiet.get())


def set_quiet(*, quiet: bool) -> None:
    """Let `say` and progress bars print nothing, until it is set again."""
    _quiet.set(quiet)


def is_quiet() -> bool:
    """Return whether --quiet was given."""
    return _quiet.get()


def say(line: str = "") -> None:
    """Print one line about the run on stderr, unless --quiet was given."""
    messages().print(line, markup=False, highlight=False, soft_wrap=True)


def warn(line: str) -> None:
    """Print one line on stderr that --quiet does not hide."""
    _console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def unread_output_dropped() -> Iterator[None]:
    """Go on where standard output cannot be written: for what is shown beside a result that lies in a file."""
    from nestrec.cli.streams import OutputClosedError, OutputFailedError

    with suppress(OutputClosedError, OutputFailedError):
        yield


def show(table: TextTable) -> None:
    """Print a table on stdout: ruled on a terminal, in parts where it is too wide; plain columns elsewhere."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = results()
    frame = SIMPLE_HEAD if console.is_terminal else None
    is_text = table.n_left == len(table.headers)  # then lines are wrapped
    parts = [table] if is_text or not console.is_terminal else table.in_parts(console.width)
    for place, part in enumerate(parts):
        title = part.title if place == 0 else None
        ruled = Table(title=title, title_justify="left", title_style="", box=frame)
        for column, header in enumerate(part.headers):
            ruled.add_column(header, justify="left" if part.is_left(column) else "right", no_wrap=not is_text)
        for row in part.rows:
            ruled.add_row(*row)
        console.print(ruled, markup=False, highlight=False)
    if not console.is_terminal:  # there, the frame ends with an empty line
        console.print()


def cut_text(text: str, width: int) -> str:
    r"""Return text for one line of a terminal, cut to so many cells; control characters become blanks.

    >>> cut_text("Toy Story (1995)", 10), cut_text("a\x1b[31mb", 10)
    ('Toy Story…', 'a [31mb')
    """
    from rich.cells import cell_len, set_cell_size

    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if cell_len(plain) <= width else set_cell_size(plain, width - 1).rstrip() + "…"


def _console(*, stderr: bool, quiet: bool = False) -> Console:
    from rich.console import Console

    file = sys.stderr if stderr else sys.stdout
    console = Console(file=file, markup=False, highlight=False, emoji=False, quiet=quiet)
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console
