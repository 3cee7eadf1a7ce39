"""How long LightGCN is trained: a search on part of the interactions finds the epoch, then it is trained on all.

The rule is that of `Trainer`: a tenth of the interactions is held out and ranked now and then, the epoch with the best
ndcg@20 is kept, and training starts again on everything, from the same starting values, for as many epochs.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from nestrec.baselines.lightgcn_engine import FloatMatrix, LightGCNEngine, Objective
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.errors import DataError, TrainingError
from nestrec.training.listener import EpochReport, Phase, PhaseStart
from nestrec.training.options import Run
from nestrec.training.validation import Metric, Validation
from nestrec.widths import Widths

MOST_EPOCHS = 300
EVALUATE_EVERY = 5
PATIENCE = 5  # rankings without a better value before the search ends


@dataclass(frozen=True)
class Training:
    """What is trained, where, and how the run goes."""

    objective: Objective
    device: torch.device
    run: Run

    def best_epoch(self, interactions: Interactions) -> int:
        """Search; return the epoch with the best validation. Raises DataError where nothing can be held out."""
        validation = self._validation(interactions)
        engine = self._started("search", validation.train, MOST_EPOCHS)
        best_epoch, best_value = 0, -math.inf
        for epoch in range(1, MOST_EPOCHS + 1):
            is_due = epoch % EVALUATE_EVERY == 0
            value = self._epoch("search", engine, epoch, best_value, validation if is_due else None)
            if value is not None and value > best_value:
                best_epoch, best_value = epoch, value
            if epoch - best_epoch >= EVALUATE_EVERY * PATIENCE:
                break
        return best_epoch

    def embeddings(self, interactions: Interactions, epochs: int) -> tuple[FloatMatrix, FloatMatrix]:
        """Train this many epochs on all interactions; return the propagated vectors of users and of items."""
        engine = self._started("final", interactions, epochs)
        for epoch in range(1, epochs + 1):
            self._epoch("final", engine, epoch)
        return engine.embeddings()

    def _started(self, phase: Phase, interactions: Interactions, epochs: int) -> LightGCNEngine:
        engine = LightGCNEngine(interactions, self.objective, self.run.seed, self.device)
        self.run.listener.phase_started(PhaseStart(phase, epochs, engine.n_positives, 0))
        return engine

    def _epoch(
        self,
        phase: Phase,
        engine: LightGCNEngine,
        epoch: int,
        best_value: float = math.inf,
        validation: Validation | None = None,
    ) -> float | None:
        """Train one epoch and tell of it; return the value that chooses the epoch, where validation is ranked."""
        began = time.perf_counter()
        loss = engine.train_epoch(epoch, self.run.listener.advanced)
        rate = engine.n_positives / max(time.perf_counter() - began, 1e-9)
        self._check_finite(loss, epoch)
        metrics = value = None
        if validation is not None:
            metrics, value = validation(*engine.embeddings())
        is_best = value is not None and value > best_value
        self.run.listener.epoch_done(EpochReport(phase, epoch, loss, rate, metrics, value, is_best))
        return value

    def _validation(self, interactions: Interactions) -> Validation:
        try:
            train, held_out = RandomSplit(0.1).split(interactions)
        except DataError as error:
            raise DataError(
                "no user of these data has two interactions, so none can be held out to choose the number of epochs; "
                "give lightgcn its epochs, as in epochs=30"
            ) from error
        return Validation(train, held_out, Metric("ndcg", 20), Widths([self.objective.width]), self.run.threads)

    def _check_finite(self, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"lightgcn's loss became {loss} in epoch {epoch}; lower its learning_rate "
                f"(it was {self.objective.learning_rate:g})"
            )
