"""Manifest sections that describe the training data and the resolved training options."""

from __future__ import annotations

from typing import Any

from nestrec.data.interactions import Interactions
from nestrec.training.options import Run
from nestrec.training.registry import CPU_ENGINE
from nestrec.training.setup import TrainingSetup


def describe_data(interactions: Interactions) -> dict[str, Any]:
    """Return the sizes and the fingerprint; of weights and dislikes where there are any."""
    return {
        "fingerprint": interactions.fingerprint(),
        "n_users": interactions.n_users,
        "n_items": interactions.n_items,
        "n_interactions": interactions.n_interactions,
        **({} if interactions.weights is None else {"weighted": True}),
        **({} if interactions.dislikes is None else {"n_dislikes": interactions.dislikes.n_interactions}),
    }


def describe_options(setup: TrainingSetup, run: Run) -> dict[str, Any]:
    """Return the options by name; a run that resumes from a checkpoint must have the same."""
    engine, objective, schedule = setup.engine, setup.objective, setup.schedule
    return {
        "widths": list(objective.widths),
        "level_weights": list(objective.level_weights),
        "level_starts": list(schedule.level_starts),
        "backbone": repr(setup.backbone),
        "loss": repr(setup.loss),
        "sampler": repr(setup.sampler),
        **({"engine": CPU_ENGINE} if engine is None else engine.describe(setup.backbone, setup.interactions)),
        "n_candidates": objective.n_candidates,
        "regularization": list(objective.regularization),
        "regularize_whole": objective.regularize_whole,
        "starting_scale": objective.starting_scale,
        "epochs": schedule.epochs,
        "learning_rate": schedule.learning_rate,
        "final_learning_rate": schedule.final_learning_rate,
        "tune_seconds": setup.tune_seconds,
        "rotate": setup.rotate,
        "metric": str(setup.metric),
        "evaluate_every": schedule.evaluate_every,
        "patience": schedule.patience,
        "seed": run.seed,
        "deterministic": run.deterministic,
    }
