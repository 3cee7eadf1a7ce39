"""`nestrec update`: new interactions into a trained model, and removal of users, items and interactions.

Examples:
  nestrec update model today.csv
  nestrec update model today.csv --changed-out changed.parquet
  nestrec update model today.csv --out new-model --validation-fraction 0.1
  nestrec update model --remove-users forget.txt --skip-unknown
  nestrec update model today.csv --remove-items sold_out.csv

A few epochs on the interactions that the model knows and the new ones, with the options it was trained with. Files are
read as the training data were, where no option says otherwise: with its minimum rating, weights and columns. The
vectors stay comparable with those before, and those that moved by no more than --changed-tolerance stay as they are.
Without --out the model is replaced, as a whole. What is removed is in none of its files afterwards.

"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nestrec.cli.console import say, show, warn
from nestrec.cli.output_paths import check_file_paths, check_model_path
from nestrec.cli.panels import BASICS, TRAINING, VALIDATION
from nestrec.cli.reading import SOURCES, Reading, Signals, read_with_progress, refuse_reading_twice
from nestrec.cli.remembered_reading import RememberedReading
from nestrec.cli.removed_ids import read_removed
from nestrec.cli.shared_options import ModelFolder, SkipUnknown, Threads, argument, flag, option, output
from nestrec.cli.train import checkpoint_of
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError
from nestrec.training.checkpoint_folder import CheckpointFolder

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.read_options import ReadOptions
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.updating.result import Update

PANELS = {
    BASICS: (
        "out", "remove_users", "remove_items", "remove_interactions", "skip_unknown", "as_trained", "changed_out",
        "changed_tolerance", "overwrite",
    ),
    TRAINING: ("epochs", "learning_rate"),
    VALIDATION: ("validation", "validation_fraction"),
}  # fmt: skip


def update(
    model: ModelFolder,
    reading: Reading,
    signals: Signals,
    files: Annotated[
        list[Path] | None, argument("FILE", f"New interactions; several files are read as one. {SOURCES}")
    ] = None,
    out: Annotated[
        Path | None, output("MODEL", "Folder to write the new model to.", show_default="MODEL itself")
    ] = None,
    remove_users: Annotated[
        Path | None, option("FILE", "Ids of users to remove with all their interactions: one per line, or a column.")
    ] = None,
    remove_items: Annotated[Path | None, option("FILE", "Ids of items to remove likewise.")] = None,
    remove_interactions: Annotated[
        Path | None, option("FILE", "Interactions to remove, in a file as FILE, read with the same options.")
    ] = None,
    skip_unknown: SkipUnknown = False,
    as_trained: Annotated[
        bool,
        flag(
            "--as-trained/--not-as-trained",
            "Read files with the options of the training data: columns, minimum rating, weights, dislikes.",
        ),
    ] = True,
    changed_out: Annotated[
        Path | None,
        output("FILE", "Write changed, added and removed ids as .csv, or .parquet with vectors; for a vector store."),
    ] = None,
    changed_tolerance: Annotated[
        float, option("SHARE", "Share of its length up to which a vector's change is undone.")
    ] = 0.0,
    epochs: Annotated[
        int | None, option("N", "Epochs; 0: no training.", "0.3 of those of the training, at least 5")
    ] = None,
    learning_rate: Annotated[
        float | None,
        option(
            "NUMBER",
            "Initial learning rate; it decays to a tenth.",
            "that of the training; lower for fewer than 5",
        ),
    ] = None,
    validation: Annotated[
        Path | None, option("FILE", "Held-out interactions that choose the epoch, read like FILE.")
    ] = None,
    validation_fraction: Annotated[
        float | None, option("SHARE", "Share of the new interactions to hold out for it.", "no validation")
    ] = None,
    seed: Annotated[int, option("N", "Random seed of order, negatives and the held-out part.")] = 0,
    threads: Threads = None,
    deterministic: Annotated[
        bool, flag("--deterministic", "Bitwise reproducible for a seed, on any number of threads.")
    ] = False,
    overwrite: Annotated[bool, flag("--overwrite", "Replace an existing --out MODEL and --changed-out FILE.")] = False,
) -> None:
    """Train a model further on new interactions, and remove what it is to forget."""
    if validation is not None and validation_fraction is not None:
        raise OptionError("--validation-fraction has no effect with --validation FILE; leave one of the two out")
    refuse_reading_twice(*(files or []), remove_users, remove_items, remove_interactions, validation)
    target = model if out is None else out
    check_model_path(target, overwrite=out is None or overwrite)
    from nestrec.cli.progress import training_progress
    from nestrec.data.splitting import RandomSplit
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.training.options import Run
    from nestrec.updating.changed_file import check_changes_path, write_changes
    from nestrec.updating.options import UpdateOptions
    from nestrec.updating.trained_model import read_trainer
    from nestrec.updating.update import update as update_model

    options = UpdateOptions(
        epochs, learning_rate, changed_tolerance, Run(seed=seed, threads=threads, deterministic=deterministic)
    )
    split = None if validation_fraction is None else RandomSplit(validation_fraction, seed)
    options.check_validation(
        is_given=split is not None or validation is not None, is_split=split is not None, has_new=bool(files)
    )
    if changed_out is not None:
        check_changes_path(changed_out)
    check_file_paths(changed_out, overwrite=overwrite)
    loaded = NestedEmbeddings.load(model)
    read_trainer(loaded)
    sources = _Sources(RememberedReading.of(loaded.manifest if as_trained else {}), reading, signals, threads)
    new = sources.read_new(files)
    removed, held_out = sources.read_removed(remove_interactions, new), sources.read_held_out(validation, new)
    users = read_removed(remove_users, loaded.users, "user")
    items = read_removed(remove_items, loaded.items, "item", owners=loaded.users)
    with training_progress(_metric(loaded.manifest)) as progress:
        updated = update_model(
            loaded, new,
            remove_users=users, remove_items=items, remove_interactions=removed,
            unknown="skip" if skip_unknown else "raise",
            epochs=epochs, learning_rate=learning_rate,
            validation=held_out if split is None else split,
            changed_tolerance=changed_tolerance,
            run=replace(options.run, callbacks=progress),
        )  # fmt: skip
    updated.model.save(target, overwrite=out is None or overwrite)
    if changed_out is not None:
        write_changes(updated.changes, updated.model, changed_out, overwrite=overwrite)
        say(f"Wrote {changed_out}.")
    _present(updated, target)
    _warn_of_text(loaded, updated.model)
    _warn_of_remains(updated, model, out)


@dataclass(frozen=True)
class _Sources:
    """Reads the files of interactions of an update; what options do not say is as of the training data."""

    remembered: RememberedReading
    reading: Reading
    signals: Signals
    threads: int | None

    def read_new(self, files: list[Path] | None) -> Interactions | None:
        return None if not files else read_with_progress(files, self._complete(files[0]), for_training=False)

    def read_held_out(self, path: Path | None, new: Interactions | None) -> Interactions | None:
        if path is None:
            return None
        return read_with_progress(path, self._complete(path).without_signals(), new, for_training=False)

    def read_removed(self, path: Path | None, new: Interactions | None) -> Interactions | None:
        """Read pairs to remove, whose ratings do not matter unless the options say so."""
        if path is None:
            return None
        options = self.remembered.complete_ids(path, self.reading).options(threads=self.threads)
        return read_with_progress(path, self.signals.add_to(options).without_signals(), new, for_training=False)

    def _complete(self, path: Path) -> ReadOptions:
        reading, signals = self.remembered.complete(path, self.reading, self.signals)
        return signals.add_to(reading.options(threads=self.threads))


def _metric(manifest: Any) -> str:
    """Return the metric that the model was trained with, for messages; an update refuses a model without one."""
    try:
        return str(manifest["training"]["options"]["metric"])
    except (LookupError, TypeError):
        return "metric"


def _present(updated: Update, target: Path) -> None:
    from nestrec.report.training import validation_table
    from nestrec.report.update import changes_table, drift_table

    record = updated.record
    if (found := record.get("validation")) is not None:
        table = validation_table({"validation_metrics": found, "options": {"metric": found["metric"]}})
        if table is not None:
            show(table)
    show(changes_table(record))
    show(drift_table(record))
    counts = record["interactions"]
    if counts["not_found"]:
        say(f"Skipped {counts['not_found']:,} of the ids and interactions to remove: not in the model.")
    _say_what_lacks(updated)
    if not record["epochs"] and not counts["new"] and not counts["removed"]:
        say(f"Nothing is new and nothing was removed: the vectors stay as they are in {target}.")
        return
    new, removed = format_count(counts["new"], "new interaction"), f"{counts['removed']:,} removed"
    known = f", {counts['known']:,} known already" if counts["known"] else ""
    say(
        f"Trained {format_count(record['epochs'], 'epoch')} on {counts['total']:,} interactions ({new}{known}, "
        f"{removed}) in {record['seconds']:.1f} s; the model is in {target}."
    )


def _say_what_lacks(updated: Update) -> None:
    """Say that new items have no row in the item table, where the model has one."""
    added = len(updated.changes.items.added)
    if added and updated.model.item_table is not None:
        say(
            f"{format_count(added, 'new item')} without a row in the item table, so without a title, and left out by "
            "--where; attach a table that has them: nestrec items MODEL FILE"
        )


def _warn_of_text(before: NestedEmbeddings, after: NestedEmbeddings) -> None:
    """Say that ids that were whole numbers are text from now on, and why."""
    from nestrec.data.ids import parse_whole_number

    for noun, old, new in (("user", before.users, after.users), ("item", before.items, after.items)):
        if old.ids.dtype.kind == "i" and new.ids.dtype.kind != "i":
            example = next((id_ for id_ in new.ids.tolist() if parse_whole_number(str(id_)) is None), None)
            why = "" if example is None else f", because of {example!r}"
            warn(f"Warning: {noun} ids were whole numbers and are text from now on{why}; in outputs and stores too")


def _warn_of_remains(updated: Update, model: Path, out: Path | None) -> None:
    """Say where what was removed still is, and that a checkpoint is of the training before."""
    if out is not None and updated.record["interactions"]["removed"]:
        warn(f"Warning: {model} still holds what was removed; delete it")
    checkpoint = CheckpointFolder(checkpoint_of(model))
    if checkpoint.has_state:
        warn(f"Warning: {checkpoint.path} is the checkpoint of the training before this update; delete it")
