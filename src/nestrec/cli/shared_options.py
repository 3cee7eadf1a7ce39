"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def option(metavar: str, text: str, default: str | None = None, *, name: str | None = None, **settings: Any) -> Any:
    """Return the declaration of an option; `default` is shown in place of the value, `name` in place of its own."""
    settings = {"show_default": default or True, **settings}
    return typer.Option(*([name] if name else []), metavar=metavar, help=text, **settings)


def flag(name: str, text: str) -> Any:
    """Return the declaration of an option without a value."""
    return typer.Option(name, help=text)


def output(metavar: str, text: str, **settings: Any) -> Any:
    """Return the declaration of an option that names a file or folder to write."""
    return option(metavar, text, readable=False, **settings)


def argument(metavar: str, text: str) -> Any:
    """Return the declaration of a required argument."""
    return typer.Argument(metavar=metavar, help=text, show_default=False)


ModelFolder = Annotated[Path, argument("MODEL", "Folder of a model.")]
Overwrite = Annotated[bool, flag("--overwrite", "Replace existing files.")]
SkipUnknown = Annotated[bool, flag("--skip-unknown", "Skip ids that the model does not know, and count them.")]
Threads = Annotated[int | None, option("N", "Number of threads.", "one per processor")]
JsonPath = Annotated[str | None, option("PATH|-", "Write all results as JSON; - is stdout.", name="--json")]
Where = Annotated[
    str | None,
    option("TEXT", 'Only items whose row of the item table meets a condition, such as "year >= 1990".'),
]
Titles = Annotated[
    bool | None,
    typer.Option(
        "--titles/--no-titles",
        help="Show titles of items, from the model's item table.",
        show_default="on a terminal, where the model has titles",
    ),
]
RankingOut = Annotated[Path | None, output("FILE", "Write .csv, .tsv, .jsonl or .parquet; -: CSV on stdout.")]
