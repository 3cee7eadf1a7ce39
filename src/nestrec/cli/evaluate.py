"""`nestrec evaluate`: how well a model ranks held-out interactions, at every width."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestrec.cli.console import say, show
from nestrec.cli.lists import whole_numbers
from nestrec.cli.output_paths import Overwrite, check_file_place, write_json
from nestrec.cli.reading import SOURCES, Reading, read_with_progress, refuse_reading_twice
from nestrec.errors import DataWarning, OptionError

if TYPE_CHECKING:
    from nestrec.evaluation.evaluation import Evaluation

EXAMPLES = """\b
Examples:
  nestrec evaluate model test.csv
  nestrec evaluate model test.csv --cutoffs 5,10 --widths 8,64 --bootstrap 0
  nestrec evaluate model test.csv --json - | jq '.widths[] | [.width, ."ndcg@20"]'
  nestrec evaluate model test.csv --per-user users.parquet

Every item that a user has not met in training is ranked. Users and items that the model does not know (without training
interactions) count as misses; beside the figures over all users stand those over the users it knows.
"""


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.", show_default=False)],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help=f"Held-out interactions. {SOURCES}", show_default=False),
    ],
    reading: Reading,
    cutoffs: Annotated[str, typer.Option(metavar="LIST", help="Lengths at which lists are judged.")] = "10,20,50",
    widths: Annotated[
        str | None, typer.Option(metavar="LIST", help="Widths to evaluate.", show_default="all that were trained")
    ] = None,
    json_to: Annotated[
        str | None, typer.Option("--json", metavar="PATH|-", help="Write all figures as JSON; - is stdout.")
    ] = None,
    per_user: Annotated[
        Path | None, typer.Option(metavar="FILE.parquet", readable=False, help="Write every user's figures as Parquet.")
    ] = None,
    bootstrap: Annotated[
        int, typer.Option(metavar="N", help="Draws of users behind the 95% intervals; 0 leaves them out.")
    ] = 1000,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads to work with.", show_default="one per processor")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Evaluate a model on held-out interactions, at every width."""
    wanted = None if widths is None else whole_numbers("--widths", widths)
    judged = whole_numbers("--cutoffs", cutoffs)
    _check_places(json_to, per_user, overwrite)
    refuse_reading_twice(*files)
    from nestrec.cli.progress import counting_bar
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.evaluation import evaluate as rank

    loaded = NestedEmbeddings.load(model)
    held_out = read_with_progress(files, reading.options(threads=threads))
    with counting_bar("users ranked") as advance, warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # told beside the tables, in the words of the command line
        found = rank(
            loaded, held_out, judged, widths=wanted, threads=threads, bootstrap_samples=bootstrap, progress=advance
        )
    if per_user is not None:
        found.save_per_user(per_user, overwrite=overwrite)
        say(f"Wrote {per_user}.")
    _present(found, json_to, overwrite)


def _present(found: Evaluation, json_to: str | None, overwrite: bool) -> None:
    if json_to == "-":
        typer.echo(json.dumps(found.as_dict(), indent=2, allow_nan=False))
        if (warning := found.warning()) is not None:
            say(f"Warning: {warning}.")
        return
    from nestrec.report.evaluation import evaluation_tables, unmatched_lines

    for table in evaluation_tables(found):
        show(table)
    for line in unmatched_lines(found):
        say(line)
    if json_to is not None:
        write_json(Path(json_to), found.as_dict(), overwrite=overwrite)
        say(f"Wrote {json_to}.")


def _check_places(json_to: str | None, per_user: Path | None, overwrite: bool) -> None:
    if json_to not in (None, "-"):
        check_file_place(Path(str(json_to)), overwrite=overwrite)
    if per_user is not None:
        if per_user.suffix.lower() != ".parquet":
            raise OptionError(f"--per-user {per_user} is written as Parquet; end its name with .parquet")
        check_file_place(per_user, overwrite=overwrite)
