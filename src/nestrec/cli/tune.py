"""`nestrec tune`: the best options of a model on a validation part, beside its defaults."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestrec.atomic.output_file import atomic_file
from nestrec.cli.console import say, show
from nestrec.cli.lists import whole_numbers
from nestrec.cli.output_paths import Overwrite, check_file_place
from nestrec.cli.reading import SOURCES, Reading, read_with_progress, refuse_reading_twice
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.comparison.tuning import Tuning

EXAMPLES = """\b
Examples:
  nestrec tune ratings.csv --trials 50 --out settings.toml
  nestrec train ratings.csv --out model --config settings.toml
  nestrec tune ratings.csv --model ials --widths 16,64

A random tenth of the interactions is held out; every fit is trained on the rest and judged there. The first fit has the
defaults.
"""

_TRAINED_BY_NESTREC = "nestrec"
_OPTION_OF = {"n_candidates": "candidates"}  # where `nestrec train` has another name


def tune(
    files: Annotated[
        list[Path], typer.Argument(metavar="TRAIN...", help=f"Interactions. {SOURCES}", show_default=False)
    ],
    reading: Reading,
    model: Annotated[str, typer.Option(metavar="NAME", help="What to tune.")] = _TRAINED_BY_NESTREC,
    widths: Annotated[str, typer.Option(metavar="LIST", help="Widths the model is wanted at.")] = "4,8,16,32,64",
    trials: Annotated[
        int, typer.Option(metavar="N", help="Fits; per width, where a model is trained for one width at a time.")
    ] = 30,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="Begin no further fit after so long.", show_default="no limit")
    ] = None,
    metric: Annotated[
        str, typer.Option(metavar="NAME@K", help="What to maximise, averaged over the widths of a fit.")
    ] = "ndcg@20",
    seed: Annotated[int, typer.Option(metavar="N", help="Of the search and the fits.")] = 0,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads to work with.", show_default="one per processor")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="C.toml", readable=False, help="Write the best options for `nestrec train --config`."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Search the options of a model on a validation part."""
    refuse_reading_twice(*files)
    at = whole_numbers("--widths", widths)
    if out is not None:
        if model != _TRAINED_BY_NESTREC:
            raise OptionError(f"--out holds options for nestrec train, which does not train {model}; leave it out")
        check_file_place(out, overwrite=overwrite)
    from nestrec.cli.comparison_progress import ComparisonProgress
    from nestrec.comparison import tune as search
    from nestrec.report.tuning import tuning_tables

    interactions = read_with_progress(files, reading.options(threads=threads))
    with ComparisonProgress() as progress:
        found = search(
            interactions,
            model,
            widths=at,
            trials=trials,
            seconds=seconds,
            metric=metric,
            seed=seed,
            threads=threads,
            callbacks=progress,
        )
    for table in tuning_tables(found):
        show(table)
    if out is not None:
        _write(out, found, overwrite)
        say(f"Wrote {out}. Next: nestrec train {shlex.join(map(str, files))} --out MODEL --config {out}")


def _write(path: Path, found: Tuning, overwrite: bool) -> None:
    """Write what `--config` reads; options left to the data are left out."""
    unit = found.units[0]
    values = {"widths": list(unit.widths), **unit.best.options}
    lines = [f"{_OPTION_OF.get(name, name)} = {_toml(value)}\n" for name, value in values.items() if value is not None]
    with atomic_file(path, overwrite=overwrite) as partial:
        partial.write_text("".join(lines), encoding="utf-8")


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
