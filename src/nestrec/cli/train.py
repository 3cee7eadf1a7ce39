"""`nestrec train`: train a model on a file of interactions.

Examples:
  nestrec train ratings.csv --out model
  nestrec train ratings.csv --out model --min-rating 4 --validation-split time
  nestrec train ratings.csv --out model --items movies.csv
  nestrec train clicks.parquet --out model --user-column who --item-column sku
  nestrec train plays.csv --out model --weight-column plays --half-life 90
  nestrec train ratings.csv --out model --backbone lightgcn --layers 3
  nestrec train day-1.csv.gz day-2.csv.gz --out model
  zcat ratings.csv.gz | nestrec train - --out model
  nestrec train train.tsv --out model --config settings.toml --overwrite

A --config file is TOML with options by name, such as widths = [8, 16, 32]. Options on the command line take precedence.

"""

from __future__ import annotations

import os
import shlex
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestrec.atomic.output_file import is_allowed
from nestrec.cli.config import apply_config
from nestrec.cli.console import say, show, unread_output_dropped, warn
from nestrec.cli.exit_codes import exit_code_of
from nestrec.cli.item_table_options import TrainItemOptions, attach
from nestrec.cli.method_options import MethodOptions
from nestrec.cli.output_paths import check_model_path, was_interrupted
from nestrec.cli.panels import BASICS
from nestrec.cli.reading import SOURCES, Reading, Signals, read_with_progress, refuse_reading_twice
from nestrec.cli.remembered_reading import keep_reading
from nestrec.cli.shared_options import argument, option, output
from nestrec.cli.training_options import FilterOptions, ModelOptions, OptimizationOptions, RunOptions, ValidationOptions
from nestrec.data.read_report import format_count
from nestrec.errors import ModelFileError, NestrecError, OutputError
from nestrec.training.checkpoint_folder import CheckpointFolder

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.splitting import Split
    from nestrec.embeddings import NestedEmbeddings


PANELS = {
    BASICS: (
        "out", "config", "widths", "epochs", "backbone",
        "user_column", "item_column", "min_rating", "items", "resume", "overwrite",
    ),
}  # fmt: skip


def train(
    files: Annotated[list[Path], argument("FILE", f"Interactions; several files are read as one. {SOURCES}")],
    out: Annotated[Path, output("MODEL", "Folder to write the model to.", show_default=False)],
    model: ModelOptions,
    method: MethodOptions,
    optimization: OptimizationOptions,
    validation: ValidationOptions,
    run: RunOptions,
    reading: Reading,
    signals: Signals,
    filters: FilterOptions,
    item_table: TrainItemOptions,
    config: Annotated[  # noqa: ARG001 - its callback reads it
        Path | None, option("TOML", "TOML file of options.", callback=apply_config, is_eager=True)
    ] = None,
) -> None:
    """Train nested embeddings on a file of interactions."""
    validation.check(optimization.tune_seconds)
    item_table.check()
    refuse_reading_twice(*files, validation.validation, item_table.items)
    trainer = method.trainer(model.given() | optimization.given() | validation.given())
    if out.exists() and _is_unfinished(out) and not (run.resume or run.overwrite):
        raise OutputError(
            f"{out} holds the model of an interrupted run; continue it with --resume, or replace it with --overwrite"
        )
    replaces = run.overwrite or (run.resume and _is_unfinished(out))
    check_model_path(out, overwrite=replaces)
    with CheckpointFolder(checkpoint_of(out)) as checkpoint:
        if checkpoint.has_state and not run.resume:
            say(
                f"{checkpoint.path} holds the checkpoint of an interrupted run: --resume would continue it. Starting "
                "anew"
            )
        options = reading.options(keep_timestamps=validation.needs_times, threads=run.threads)
        split = validation.split(run.seed)
        interactions = read_with_progress(files, signals.add_to(filters.add_to(options)))
        table = item_table.read(interactions.items)
        held_out: Interactions | Split | None = split
        if validation.validation is not None:
            unweighted = signals.add_to(options).without_signals()
            held_out = read_with_progress(validation.validation, unweighted, interactions, for_training=False)
        from nestrec.cli.progress import training_progress

        with training_progress(trainer.metric) as progress:
            settings = run.start(checkpoint=checkpoint, return_on_interrupt=True, callbacks=progress)
            trained = trainer.fit(interactions, validation=held_out, refit=not validation.no_refit, run=settings)
        trained = attach(keep_reading(_with_report(trained, interactions), reading, signals), table)
        _save(trained, out, overwrite=replaces, checkpoint=checkpoint)
        _end_if_interrupted(trained, out, checkpoint)
    _present(trained, out)


def checkpoint_of(out: Path) -> Path:
    """Return the folder of the checkpoint of a model: beside the model, or in its folder.

    In it where nothing can be put beside it, or where that would be on another file system: beside a mount point.
    """
    place = Path(os.path.realpath(out))
    inside = place / ".checkpoint"
    if inside.is_dir() or not place.name:
        return inside
    beside = place.with_name(f"{place.name}.checkpoint")
    if beside.exists() or not place.is_dir():
        return beside
    return inside if _is_mount_point(place) or not is_allowed(place.parent, os.W_OK | os.X_OK) else beside


def _is_unfinished(out: Path) -> bool:
    """Return whether a run was interrupted: the model says so, or its checkpoint is still there."""
    return was_interrupted(out) or CheckpointFolder(checkpoint_of(out)).has_state


def _is_mount_point(place: Path) -> bool:
    """Return whether something is mounted there; unlike os.path.ismount, also from the same file system."""
    if place.is_mount():
        return True
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    escaped = str(place).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012")
    return any(line.split(" ")[4] == escaped for line in lines)


def _with_report(model: NestedEmbeddings, interactions: Interactions) -> NestedEmbeddings:
    report = interactions.report
    data = {**model.manifest["data"], **({"report": report.as_dict()} if report else {})}
    return replace(model, manifest={**model.manifest, "data": data}, check=False)


def _end_if_interrupted(model: NestedEmbeddings, out: Path, checkpoint: CheckpointFolder) -> None:
    training = model.manifest["training"]
    if not training["interrupted"]:
        return
    warn(
        f"Interrupted. The best model so far ({_epochs(training)}) is in {out}, the state of training in "
        f"{checkpoint.path}; to continue, give the same command with --resume."
    )
    raise typer.Exit(exit_code_of(training.get("interrupted_by")))


def _present(model: NestedEmbeddings, out: Path) -> None:
    from nestrec.report.training import validation_table

    training = model.manifest["training"]
    table = validation_table(training)
    if table is not None:
        with unread_output_dropped():
            show(table)
    say(f"Trained {_epochs(training)} in {training['seconds']:.1f} s; the model is in {out}.")
    say("Next:")
    for line in _next_steps(model, out):
        say(f"  {line}")


def _epochs(training: dict[str, Any]) -> str:
    trained = format_count(training["epochs"], "epoch") if training["epochs"] else "less than 1 epoch"
    return f"{trained} on {training['trained_on']}"


def _save(model: NestedEmbeddings, out: Path, *, overwrite: bool, checkpoint: CheckpointFolder) -> None:
    """Write the model; if that fails, as on a full disk, save it elsewhere and say where."""
    try:
        model.save(out, overwrite=overwrite)
    except NestrecError as error:
        kept = [f"the model is saved in {path}" for path in _rescue(model)]
        if checkpoint.has_state:
            kept.append(f"the checkpoint is in {checkpoint.path}; to continue, give the same command with --resume")
        message = f"{error}; {'; '.join(kept) or 'it could not be saved elsewhere either'}"
        raise ModelFileError(message, option=error.option, mentions=error.mentions) from error


def _rescue(model: NestedEmbeddings) -> list[Path]:
    """Save the model in a temporary folder and return where; nowhere, if that fails too."""
    try:
        place = Path(tempfile.mkdtemp(prefix="nestrec-")) / "model"
        model.save(place)
    except (OSError, NestrecError):
        return []
    return [place]


def _next_steps(model: NestedEmbeddings, out: Path) -> list[str]:
    place, user, item = (shlex.quote(str(x)) for x in (out, model.users.ids[0], model.items.ids[0]))
    narrow = model.widths.values[len(model.widths) // 2]
    return [
        f"nestrec recommend {place} --user {user} -k 10 --width {narrow}",
        f"nestrec similar {place} --item {item}",
        f"nestrec evaluate {place} TEST_FILE",
        f"nestrec info {place}",
    ]
