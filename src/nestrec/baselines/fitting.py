"""What every fit of a baseline begins and ends with: dropping cold ids, refusing, and wrapping vectors up."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from nestrec.baselines.baseline import Baseline
from nestrec.data.cold_ids import drop_cold
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, TrainingError
from nestrec.training.check_interactions import check_learnable
from nestrec.training.options import Run
from nestrec.widths import Widths


def prepare_interactions(method: Baseline, interactions: Interactions, run: Run) -> Interactions:
    """Return what can be learned from: interactions without the ids of cold users and items, as in `Trainer.fit`.

    Raises DataError where there is nothing to learn, OptionError where the run wants a checkpoint of this method.
    """
    interactions = drop_cold(interactions)
    check_learnable(interactions)
    if run.checkpoint is not None:
        raise OptionError(
            f"{method.name} keeps no checkpoint, and {run.checkpoint} was named for one; leave it out, "
            "or choose nestrec, which does"
        )
    return interactions


def only_width(method: Baseline, widths: Widths) -> int:
    """Return the width of a ladder of one; raise OptionError for more."""
    if len(widths) != 1:
        given = ", ".join(map(str, widths))
        raise OptionError(f"{method.name} is trained at one width at a time, not at {given}; fit it once for each")
    return widths.embedding_size


def embeddings(
    method: Baseline,
    interactions: Interactions,
    widths: Widths,
    users: npt.NDArray[np.floating],  # (n_users, embedding_size)
    items: npt.NDArray[np.floating],  # (n_items, embedding_size)
    run: Run,
) -> NestedEmbeddings:
    """Return the vectors as a model that everything works on, with the method and its options in the manifest.

    Raises TrainingError where a number is not finite.
    """
    options = asdict(cast("Any", method))
    for side, vectors in (("user", users), ("item", items)):
        if not np.isfinite(vectors.sum(dtype=np.float64)):
            given = ", ".join(f"{name} {value}" for name, value in options.items()) or "no options"
            raise TrainingError(
                f"{method.name} with {given} gave {side} vectors that are not finite; choose other values"
            )
    return NestedEmbeddings(
        np.ascontiguousarray(users, dtype=np.float32),
        np.ascontiguousarray(items, dtype=np.float32),
        widths,
        interactions.users,
        interactions.items,
        interactions,
        {"baseline": {"name": method.name, "options": options, "seed": run.seed}},
        check=False,
    )
