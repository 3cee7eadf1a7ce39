"""One phase of training: epochs, validation, early stopping and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.errors import TrainingError
from nestrec.training.callbacks import Callback, EpochReport, PhaseStart
from nestrec.training.checkpoint import Checkpoint
from nestrec.training.engines import RunningEngine
from nestrec.training.schedule import Schedule
from nestrec.training.stop_request import StoppedError, StopRequest
from nestrec.training.training_state import PhaseState, TrainingState

AS_GOOD = 0.99  # of the best value: between epochs above it, the difference is noise


class Validator(Protocol):
    """Evaluates embeddings on held-out interactions."""

    def __call__(
        self, users: Float32Array, items: Float32Array, check_stop: Callable[[], None] | None = None
    ) -> tuple[dict[int, dict[str, float]], float]:
        """Return (width -> label -> value, the value that chooses the epoch); `check_stop` ends it by raising."""


@dataclass
class PhaseRun:
    """Runs one training phase: epochs, validation, early stopping and checkpoints."""

    engine: RunningEngine
    schedule: Schedule
    validate: Validator | None
    state: PhaseState
    best: dict[str, Float32Array] | None  # the best embeddings so far, where validation chooses
    checkpoint: Checkpoint | None
    callbacks: Callback
    stop: StopRequest
    training_state: Callable[[PhaseState], TrainingState]  # adds the results of earlier phases, for the checkpoint

    def run(self) -> None:
        """Train until the schedule or early stopping ends the phase, or a stop is requested."""
        state, n_positives = self.state, self.engine.n_positives
        done = state.epoch * n_positives + state.position
        self.callbacks.on_phase_start(PhaseStart(state.phase, self.schedule.stop_after, n_positives, done))
        while not self.is_finished:
            seconds, begun_at = self._finish_epoch()
            if self.stop.made:
                break
            try:
                self._close_epoch((n_positives - begun_at) / max(seconds, 1e-9))
            except StoppedError:
                break
            if self.checkpoint is not None and self.checkpoint.is_due():
                self.save()
        if self.stop.made:
            self.save()

    def release(self) -> None:
        """Free memory after the phase: the engine's embeddings too, unless they are the result."""
        self.engine.release(vectors=self.best is not None and self.state.phase != "final")

    @property
    def is_finished(self) -> bool:
        """Whether the schedule or early stopping has ended the phase."""
        return self.state.epoch >= self.schedule.stop_after or self._is_out_of_patience()

    def save(self) -> None:
        """Write the checkpoint, if there is one; parameters that are not finite leave the last good state in place."""
        if self.checkpoint is None:
            return
        arrays = self.engine.state()
        if all(math.isfinite(float(array.sum(dtype=np.float64))) for array in arrays.values()):
            try:
                self.checkpoint.write(self.training_state(self.state), arrays, self.best)
            except TrainingError as error:  # training need not end because a disk is full
                self.callbacks.on_message(f"{error}; training continues without it")

    def _finish_epoch(self) -> tuple[float, int]:
        state, start = self.state, time.perf_counter()
        begun_at = state.position
        rate = self.schedule.rate(state.epoch)
        self.engine.use_levels(self.schedule.n_levels(state.epoch))
        while state.position < self.engine.n_positives and not self.stop.made:
            end = min(state.position + self.engine.slice_size, self.engine.n_positives)
            loss, n_trained = self.engine.train(state.epoch, state.position, end, rate)
            self.callbacks.on_progress(end - state.position)
            state.position, state.loss, state.n_trained = end, state.loss + loss, state.n_trained + n_trained
            self._check_loss()
            if self.checkpoint is not None and end < self.engine.n_positives and self.checkpoint.is_due():
                self.save()
        return time.perf_counter() - start, begun_at

    def _close_epoch(self, rate: float) -> None:
        state = self.state
        metrics, value, best = None, None, False
        if self.validate is not None and self.schedule.evaluates_after(state.epoch + 1):
            metrics, value = self.validate(self.engine.user_embeddings, self.engine.item_embeddings, self.stop.check)
        loss = state.loss / max(1, state.n_trained)
        state.epoch, state.position, state.loss, state.n_trained = state.epoch + 1, 0, 0.0, 0
        if metrics is not None and value is not None:
            best = state.best_value is None or value > state.best_value
            self._keep_best(value)
            by_width = {str(width): values for width, values in metrics.items()}
            state.history.append({"epoch": state.epoch, "loss": loss, "value": value, "metrics": by_width})
        self.callbacks.on_epoch_end(EpochReport(state.phase, state.epoch, loss, rate, metrics, value, best))

    def _keep_best(self, value: float) -> None:
        """Keep the latest of the epochs that are as good as the best: it had the smallest learning rate."""
        state = self.state
        if state.best_value is not None and value < AS_GOOD * state.best_value:
            return
        state.best_epoch = state.epoch
        state.best_value = value if state.best_value is None else max(value, state.best_value)
        now = {"user_embeddings": self.engine.user_embeddings, "item_embeddings": self.engine.item_embeddings}
        if self.best is None:
            self.best = {name: array.copy() for name, array in now.items()}
        else:
            for name, array in now.items():
                np.copyto(self.best[name], array)

    def _is_out_of_patience(self) -> bool:
        since = [entry for entry in self.state.history if entry["epoch"] > self.state.best_epoch]
        return len(since) >= self.schedule.patience

    def _check_loss(self) -> None:
        if math.isfinite(self.state.loss):
            return
        has_state = self.checkpoint is not None and self.checkpoint.exists()
        kept = f"; the last good state is in {self.checkpoint.directory}" if self.checkpoint and has_state else ""
        raise TrainingError(
            f"the loss must be finite, got {self.state.loss} in epoch {self.state.epoch + 1}; lower learning_rate "
            f"(it was {self.schedule.rate(self.state.epoch):g}) or starting_scale{kept}",
            mentions=("learning_rate", "starting_scale"),
        )
