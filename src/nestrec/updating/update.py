"""`update`: new interactions, users and items into a trained model, by a few epochs from where it stands.

The interactions that a model was trained on are kept in it (`model.seen`), so an update trains on old and new ones
together and forgets nothing; what is to be removed leaves both. Options, objective and the rules of data-dependent
options are those that the model was trained with. In the end the vectors are aligned with those before by an orthogonal
transform within each block of the nest, which changes no score, and vectors that moved little keep their old values, so
that only those that changed must be written to a vector store again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nestrec.arguments import check_keywords
from nestrec.data.as_interactions import as_interactions
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, TrainingError
from nestrec.training.check_interactions import check_learnable
from nestrec.training.options import Run
from nestrec.training.resolve_validation import needs_times, resolve_validation
from nestrec.training.stop_request import StopRequest
from nestrec.training.validation import prepare_validation
from nestrec.updating.build import Builder
from nestrec.updating.holding_out import hold_out
from nestrec.updating.merging import Removal, merge
from nestrec.updating.options import TOLERANCE, UpdateOptions
from nestrec.updating.result import Update
from nestrec.updating.trained_model import TrainedBy, read_trainer
from nestrec.updating.training import WarmTraining

if TYPE_CHECKING:
    from nestrec.data.splitting import Split
    from nestrec.retrieval.id_lookup import Ids, Unknown
    from nestrec.training.setup import TrainingSetup


@check_keywords
def update(  # noqa: PLR0913 - each is an option of its own
    model: NestedEmbeddings,
    interactions: Interactions | object | None = None,
    *,
    remove_users: Ids | None = None,
    remove_items: Ids | None = None,
    remove_interactions: Interactions | object | None = None,
    unknown: Unknown = "raise",
    epochs: int | None = None,
    learning_rate: float | None = None,
    validation: Split | Interactions | float | str | object | None = None,
    changed_tolerance: float = TOLERANCE,
    run: Run = Run(),  # noqa: B008 - a frozen value
) -> Update:
    """Train a model further on its own and new interactions, and return the new model with what changed.

    New users and items get vectors; those of whom no interaction is left are removed. The vectors are aligned with
    those before, and those that moved by at most `changed_tolerance` keep their old values bit for bit.

    Args:
        model: a model that `Trainer.fit` made with the CPU engine, in all its widths.
        interactions: new interactions: Interactions, or a path or table that `read_interactions` takes. Pairs that the
            model has seen already count once.
        remove_users: ids of users to remove with all their interactions, new ones included.
        remove_items: ids of items to remove likewise.
        remove_interactions: interactions to remove, in the same forms as `interactions`.
        unknown: "raise" UnknownIdError for something to remove that is not there, or "skip" it.
        epochs: epochs to train; None: 0.3 of those of a full training, at least 5. 0: no training; new users and items
            start from the vectors of their items and users, and vectors with new interactions get one step towards
            them. Where nothing is new and nothing is removed, nothing is trained and all vectors stay as they are.
        learning_rate: of the first epoch, falling to a tenth; None: that of a full training, for fewer than 5 epochs a
            share of it, as many fifths.
        validation: interactions to choose the best of the epochs by: as in `Trainer.fit`, but a split holds out a part
            of the new interactions alone, since the model was trained on the old ones. None: all epochs are trained.
        changed_tolerance: share of a vector's length up to which a change is undone.
        run: seed, threads, callbacks, deterministic.

    An interruption takes effect at once and leaves nothing behind.

    Raises TrainingError for a model that cannot be trained further, DataError if nothing would be left to learn from,
    UnknownIdError for something to remove that is not there.

    >>> from nestrec import RandomSplit, SyntheticData, Trainer, update
    >>> interactions = SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions
    >>> first, new = RandomSplit(0.1).split(interactions)
    >>> model = Trainer(widths=(4, 8), epochs=5).fit(first, validation=None)
    >>> updated = update(model, new, remove_users=["u007"])
    >>> updated.changes.users.removed.tolist(), updated.model.n_users
    (['u007'], 199)

    """
    if not isinstance(model, NestedEmbeddings):
        raise OptionError(f"model must be NestedEmbeddings, got {type(model).__name__}; load it first")
    started, options = time.perf_counter(), UpdateOptions(epochs, learning_rate, changed_tolerance, run)
    split, has_new = resolve_validation(validation), interactions is not None
    is_split = split is not None and not isinstance(split, Interactions)
    options.check_validation(is_given=split is not None, is_split=is_split, has_new=has_new)
    trained_by = read_trainer(model)
    new = None if interactions is None else as_interactions(interactions, keep_timestamps=needs_times(split))
    removed = None if remove_interactions is None else as_interactions(remove_interactions)
    removal = Removal(remove_users, remove_items, removed)
    if new is None and removal.is_empty:
        raise OptionError("an update must have new interactions or something to remove, got neither")
    first, held_out = hold_out(split, new)
    merged = merge(model.seen, new, removal, unknown)
    check_learnable(merged.interactions)
    has_same_pairs = not merged.n_new and not merged.n_removed
    if has_same_pairs and merged.interactions.fingerprint() == model.seen.fingerprint():
        options, held_out = replace(options, epochs=0), None  # nothing to learn, nothing to forget
    with StopRequest() as stop:
        warm = WarmTraining(model, trained_by.rotated, run, stop)
        setup, validated = options.shorten(trained_by.resolve(merged.interactions)), None
        if held_out is not None:
            part = merge(model.seen, first, removal, "skip").interactions
            setup, validated = _choose_epoch(warm, options, trained_by, part, held_out, setup)
        vectors = warm.train(setup) if setup.schedule.stop_after and not stop.made else warm.start(merged.interactions)
    if stop.made:
        stop.deliver()
        raise TrainingError("the update was stopped by a signal; the model is as it was, run the update again")
    return Builder(model, merged, options.tolerance, run, started).build(setup, vectors, validated)


def _choose_epoch(
    warm: WarmTraining,
    options: UpdateOptions,
    trained_by: TrainedBy,
    part: Interactions,
    held_out: Interactions,
    setup: TrainingSetup,
) -> tuple[TrainingSetup, dict[str, Any] | None]:
    """Return the setup with the number of epochs that validation chose, and what it found."""
    validation = prepare_validation(held_out, part, lambda of: options.shorten(trained_by.resolve(of)), warm.run)
    found = warm.find_epoch(validation)
    if found is None:
        return setup, None
    described = {"metric": str(setup.metric), **found, **validation.describe()}
    schedule = replace(setup.schedule, stop_after=found["epoch"])
    return replace(setup, schedule=schedule), described
