"""Options of every command that reads a file of interactions, and reading it with a progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from nestrec.cli.panels import DATA
from nestrec.cli.shared_options import flag, option
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.read_options import ReadOptions
    from nestrec.data.read_report import ReadReport

FORMATS = "csv, tsv, recbole, adjacency, jsonl, parquet{nestrec.readers}"  # a test holds it to the reader's own list


@dataclass(frozen=True)
class Reading:
    """How a file of interactions is read."""

    panel: ClassVar[str] = DATA

    format: Annotated[str | None, option("NAME", f"One of {FORMATS}.", "by the file's name and contents")] = None
    user_column: Annotated[
        str | None, option("COLUMN", "User column, by name or by position from 1.", "found by name")
    ] = None
    item_column: Annotated[
        str | None, option("COLUMN", "Item column, by name or by position from 1.", "found by name")
    ] = None
    rating_column: Annotated[
        str | None, option("COLUMN", "Rating column, by name or position; '' ignores ratings.", "found by name")
    ] = None
    timestamp_column: Annotated[
        str | None, option("COLUMN", "Timestamp column, by name or position.", "found by name")
    ] = None
    delimiter: Annotated[
        str | None, option("TEXT", "Field delimiter, such as ';' or '::'; \\t is a tab.", "detected")
    ] = None
    quote: Annotated[
        str | None, option("CHARACTER", "Quote character; '' for none.", "'\"' in CSV, none in tab-separated text")
    ] = None
    encoding: Annotated[
        str | None, option("NAME", "Text encoding, such as latin-1.", "UTF-8, or UTF-16 with a byte order mark")
    ] = None
    na_values: Annotated[
        str | None,
        option(
            "WORDS",
            "Words that mean a missing id, comma-separated; '' for empty fields alone.",
            "NULL,null,None,NaN,nan,NA,\\N",
        ),
    ] = None
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="The first line is a header.",
            show_default="a header, unless columns are given by position",
        ),
    ] = None
    sequence: Annotated[
        bool, flag("--sequence", "Read item cells as sequences, such as 'a b c': an interaction per element.")
    ] = False
    sequence_separator: Annotated[str, option("CHARACTER", "Separator of sequence elements.", "a blank")] = " "
    min_rating: Annotated[float | None, option("NUMBER", "Drop rows rated below this.", "keep all")] = None
    repeats: Annotated[
        str | None,
        option(
            "RULE",
            "Rating of a repeated user and item that counts for --min-rating, and its weight: first, last, max or sum.",
            "max; of weights sum",
        ),
    ] = None
    time_format: Annotated[
        str | None,
        option(
            "FORMAT",
            "Format of timestamps, such as '%d/%m/%Y %H:%M' (strptime), or the unit of numbers: s, ms, us, ns.",
            "ISO 8601, or numbers",
        ),
    ] = None
    strict: Annotated[bool, flag("--strict", "Fail at the first invalid row, instead of counting such rows.")] = False

    def options(self, **further: Any) -> ReadOptions:
        """Return the options of the library; `further` fills fields that not every command has."""
        from nestrec.data.read_options import ReadOptions

        values = {field.name: getattr(self, field.name) for field in fields(self)} | further
        values["quote"] = "auto" if self.quote is None else self.quote or None
        values["delimiter"] = self.delimiter and self.delimiter.replace("\\t", "\t")
        values["sequence_separator"] = self.sequence_separator.replace("\\t", "\t")
        if self.na_values is not None:
            values["na_values"] = tuple(filter(None, self.na_values.split(",")))
        return ReadOptions(**values)


@dataclass(frozen=True)
class Signals:
    """How much interactions weigh in training, and which rows are dislikes."""

    panel: ClassVar[str] = DATA

    weight_column: Annotated[
        str | None,
        option("COLUMN", "Column of weights above 0, such as plays; repeats are summed.", "all weigh the same"),
    ] = None
    rating_weights: Annotated[bool, flag("--rating-weights", "Weight interactions by their ratings.")] = False
    weight_transform: Annotated[str | None, option("NAME", "Function of the weights: log1p or sqrt.", "none")] = None
    half_life: Annotated[
        float | None, option("DAYS", "Halve the weight of an interaction for every so many days of age.", "no decay")
    ] = None
    dislike_below: Annotated[
        float | None, option("NUMBER", "Train rows rated below this as dislikes, extra negatives.", "no dislikes")
    ] = None

    def add_to(self, options: ReadOptions) -> ReadOptions:
        """Return reading options with these."""
        return replace(options, **asdict(self))


SOURCES = (  # the end of the help of every argument that names interactions
    "CSV, TSV, JSON lines, Parquet, Arrow, SQLite or DuckDB (FILE::TABLE), also compressed (.gz, .zst, .bz2, .xz, "
    ".zip); a folder of files; - for stdin."
)


def read_with_progress(
    source: Path | Sequence[Path],
    options: ReadOptions,
    earlier: Interactions | None = None,
    *,
    for_training: bool = True,
) -> Interactions:
    """Read a file, or several as one, with a progress bar, and print the read report on stderr.

    What the report of `earlier` interactions of the command said about its options is not said again.
    """
    from nestrec.cli.progress import reading_bar
    from nestrec.data.reading import read_interactions

    paths = [source] if isinstance(source, Path) else list(source)
    _announce_pipes(paths)
    with reading_bar(paths[0]) as advance:
        interactions = read_interactions(paths[0] if len(paths) == 1 else paths, options=options, progress=advance)
    if interactions.report is not None:
        print_report(interactions.report, None if earlier is None else earlier.report, for_training=for_training)
    return interactions


def print_report(report: ReadReport, earlier: ReadReport | None = None, *, for_training: bool = True) -> None:
    """Print a read report on stderr; with --quiet, one line that counts the invalid rows, if there are any."""
    from nestrec.cli.console import is_quiet, say, warn

    for line in report.lines(earlier, for_training=for_training):
        say(line)
    invalid = {reason: report.rejected[reason] for reason in report.examples}  # only these have examples
    if is_quiet() and invalid:
        counts = "; ".join(f"{count:,}: {reason} ({report.examples[reason][0]})" for reason, count in invalid.items())
        warn(f"Warning: {report.source}: {sum(invalid.values()):,} of {report.n_rows:,} rows left out: {counts}.")


def refuse_reading_twice(*sources: Path | None) -> None:
    """Raise OptionError if standard input is given for two inputs."""
    named = [source for source in sources if source is not None and str(source) in ("-", "/dev/stdin")]
    if len(named) > 1:
        raise OptionError(
            "standard input (-) can be read only once, got it for two inputs; write one of them to a file"
        )


def _announce_pipes(paths: Sequence[Path]) -> None:
    """Say that the command waits for a named pipe: opening one blocks until another program writes to it."""
    from nestrec.cli.console import say

    for path in paths:
        with suppress(OSError):  # reading raises it again
            if path.is_fifo() and not str(path).startswith("/dev/"):
                say(f"{path} is a named pipe; waiting for a program that writes to it")
