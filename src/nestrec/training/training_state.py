"""How far training has come, as records that a checkpoint stores as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from nestrec.training.callbacks import Phase
from nestrec.training.regularization_search import Trial


class PhaseState(msgspec.Struct):
    """How far a phase has come."""

    phase: Phase
    epoch: int = 0  # complete epochs
    position: int = 0  # positives done of the next epoch
    loss: float = 0.0  # sum over these
    n_trained: int = 0
    best_epoch: int = 0
    best_value: float | None = None  # None before the first evaluation
    history: list[dict[str, Any]] = msgspec.field(default_factory=list)  # one entry per evaluation

    def find_best(self) -> dict[str, Any] | None:
        """Return the history entry of the best epoch, None before the first evaluation."""
        return next((entry for entry in self.history if entry["epoch"] == self.best_epoch), None)


class TrainingState(msgspec.Struct):
    """The running phase and the results of the phases before it."""

    current: PhaseState
    trials: list[Trial] = []  # of the regularization search
    search: PhaseState | None = None
    rotated: dict[str, Any] | None = None  # validation metrics of the rotated embeddings, if these are better
