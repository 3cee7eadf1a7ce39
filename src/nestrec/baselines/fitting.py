"""Steps shared by the fits of baselines: check and prepare interactions, build models from embeddings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from nestrec.baselines.baseline import Baseline
from nestrec.data.cold_ids import drop_cold
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError, OptionError, TrainingError
from nestrec.training.check_interactions import check_learnable
from nestrec.training.options import Run
from nestrec.widths import Widths


def prepare_interactions(method: Baseline, interactions: Interactions, run: Run) -> Interactions:
    """Return the interactions without cold users and items, as in `Trainer.fit`.

    Raises DataError if there are too few to learn from, OptionError if the run has a checkpoint.
    """
    interactions = drop_cold(interactions)
    check_learnable(interactions)
    if run.checkpoint is not None:
        raise OptionError(
            f"checkpoint must be left out for {method.name}, which does not support it; got {run.checkpoint}",
            option="checkpoint",
        )
    return interactions


def check_epochs_can_be_chosen(epochs: int | None, interactions: Interactions) -> None:
    """Raise DataError if no number of epochs is given and nothing can be held out to choose one."""
    if epochs is not None:
        return
    try:
        RandomSplit(0.1).split(interactions)
    except DataError as error:
        raise DataError(
            "some user must have two interactions, to hold one out for choosing the number of epochs; give it "
            "instead, such as epochs=30",
            mentions=("epochs=30",),
        ) from error


def only_width(method: Baseline, widths: Widths) -> int:
    """Return the only width; raise OptionError for several."""
    if len(widths) != 1:
        given = ", ".join(map(str, widths))
        raise OptionError(f"{method.name} is fitted at one width at a time, got {given}; fit it once per width")
    return widths.embedding_size


def build_model(
    method: Baseline,
    interactions: Interactions,
    widths: Widths,
    users: npt.NDArray[np.floating],  # (n_users, embedding_size)
    items: npt.NDArray[np.floating],  # (n_items, embedding_size)
    run: Run,
    epochs: int | None = None,  # chosen on a validation part, for the manifest
) -> NestedEmbeddings:
    """Return the embeddings as a model, with the method and its options in the manifest.

    Raises TrainingError if a value is not finite.
    """
    options = asdict(cast("Any", method))
    chosen = {} if epochs is None else {"epochs": epochs}
    for side, vectors in (("user", users), ("item", items)):
        if not np.isfinite(vectors.sum(dtype=np.float64)):
            given = ", ".join(f"{name} {value}" for name, value in options.items()) or "no options"
            raise TrainingError(f"{side} embeddings of {method.name} with {given} are not finite; choose other options")
    return NestedEmbeddings(
        np.ascontiguousarray(users, dtype=np.float32),
        np.ascontiguousarray(items, dtype=np.float32),
        widths,
        interactions.users,
        interactions.items,
        interactions,
        {"baseline": {"name": method.name, "options": options, "seed": run.seed, **chosen}},
        check=False,
    )
