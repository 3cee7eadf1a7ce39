"""The options of every command that reads a file of interactions, and the reading itself with its progress."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from nestrec.cli.panels import DATA
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.read_options import ReadOptions

FORMATS = "csv, tsv, recbole, adjacency, jsonl, parquet"  # a test holds it to the reader's own list


@dataclass(frozen=True)
class Reading:
    """How a file of interactions is read."""

    panel: ClassVar[str] = DATA

    format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help=f"One of {FORMATS}.", show_default="by the file's name and contents"
        ),
    ] = None
    user_column: Annotated[
        str | None,
        typer.Option(
            "--user-column",
            metavar="COLUMN",
            help="Name of the column of users, or its position from 1.",
            show_default="by its usual names",
        ),
    ] = None
    item_column: Annotated[
        str | None,
        typer.Option(
            "--item-column",
            metavar="COLUMN",
            help="Name of the column of items, or its position from 1.",
            show_default="by its usual names",
        ),
    ] = None
    rating_column: Annotated[
        str | None,
        typer.Option(
            "--rating-column",
            metavar="COLUMN",
            help="Name or position of the column of ratings; '' ignores ratings.",
            show_default="by its usual names",
        ),
    ] = None
    timestamp_column: Annotated[
        str | None,
        typer.Option(
            "--timestamp-column",
            metavar="COLUMN",
            help="Name or position of the column of times.",
            show_default="by its usual names",
        ),
    ] = None
    delimiter: Annotated[
        str | None,
        typer.Option(
            "--delimiter",
            metavar="TEXT",
            help="What stands between fields, as in ';' or '::'; \\t is a tab.",
            show_default="found in the file",
        ),
    ] = None
    quote: Annotated[
        str | None,
        typer.Option(
            "--quote",
            metavar="CHARACTER",
            help="What stands around fields that hold delimiters; '' for nothing.",
            show_default="'\"' in CSV, nothing in tab-separated text",
        ),
    ] = None
    encoding: Annotated[
        str | None,
        typer.Option(
            "--encoding",
            metavar="NAME",
            help="Encoding of text, as in latin-1.",
            show_default="UTF-8, or UTF-16 by mark",
        ),
    ] = None
    na_values: Annotated[
        str | None,
        typer.Option(
            "--na-values",
            metavar="WORDS",
            help="Words for a missing id, with commas between; '' if only empty fields are missing.",
            show_default="NULL,null,None,NaN,nan,NA,\\N",
        ),
    ] = None
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line names the columns.",
            show_default="it does, unless columns are given by position",
        ),
    ] = None
    sequence: Annotated[
        bool,
        typer.Option("--sequence", help="Read each element of an item cell as one interaction, as in 'a b c'."),
    ] = False
    sequence_separator: Annotated[
        str, typer.Option("--sequence-separator", metavar="CHARACTER", help="What stands between elements of a cell.")
    ] = " "
    min_rating: Annotated[
        float | None,
        typer.Option(
            "--min-rating", metavar="NUMBER", help="Leave out rows rated below this.", show_default="every row counts"
        ),
    ] = None
    repeats: Annotated[
        str | None,
        typer.Option(
            "--repeats",
            metavar="RULE",
            help="Which rating of a repeated user and item --min-rating looks at: first, last, max or sum.",
            show_default="max",
        ),
    ] = None
    time_format: Annotated[
        str | None,
        typer.Option(
            "--time-format",
            metavar="FORMAT",
            help="How times are written, as in '%d/%m/%Y %H:%M' (strptime), or the unit of numbers: s, ms, us or ns.",
            show_default="ISO 8601, or numbers as they are",
        ),
    ] = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first row that cannot be used, instead of counting such rows.")
    ] = False

    def options(self, **further: Any) -> ReadOptions:
        """Return the library's options; `further` are fields that are no option of every command."""
        from nestrec.data.read_options import ReadOptions

        return ReadOptions(
            format=self.format,
            user_column=self.user_column,
            item_column=self.item_column,
            rating_column=self.rating_column,
            timestamp_column=self.timestamp_column,
            header=self.header,
            delimiter=None if self.delimiter is None else self.delimiter.replace("\\t", "\t"),
            quote="auto" if self.quote is None else self.quote or None,
            encoding=self.encoding,
            na_values=None if self.na_values is None else tuple(filter(None, self.na_values.split(","))),
            sequence=self.sequence,
            sequence_separator=self.sequence_separator.replace("\\t", "\t"),
            min_rating=self.min_rating,
            repeats=self.repeats,
            time_format=self.time_format,
            strict=self.strict,
            **further,
        )


SOURCES = (  # the end of the help of every argument that names interactions
    "Text, JSON lines, Parquet, Arrow, SQLite or DuckDB (FILE::TABLE); also packed (.gz, .zst, .bz2, .xz, .zip), "
    "a folder of files of one format, or - for standard input."
)


def read_with_progress(source: Path | Sequence[Path], options: ReadOptions) -> Interactions:
    """Read a file, or several as one, show how far it is, and print its report on stderr."""
    from nestrec.cli.console import say
    from nestrec.cli.progress import reading_bar
    from nestrec.data.reading import read_interactions

    paths = [source] if isinstance(source, Path) else list(source)
    _tell_pipes(paths)
    with reading_bar(paths[0]) as advance:
        interactions = read_interactions(paths[0] if len(paths) == 1 else paths, options=options, progress=advance)
    for line in interactions.report.lines() if interactions.report else ():
        say(line)
    return interactions


def refuse_reading_twice(*sources: Path | None) -> None:
    """Raise OptionError where standard input is named for two things, of which it can only be one."""
    named = [source for source in sources if source is not None and str(source) in ("-", "/dev/stdin")]
    if len(named) > 1:
        raise OptionError("standard input (-) can be read once only, and two inputs are named so; write one to a file")


def _tell_pipes(paths: Sequence[Path]) -> None:
    """Say that a named pipe is waited for: opening one blocks until another program writes to it."""
    from nestrec.cli.console import say

    for path in paths:
        with suppress(OSError):  # which reading tells
            if path.is_fifo() and not str(path).startswith("/dev/"):
                say(f"{path} is a named pipe; waiting for a program that writes to it")
