"""One phase of training: epochs of slices, with validation, early stopping and checkpoints between them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.errors import TrainingError
from nestrec.training.callbacks import Callback, EpochReport, Phase, PhaseStart
from nestrec.training.checkpoint import Checkpoint
from nestrec.training.engines import RunningEngine
from nestrec.training.stop_request import StoppedError, StopRequest

AS_GOOD = 0.99  # of the best value: within it, which epoch is higher is chance


class Validator(Protocol):
    """Ranks held-out interactions."""

    def __call__(
        self, users: Float32Array, items: Float32Array, check_stop: Callable[[], None] | None = None
    ) -> tuple[dict[int, dict[str, float]], float]:
        """Return (width -> label -> value, the value that chooses the epoch); `check_stop` ends it by raising."""


@dataclass
class PhaseState:
    """How far a phase has come; plain values, so that it can be written as JSON."""

    phase: Phase
    epoch: int = 0  # whole epochs done
    position: int = 0  # positives done of the next
    loss: float = 0.0  # sum over those
    n_trained: int = 0
    best_epoch: int = 0
    best_value: float = -math.inf
    history: list[dict[str, Any]] = field(default_factory=list)  # one entry an evaluation

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values; no best value yet is None."""
        best = self.best_value if math.isfinite(self.best_value) else None
        return {**asdict(self), "best_value": best}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PhaseState:
        """Take up what `as_dict` gave."""
        best = values["best_value"]
        return cls(**{**values, "best_value": -math.inf if best is None else best})


@dataclass(frozen=True)
class Schedule:
    """How long, how fast, and when to look."""

    epochs: int  # the step falls in a straight line over these
    stop_after: int  # epochs to run
    learning_rate: float
    final_learning_rate: float
    evaluate_every: int
    patience: int  # evaluations without a better value before stopping

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        share = epoch / max(1, self.epochs - 1)
        return self.learning_rate + share * (self.final_learning_rate - self.learning_rate)

    def looks_at(self, epoch: int) -> bool:
        """Whether validation is ranked after this many epochs."""
        return epoch % self.evaluate_every == 0 or epoch == self.stop_after


@dataclass
class PhaseRun:
    """An engine, its schedule and all that watches it."""

    engine: RunningEngine
    schedule: Schedule
    validate: Validator | None
    state: PhaseState
    best: dict[str, Float32Array] | None  # the best embeddings so far, where validation chooses
    checkpoint: Checkpoint | None
    callbacks: Callback
    stop: StopRequest
    extra: Callable[[], dict[str, Any]]  # what of the earlier phase a checkpoint must keep

    def run(self) -> None:
        """Train until the schedule or early stopping ends it, or a stop is requested."""
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
        """Make room when the phase is over: of what was trained, the best alone is kept where it is kept beside it."""
        self.engine.release(vectors=self.best is not None and self.state.phase != "final")

    @property
    def is_finished(self) -> bool:
        """Whether the schedule or early stopping has ended it."""
        return self.state.epoch >= self.schedule.stop_after or self._has_lost_patience()

    def save(self) -> None:
        """Write the checkpoint, if there is one to write; a state that has diverged leaves the last good one there."""
        if self.checkpoint is None:
            return
        arrays = self.engine.state()
        if all(math.isfinite(float(array.sum(dtype=np.float64))) for array in arrays.values()):
            best = {f"best_{name}": array for name, array in (self.best or {}).items()}
            try:
                self.checkpoint.write({**self.extra(), "current": self.state.as_dict()}, {**arrays, **best})
            except TrainingError as error:  # a full disk is no reason to lose what has been trained
                self.callbacks.on_message(f"{error}; training goes on without it")

    def _finish_epoch(self) -> tuple[float, int]:
        state, start = self.state, time.perf_counter()
        begun_at = state.position
        rate = self.schedule.rate(state.epoch)
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
        if self.validate is not None and self.schedule.looks_at(state.epoch + 1):
            metrics, value = self.validate(self.engine.user_embeddings, self.engine.item_embeddings, self.stop.check)
        loss = state.loss / max(1, state.n_trained)
        state.epoch, state.position, state.loss, state.n_trained = state.epoch + 1, 0, 0.0, 0
        if metrics is not None and value is not None:
            best = value > self.state.best_value
            self._keep_best(value)
            by_width = {str(width): values for width, values in metrics.items()}
            state.history.append({"epoch": state.epoch, "loss": loss, "value": value, "metrics": by_width})
        self.callbacks.on_epoch_end(EpochReport(state.phase, state.epoch, loss, rate, metrics, value, best))

    def _keep_best(self, value: float) -> None:
        """Keep the latest of the epochs that are as good as the best: a longer run ends with smaller steps."""
        if value < AS_GOOD * self.state.best_value:
            return
        self.state.best_epoch, self.state.best_value = self.state.epoch, max(value, self.state.best_value)
        now = {"user_embeddings": self.engine.user_embeddings, "item_embeddings": self.engine.item_embeddings}
        if self.best is None:
            self.best = {name: array.copy() for name, array in now.items()}
        else:
            for name, array in now.items():
                np.copyto(self.best[name], array)

    def _has_lost_patience(self) -> bool:
        since = [entry for entry in self.state.history if entry["epoch"] > self.state.best_epoch]
        return len(since) >= self.schedule.patience

    def _has_checkpoint(self) -> bool:
        return self.checkpoint is not None and self.checkpoint.exists()

    def _check_loss(self) -> None:
        if math.isfinite(self.state.loss):
            return
        kept = (
            f"; the last good state is in {self.checkpoint.directory}"
            if self.checkpoint is not None and self._has_checkpoint()
            else ""
        )
        raise TrainingError(
            f"the loss became {self.state.loss} in epoch {self.state.epoch + 1}; lower the learning rate "
            f"(it was {self.schedule.rate(self.state.epoch):g}) or the starting scale{kept}"
        )
