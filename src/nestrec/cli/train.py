"""`nestrec train`: from a file of interactions to a model."""

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
from nestrec.cli.method_options import MethodOptions
from nestrec.cli.output_paths import check_model_place, was_interrupted
from nestrec.cli.reading import SOURCES, Reading, read_with_progress, refuse_reading_twice
from nestrec.cli.training_options import FilterOptions, ModelOptions, OptimizationOptions, RunOptions, ValidationOptions
from nestrec.data.read_report import format_count
from nestrec.errors import ModelFileError, NestrecError, OptionError
from nestrec.training.checkpoint_folder import CheckpointFolder

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
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


BASICS = (
    "out", "config", "widths", "epochs", "backbone", "user_column", "item_column", "min_rating", "resume", "overwrite",
)  # fmt: skip


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
        Path,
        typer.Option(
            "--out", metavar="MODEL", readable=False, help="Folder to write the model to.", show_default=False
        ),
    ],
    model: ModelOptions,
    method: MethodOptions,
    optimization: OptimizationOptions,
    validation: ValidationOptions,
    run: RunOptions,
    reading: Reading,
    filters: FilterOptions,
    config: Annotated[
        Path | None, typer.Option(metavar="TOML", help="A file of options.", callback=apply_config, is_eager=True)
    ] = None,
) -> None:
    """Train nested embeddings from a file of interactions."""
    validation.check(optimization.tune_seconds)
    refuse_reading_twice(*files, validation.validation)
    trainer = method.trainer(model.given() | optimization.given() | validation.given())
    if out.exists() and _is_unfinished(out) and not (run.resume or run.overwrite):
        raise OptionError(
            f"{out} holds the model of an interrupted run; continue it with --resume, or replace it with --overwrite"
        )
    replaces = run.overwrite or (run.resume and _is_unfinished(out))
    check_model_place(out, overwrite=replaces)
    with CheckpointFolder(checkpoint_of(out)) as checkpoint:
        _tell_earlier(checkpoint, run)
        options = reading.options(keep_timestamps=validation.needs_times, threads=run.threads)
        split = validation.split(run.seed)
        cored = replace(
            options,
            min_user_interactions=filters.min_user_interactions,
            min_item_interactions=filters.min_item_interactions,
        )
        interactions = read_with_progress(files, cored)
        held_out: Interactions | Split | None = split
        if validation.validation is not None:
            held_out = read_with_progress(validation.validation, options)
        from nestrec.cli.progress import TrainingProgress

        with TrainingProgress(trainer.metric) as progress:
            trained = trainer.fit(
                interactions, validation=held_out, refit=not validation.no_refit, run=_run(run, checkpoint, progress)
            )
        trained = _with_report(trained, interactions)
        _save(trained, out, replaces, checkpoint)
        _end_if_interrupted(trained, out, checkpoint)
    _present(trained, out)


def checkpoint_of(out: Path) -> Path:
    """Return where the state of training is kept while it goes on: beside the model, or in its folder.

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
    """Whether a run was stopped before its end: the model says so, or the checkpoint is still there."""
    return was_interrupted(out) or CheckpointFolder(checkpoint_of(out)).has_state


def _is_mount_point(place: Path) -> bool:
    """Tell whether something is mounted there; a folder of the same file system may be, unlike for os.path.ismount."""
    if place.is_mount():
        return True
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    escaped = str(place).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012")
    return any(line.split(" ")[4] == escaped for line in lines)


def _tell_earlier(checkpoint: CheckpointFolder, run: RunOptions) -> None:
    if checkpoint.has_state and not run.resume:
        say(f"{checkpoint.path} holds the checkpoint of an interrupted run: --resume would continue it. Starting anew")


def _run(run: RunOptions, checkpoint: CheckpointFolder, progress: Any) -> Run:
    from nestrec.training.options import Run

    return Run(
        seed=run.seed,
        threads=run.threads,
        deterministic=run.deterministic,
        checkpoint=checkpoint,
        resume=run.resume,
        return_on_interrupt=True,
        callbacks=progress,
    )


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


def _save(model: NestedEmbeddings, out: Path, overwrite: bool, checkpoint: CheckpointFolder) -> None:
    """Write the model; where that fails, as on a full disk, keep it elsewhere and say where the work is."""
    try:
        model.save(out, overwrite=overwrite)
    except NestrecError as error:
        kept = [f"the model is kept in {place}" for place in _rescued(model)]
        if checkpoint.has_state:
            kept.append(f"the state of training is in {checkpoint.path}, and the same command with --resume goes on")
        raise ModelFileError(f"{error}; {'; '.join(kept) or 'it could not be kept elsewhere either'}") from error


def _rescued(model: NestedEmbeddings) -> list[Path]:
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
