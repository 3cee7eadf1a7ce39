"""The model that a phase of training leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.data.cold_ids import restrict_to
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.svd_rotation import rotate_embeddings
from nestrec.training.manifest_sections import describe_data
from nestrec.training.phase import PhaseRun
from nestrec.training.setup import TrainingSetup


def build_model(
    setup: TrainingSetup,
    phase: PhaseRun,
    trained_on: Interactions,
    training: dict[str, Any],  # section of the manifest
    *,
    rotate: bool,
) -> NestedEmbeddings:
    """Return the model of a phase: the last epoch of a complete final phase, otherwise the best known epoch.

    It knows all interactions of the users and items that were trained on.
    """
    if phase.best is not None and is_from_search(phase):
        users, items = phase.best["user_embeddings"], phase.best["item_embeddings"]
    else:
        users, items = phase.engine.user_embeddings, phase.engine.item_embeddings
    if rotate:
        phase.release()
        users, items = rotate_embeddings(users, items)
    seen = restrict_to(setup.interactions, trained_on.users, trained_on.items)
    return NestedEmbeddings(
        np.ascontiguousarray(users),
        np.ascontiguousarray(items),
        setup.objective.widths,
        seen.users,
        seen.items,
        seen,
        {"data": describe_data(seen), "training": training},
    )


def is_from_search(phase: PhaseRun) -> bool:
    """Return whether the model comes from the search rather than the final refit."""
    return phase.state.phase != "final" or (phase.best is not None and not phase.is_finished)
