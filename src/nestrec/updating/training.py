"""Train a model further: a few epochs from its vectors, and before that a search for the best of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.svd_rotation import rotate_embeddings
from nestrec.training.callbacks import Phase
from nestrec.training.cpu_engine import CpuEngine
from nestrec.training.options import Run
from nestrec.training.phase import PhaseRun
from nestrec.training.setup import TrainingSetup
from nestrec.training.stop_request import StopRequest
from nestrec.training.training_state import PhaseState, TrainingState
from nestrec.training.validation import Validation
from nestrec.updating.warm_start import KnownRows, Vectors, correct_vectors, load_state

_EPOCHS_BEFORE = 1  # of training, whose squared gradients Adagrad starts from: with more, steps are too small


@dataclass(frozen=True)
class WarmTraining:
    """Trains from the vectors of a model."""

    model: NestedEmbeddings
    rotated: bool  # vectors are rotated after training, as those of the model were
    run: Run
    stop: StopRequest

    def train(self, setup: TrainingSetup) -> Vectors:
        """Train all epochs of the schedule; return users and items."""
        phase = self._run_phase("final", setup, None)
        return self._finish(phase.engine.user_embeddings, phase.engine.item_embeddings)

    def find_epoch(self, validation: Validation) -> dict[str, Any] | None:
        """Train with an evaluation after each epoch; return the best epoch and its metrics, None if stopped before."""
        phase = self._run_phase("search", validation.setup, validation)
        found = phase.state.find_best()
        return None if found is None else {name: found[name] for name in ("epoch", "value", "metrics")}

    def start(self, interactions: Interactions) -> Vectors:
        """Return the vectors that training starts from."""
        return correct_vectors(self.model, interactions, KnownRows.match(self.model, interactions))

    def _run_phase(self, name: Phase, setup: TrainingSetup, validation: Validation | None) -> PhaseRun:
        engine = setup.start_engine(self.run)
        assert isinstance(engine, CpuEngine)
        load_state(engine, setup.interactions, self.start(setup.interactions), _EPOCHS_BEFORE)
        phase = PhaseRun(
            engine=engine,
            schedule=setup.schedule,
            validate=None if validation is None else _Rotating(validation, self.rotated),
            state=PhaseState(name),
            best=None,
            checkpoint=None,
            callbacks=self.run.callback_list,
            stop=self.stop,
            training_state=TrainingState,
        )
        phase.run()
        return phase

    def _finish(self, users: Float32Array, items: Float32Array) -> Vectors:
        if self.rotated:
            return rotate_embeddings(users, items)
        return np.ascontiguousarray(users), np.ascontiguousarray(items)


@dataclass(frozen=True)
class _Rotating:
    """Validation of what a model will be: its vectors after the rotation, if it is rotated."""

    validation: Validation
    rotated: bool

    def __call__(
        self, users: Float32Array, items: Float32Array, check_stop: Callable[[], None] | None = None
    ) -> tuple[dict[int, dict[str, float]], float]:
        """Return the metrics by width, and the value that chooses the epoch."""
        return self.validation(*(rotate_embeddings(users, items) if self.rotated else (users, items)), check_stop)


def shorten_schedule(setup: TrainingSetup, epochs: int, learning_rate: float) -> TrainingSetup:
    """Return the setup with the schedule of an update, of all levels; the learning rate falls to a tenth."""
    schedule = replace(
        setup.schedule,
        epochs=epochs,
        stop_after=epochs,
        learning_rate=learning_rate,
        final_learning_rate=learning_rate / 10,
        evaluate_every=1,
        level_starts=(0.0,) * len(setup.objective.widths),
    )
    return replace(setup, schedule=schedule)
