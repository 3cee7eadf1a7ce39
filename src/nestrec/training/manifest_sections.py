"""What a manifest says of the data and of the options, every choice of the data's filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nestrec.data.interactions import Interactions
from nestrec.training.objective import Objective
from nestrec.training.options import Run
from nestrec.training.phase import Schedule

if TYPE_CHECKING:
    from nestrec.training.trainer import Trainer


def data_of(interactions: Interactions) -> dict[str, Any]:
    """Return the sizes and the fingerprint."""
    return {
        "fingerprint": interactions.fingerprint(),
        "n_users": interactions.n_users,
        "n_items": interactions.n_items,
        "n_interactions": interactions.n_interactions,
    }


def options_of(
    trainer: Trainer, interactions: Interactions, objective: Objective, schedule: Schedule, run: Run
) -> dict[str, Any]:
    """Return the options by name: a run that goes on from a checkpoint must share them."""
    return {
        "widths": list(objective.widths),
        "level_weights": list(objective.level_weights),
        "backbone": repr(trainer.backbone),
        "loss": repr(trainer.loss),
        "sampler": repr(trainer.sampler),
        **trainer.engine_options(interactions),
        "n_candidates": objective.n_candidates,
        "regularization": objective.regularization,
        "regularize_whole": objective.whole,
        "starting_scale": objective.starting_scale,
        "epochs": schedule.epochs,
        "learning_rate": schedule.learning_rate,
        "final_learning_rate": schedule.final_learning_rate,
        "tune_seconds": trainer.tune_seconds,
        "rotate": trainer.rotate,
        "metric": trainer.metric,
        "evaluate_every": schedule.evaluate_every,
        "patience": trainer.patience,
        "seed": run.seed,
        "deterministic": run.deterministic,
    }
