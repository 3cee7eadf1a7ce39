"""`nestrec train`: from a file of interactions to a model."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestrec.cli.config import apply_config
from nestrec.cli.console import say, show
from nestrec.cli.destination import check_model_place, was_interrupted
from nestrec.cli.exit_codes import INTERRUPTED
from nestrec.cli.method_options import MethodOptions
from nestrec.cli.reading import SOURCES, Reading, read_with_progress, refuse_reading_twice
from nestrec.cli.training_options import FilterOptions, ModelOptions, RunOptions, ValidationOptions
from nestrec.data.read_report import counted
from nestrec.errors import ModelFileError

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.read_report import ReadReport
    from nestrec.data.splitting import Split
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.training.options import Run

EXAMPLES = """\b
Examples:
  nestrec train ratings.csv --out model
  nestrec train ratings.csv --out model --min-rating 4 --validation-split time
  nestrec train clicks.parquet --out model --user-column visitor --item-column sku
  nestrec train ratings.csv --out model --backbone lightgcn --layers 3
  nestrec train day-1.csv.gz day-2.csv.gz --out model
  zcat ratings.csv.gz | nestrec train - --out model
  nestrec train train.tsv --out model --config settings.toml --overwrite

A --config file holds options by name, as in: widths = [8, 16, 32]. What the command line gives comes first.
"""


def train(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help=f"Interactions, of several files as one. {SOURCES}",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="MODEL", help="Folder to write the model to.", show_default=False)
    ],
    model: ModelOptions,
    method: MethodOptions,
    validation: ValidationOptions,
    run: RunOptions,
    reading: Reading,
    filters: FilterOptions,
    config: Annotated[
        Path | None, typer.Option(metavar="TOML", help="A file of options.", callback=apply_config, is_eager=True)
    ] = None,
) -> None:
    """Train nested embeddings from a file of interactions."""
    validation.check(model)
    refuse_reading_twice(*files, validation.validation)
    trainer = model.trainer(method)
    check_model_place(out, overwrite=run.overwrite or (run.resume and was_interrupted(out)))
    options = reading.options(keep_timestamps=validation.needs_times, threads=run.threads)
    split = validation.split(run.seed)
    cored = replace(
        options,
        min_user_interactions=filters.min_user_interactions,
        min_item_interactions=filters.min_item_interactions,
    )
    interactions, report = read_with_progress(files, cored)
    held_out: Interactions | Split | None = split
    if validation.validation is not None:
        held_out, _ = read_with_progress(validation.validation, options)
    from nestrec.cli.progress import TrainingProgress

    with TrainingProgress(trainer.metric) as listener:
        trained = trainer.fit(
            interactions, validation=held_out, refit=not validation.no_refit, run=_run(run, out, listener)
        )
    _finish(_with_report(trained, report), out)


def checkpoint_of(out: Path) -> Path:
    """Return where the state of training is kept while it goes on."""
    place = out.resolve()  # which has a name where `out` is "."
    return place.with_name(f"{place.name}.checkpoint")


def _run(run: RunOptions, out: Path, listener: Any) -> Run:
    from nestrec.training.options import Run

    return Run(
        seed=run.seed,
        threads=run.threads,
        deterministic=run.deterministic,
        checkpoint=checkpoint_of(out),
        resume=run.resume,
        listener=listener,
    )


def _with_report(model: NestedEmbeddings, report: ReadReport) -> NestedEmbeddings:
    data = {**model.manifest["data"], "report": report.as_dict()}
    return replace(model, manifest={**model.manifest, "data": data}, check=False)


def _finish(model: NestedEmbeddings, out: Path) -> None:
    from nestrec.report.training import validation_table

    _save(model, out)
    training = model.manifest["training"]
    table = validation_table(training)
    if table is not None:
        show(table)
    trained = counted(training["epochs"], "epoch") if training["epochs"] else "less than 1 epoch"
    epochs = f"{trained} on {training['trained_on']}"
    if training["interrupted"]:
        say(
            f"Interrupted. The best model so far ({epochs}) is in {out}; to go on, give the same command with --resume."
        )
        raise typer.Exit(INTERRUPTED)
    say(f"Trained {epochs} in {training['seconds']:.1f} s; the model is in {out}.")
    say("Next:")
    for line in _next_steps(model, out):
        say(f"  {line}")


def _save(model: NestedEmbeddings, out: Path) -> None:
    """Write the model; where that fails, as on a full disk, keep it in a temporary folder, raise ModelFileError."""
    try:
        model.save(out, overwrite=True)  # what may be replaced was decided before training
    except ModelFileError as error:
        rescued = Path(tempfile.mkdtemp(prefix="nestrec-")) / "model"
        model.save(rescued)
        raise ModelFileError(f"{error}; it is kept in {rescued}") from error


def _next_steps(model: NestedEmbeddings, out: Path) -> list[str]:
    place, user, item = (shlex.quote(str(x)) for x in (out, model.users.ids[0], model.items.ids[0]))
    narrow = model.widths.values[len(model.widths) // 2]
    return [
        f"nestrec recommend {place} --user {user} -k 10 --width {narrow}",
        f"nestrec similar {place} --item {item}",
        f"nestrec evaluate {place} TEST_FILE",
        f"nestrec info {place}",
    ]
