"""`nestrec split`: split a file of interactions into training, validation and test files.

Examples:
  nestrec split ratings.csv --out parts
  nestrec split ratings.csv --by time --test-fraction 0.1 --out parts
  nestrec split ratings.csv --by time --at 2018-01-01 --out parts
  nestrec split clicks.parquet --by leave-last-out --out parts

Every row goes to one file with all of its columns; repeats of a user and item go together, so no pair is both in
training and in test. By time, a row that repeats an earlier part's pair is left out and counted.

"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from nestrec.cli.console import say, show
from nestrec.cli.reading import Reading, print_report
from nestrec.cli.shared_options import Threads, argument, flag, option
from nestrec.cli.training_options import FilterOptions, SplitName
from nestrec.errors import DataError, OptionError, OutputError

if TYPE_CHECKING:
    from nestrec.data.file_split import Assignment, FileSplit


Format: TypeAlias = Literal["csv", "parquet"]


def split(
    file: Annotated[Path, argument("FILE", "A file of interactions.")],
    out: Annotated[Path, option("FOLDER", "Folder for the train, validation and test files.", show_default=False)],
    reading: Reading,
    filters: FilterOptions,
    by: Annotated[
        SplitName, typer.Option(help="Test on a random share, the latest interactions, or the last one of each user.")
    ] = "random",
    test_fraction: Annotated[float | None, option("SHARE", "Share of the interactions to test on.", "0.2")] = None,
    validation_fraction: Annotated[
        float | None, option("SHARE", "Share of the interactions to validate on; 0: none.", "0.1")
    ] = None,
    at: Annotated[str | None, option("TIME", "With --by time: test from this time on, in seconds or ISO 8601.")] = None,
    seed: Annotated[int, option("N", "Random seed.")] = 0,
    to: Annotated[Format | None, typer.Option(help="Format of the files.", show_default="that of FILE")] = None,
    overwrite: Annotated[bool, flag("--overwrite", "Replace existing files.")] = False,
    threads: Threads = None,
) -> None:
    """Split a file into training, validation and test files."""
    from nestrec.data.file_split import FileSplit, assign_parts
    from nestrec.data.part_files import write_parts

    chosen = FileSplit(by, test_fraction, validation_fraction, None if at is None else _moment(at), seed)
    options = filters.add_to(reading.options(threads=threads))
    if not file.is_file():
        if str(file) != "-" and not os.path.lexists(file):
            raise DataError(f"{file} does not exist; check the path")
        raise DataError(f"{file} must be a regular file, since nestrec split reads it more than once")
    places = _places(file, out, chosen, options.format, to)
    _check_places(places, overwrite=overwrite)
    from nestrec.cli.progress import reading_bar

    with reading_bar(file) as advance:
        found = assign_parts(str(file), chosen, options, advance)
    _report_reading(found, to)
    places = _places(file, out, chosen, found.format, to)
    _check_places(places, overwrite=overwrite)
    write_parts(str(file), found, options, places, to, overwrite=overwrite)
    _present(found, places, reading, to)


def _moment(text: str) -> float:
    import math

    from nestrec.data.readers.fields import parse_number
    from nestrec.data.readers.iso_times import parse_iso_time

    value = parse_number(text)
    if math.isnan(value):
        value = parse_iso_time(text)
    if not math.isfinite(value):
        raise OptionError(f"--at must be seconds or an ISO 8601 date such as 2018-01-31, got {text!r}")
    return value


def _places(file: Path, out: Path, chosen: FileSplit, format_name: str | None, to: Format | None) -> dict[int, Path]:
    from nestrec.data.file_split import PARTS
    from nestrec.data.part_files import choose_part_suffix

    suffix = choose_part_suffix(file, format_name or "csv", to)
    wanted = [name for name in PARTS if name != "validation" or chosen.splits()[1] is not None]
    return {PARTS.index(name): out / f"{name}{suffix}" for name in wanted}


def _check_places(places: dict[int, Path], *, overwrite: bool) -> None:
    """Refuse what cannot be written, and a validation file of another split beside files of this one."""
    from nestrec.atomic.output_file import check_output_file

    for place in places.values():
        check_output_file(place, overwrite=overwrite)
    some = next(iter(places.values()))
    left = some.with_name(f"validation{some.suffix}")
    if left not in places.values() and left.exists():
        raise OutputError(
            f"{left} belongs to another split, and this one has no validation part; remove it, or give another --out"
        )


def _report_reading(found: Assignment, to: Format | None) -> None:
    from nestrec.data.file_split import LATER_REPEAT

    print_report(found.report)
    if repeats := found.n_rows(LATER_REPEAT):
        say(f"left out {repeats:,}: the row repeats the user and item of a row in an earlier part")
    if found.format == "jsonl" and to is not None:
        say(f"--to {to} keeps user, item and time of JSON objects; leave it out to keep all keys, as JSON lines")


def _present(found: Assignment, places: dict[int, Path], reading: Reading, to: Format | None) -> None:
    from nestrec.report.split import split_table

    show(split_table(found, list(places)))
    say(f"Wrote {', '.join(map(str, places.values()))}.")
    say("Next:")
    again = " ".join(["", *_reading_words(reading, found.format, to)])
    train, test = (shlex.quote(str(places[code])) for code in (0, 2))
    validation = f" --validation {shlex.quote(str(places[1]))}" if 1 in places else ""
    say(f"  nestrec train {train}{validation} --out model{again}")
    say(f"  nestrec evaluate model {test}{again}")


_DONE = ("min_rating", "repeats", "strict", "encoding")  # applied to the rows of all parts
_OF_TEXT = ("format", "delimiter", "quote", "header")


def _reading_words(reading: Reading, format_name: str, to: Format | None) -> Iterator[str]:
    """Yield the reading options that were given, as they have to be given again for the parts."""
    if format_name == "adjacency" and to is None:
        yield "--format adjacency"  # short parts could be tables
    if format_name == "adjacency" or (format_name == "jsonl" and to is not None):
        return
    left = _DONE if to is None else (*_DONE, *_OF_TEXT)
    if to == "csv" and str(reading.user_column).isdigit() and str(reading.item_column).isdigit():
        yield "--header"  # the parts have one, whether FILE has or not
    for field in fields(reading):
        value = getattr(reading, field.name)
        if value == field.default or field.name in left:
            continue
        option = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            yield option if value else option.replace("--", "--no-", 1)
        else:
            yield f"{option} {shlex.quote(str(value))}"
