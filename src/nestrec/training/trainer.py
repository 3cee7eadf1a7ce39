"""`Trainer`: from interactions to embeddings that nest.

Two phases. `search` trains on part of the interactions, ranks the rest now and then, and finds the epoch with the best
metric averaged over the widths. `final` starts again from the same values on all interactions and stops after that many
epochs, so that no interaction is wasted on validation in the model that ships.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit, Split
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError
from nestrec.kernels.threads import checked_threads
from nestrec.training.adaptive import candidates_for, epochs_for, regularization_for
from nestrec.training.checkpoint import Checkpoint
from nestrec.training.engine import CpuEngine, Objective
from nestrec.training.interrupts import StopRequest
from nestrec.training.options import Run, check_count, check_range, checked_level_weights
from nestrec.training.phase import PhaseRun, PhaseState, Schedule
from nestrec.training.samplers import DynamicSampler, Sampler
from nestrec.training.validation import Metric, Validation, carved, described, tell_unmatched
from nestrec.widths import Widths

DEFAULT_WIDTHS = (4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Trainer:
    """What model is wanted; `fit` trains it.

    >>> from nestrec import Trainer, World
    >>> world = World(n_users=200, n_items=160).generate(seed=1)
    >>> model = Trainer(widths=(2, 4, 8), epochs=3).fit(world.interactions)
    >>> model.widths, model.user_embeddings.shape
    (Widths(values=(2, 4, 8)), (200, 8))
    """

    widths: Widths | Iterable[int] = DEFAULT_WIDTHS
    """Prefix lengths that must each be a good recommender: ascending, unique, at most 1024."""
    level_weights: Sequence[float] | None = None
    """Share of each width in the loss; scaled to sum to 1, equal by default."""
    sampler: Sampler = field(default_factory=DynamicSampler)
    """How negatives are chosen."""
    epochs: int | None = None
    """Passes over the interactions, at most; the learning rate falls in a straight line over them. None: by density."""
    learning_rate: float = 0.2
    """Size of the first steps, before each coordinate's own adaptive scaling."""
    final_learning_rate: float | None = None
    """Size of the steps of the last epoch; None: a tenth of the first ones."""
    regularization: float | None = None
    """Weight of the squared coordinates a positive touches, less for those that few widths hold; None: by density."""
    starting_scale: float = 0.0125
    """Standard deviation of the normal starting values."""
    metric: str = "ndcg@20"
    """What chooses the epoch, averaged over the widths."""
    evaluate_every: int | None = None
    """Epochs between two rankings of the validation part; None: a twelfth of the epochs."""
    patience: int = 8
    """Rankings without a better value before the search ends; values still rise late, as the learning rate falls."""

    def __post_init__(self) -> None:
        """Check every value once; raise OptionError with the rule and the way out."""
        widths = self.widths if isinstance(self.widths, Widths) else Widths(self.widths)
        object.__setattr__(self, "widths", widths)
        weights = None if self.level_weights is None else tuple(self.level_weights)
        checked_level_weights(weights, widths)
        object.__setattr__(self, "level_weights", weights)
        check_count("epochs", 1 if self.epochs is None else self.epochs, 100_000, 60)
        check_range("learning rate", self.learning_rate, 1e-6, 10, 0.2)
        check_range("final learning rate", self._final_learning_rate(), 0, 10, 0.02)
        check_range("starting scale", self.starting_scale, 1e-6, 10, 0.0125)
        check_count("evaluate_every", 1 if self.evaluate_every is None else self.evaluate_every, 100_000, 5)
        check_count("patience", self.patience, 100_000, 8)
        if self.regularization is not None:
            check_range("regularization", self.regularization, 0, 100, 0.05)
        Metric.parse(self.metric)

    def fit(
        self,
        interactions: Interactions,
        *,
        validation: Split | Interactions | None = RandomSplit(0.1),  # noqa: B008 - a frozen value
        refit: bool = True,
        run: Run = Run(),  # noqa: B008 - a frozen value
    ) -> NestedEmbeddings:
        """Train on interactions and return the embeddings; `manifest["training"]` tells how it went.

        Args:
            interactions: who interacted with what.
            validation: how to carve out the part that chooses the epoch; or that part itself, which is then not trained
                on; or None to train all epochs unwatched.
            refit: train again on all interactions for the epochs that a split's validation chose.
            run: seed, threads, checkpoint, listener.

        Interrupted (Ctrl-C, SIGTERM) it returns the best model so far, says so in the manifest and leaves a checkpoint.
        Raises DataError where the data hold nothing to learn from, TrainingError where the loss is not finite or the
        checkpoint is another run's.

        """
        check_learnable(interactions)
        with StopRequest() as stop:
            return _Fit(self, interactions, validation, refit, run, stop).result()

    def objective(self, interactions: Interactions) -> Objective:
        """Return the objective with what the data decide filled in."""
        assert isinstance(self.widths, Widths)
        n_candidates, regularization = self.sampler.n_candidates, self.regularization
        return Objective(
            self.widths,
            checked_level_weights(self.level_weights, self.widths),
            candidates_for(interactions) if n_candidates is None else n_candidates,
            regularization_for(interactions) if regularization is None else regularization,
            self.starting_scale,
        )

    def _final_learning_rate(self) -> float:
        return self.learning_rate / 10 if self.final_learning_rate is None else self.final_learning_rate

    def schedule(self, interactions: Interactions) -> Schedule:
        """Return the schedule of a phase that runs all epochs."""
        epochs = epochs_for(interactions) if self.epochs is None else self.epochs
        every = max(1, epochs // 12) if self.evaluate_every is None else self.evaluate_every
        return Schedule(epochs, epochs, self.learning_rate, self._final_learning_rate(), every, self.patience)


def check_learnable(interactions: Interactions) -> None:
    """Raise DataError where no positive has a negative to be ranked above."""
    n_items = interactions.n_items
    if interactions.n_interactions == 0:
        raise DataError("there are no interactions to train on; give a file with at least one")
    if n_items < 2:
        raise DataError(f"there is {n_items} item, so there is nothing to choose between; give at least 2 items")
    sizes = np.diff(interactions.indptr)
    if bool(np.all((sizes == 0) | (sizes >= n_items))):
        raise DataError(
            f"every user has interacted with all {n_items} items, so no item is left to be ranked lower; "
            "give data in which users have not seen everything, or raise the minimum rating"
        )


def _is_from_search(phase: PhaseRun) -> bool:
    """Whether the search, not the final phase, is what gives the model, if it has come to rank anything."""
    return phase.state.phase == "search" or (phase.best is not None and not phase.is_finished)


class _Fit:
    """One call of `Trainer.fit`: its phases, in order, and what they leave."""

    def __init__(
        self,
        trainer: Trainer,
        interactions: Interactions,
        validation: Split | Interactions | None,
        refit: bool,
        run: Run,
        stop: StopRequest,
    ) -> None:
        self.trainer, self.interactions, self.run, self.stop = trainer, interactions, run, stop
        self.objective = trainer.objective(interactions)
        self.schedule = trainer.schedule(interactions)
        self.validated_on = described(validation)
        self.validation = self._validation(validation)
        self.refit = refit and self.validation is not None and not isinstance(validation, Interactions)
        self.checkpoint = self._checkpoint()
        if self.checkpoint is not None:
            self.checkpoint.refuse_foreign()
        self.search: PhaseState | None = None
        self.began = time.perf_counter()

    def result(self) -> NestedEmbeddings:
        """Run the phases and return the model."""
        resumed = self.checkpoint.read() if self.checkpoint is not None and self.run.resume else None
        if self.run.resume and resumed is None:
            self.run.listener.note(f"no checkpoint in {self.run.checkpoint}: starting from the beginning")
        model = self._phases(*(resumed or (None, {})))
        if self.checkpoint is not None and not model.manifest["training"]["interrupted"]:
            self.checkpoint.remove()
        return model

    def _validation(self, given: Split | Interactions | None) -> Validation | None:
        if given is None:
            return None
        train, held_out = carved(given, self.interactions)
        if isinstance(given, Interactions):
            tell_unmatched(given, held_out, self.run.listener)
        metric, widths = Metric.parse(self.trainer.metric), self.objective.widths
        return Validation(train, held_out, metric, widths, self.run.threads)

    def _phases(self, saved: dict[str, Any] | None, arrays: dict[str, Any]) -> NestedEmbeddings:
        best = {
            name.removeprefix("best_"): np.array(a) for name, a in arrays.items() if name.startswith("best_")
        } or None
        if saved is not None and saved["search"] is not None:
            self.search = PhaseState.from_dict(saved["search"])
        if self.validation is not None and self.search is None:
            watched = self._phase("search", self.validation.train, self.schedule.epochs, best, saved, arrays)
            best = watched.best
            if self.stop.made or not self.refit:
                return self._model(watched)
            self.search, saved = watched.state, None
            del watched
        epochs = self.search.best_epoch if self.search is not None else self.schedule.epochs
        return self._model(self._phase("final", self.interactions, epochs, best, saved, arrays))

    def _phase(
        self,
        name: Any,
        interactions: Interactions,
        epochs: int,
        best: dict[str, Any] | None,
        saved: dict[str, Any] | None,
        arrays: dict[str, Any],
    ) -> PhaseRun:
        threads = 1 if self.run.deterministic else checked_threads(self.run.threads)
        engine = CpuEngine(
            interactions.indptr, interactions.indices, interactions.n_items, self.objective, self.run.seed, threads
        )
        state = PhaseState(name)
        if saved is not None:
            state = PhaseState.from_dict(saved["current"])
            engine.restore({key: arrays[key] for key in engine.state()})
        validate = self.validation if name == "search" else None
        schedule = replace(self.schedule, stop_after=epochs)
        phase = PhaseRun(
            engine, schedule, validate, state, best, self.checkpoint, self.run.listener, self.stop, self._kept
        )
        phase.run()
        return phase

    def _kept(self) -> dict[str, Any]:
        return {"search": None if self.search is None else self.search.as_dict()}

    def _model(self, phase: PhaseRun) -> NestedEmbeddings:
        """Return the model a phase leaves: of a whole final phase the last epoch, otherwise the best one known."""
        size = self.objective.widths.embedding_size
        if phase.best is not None and _is_from_search(phase):
            users, items = phase.best["user_embeddings"], phase.best["item_embeddings"]
        else:
            users, items = phase.engine.users[:, :size], phase.engine.items[:, :size]
        return NestedEmbeddings(
            np.ascontiguousarray(users),
            np.ascontiguousarray(items),
            self.objective.widths,
            self.interactions.users,
            self.interactions.items,
            self.interactions,
            self._manifest(phase),
        )

    def _manifest(self, phase: PhaseRun) -> dict[str, Any]:
        search = phase.state if phase.state.phase == "search" else self.search
        is_best = phase.best is not None and _is_from_search(phase)
        trained_on = self.validation.train if self.validation and _is_from_search(phase) else self.interactions
        chosen = (
            next((entry for entry in search.history if entry["epoch"] == search.best_epoch), None) if search else None
        )
        return {
            "data": {
                "fingerprint": self.interactions.fingerprint(),
                "n_users": self.interactions.n_users,
                "n_items": self.interactions.n_items,
                "n_interactions": self.interactions.n_interactions,
            },
            "training": {
                "engine": "cpu",
                "options": self._options(),
                "validation": self.validated_on,
                "validation_metrics": chosen,
                "history": search.history if search else [],
                "epochs": search.best_epoch if search and is_best else phase.state.epoch,
                "trained_on": "all interactions" if trained_on is self.interactions else "all but the validation part",
                "interrupted": not phase.is_finished or (self.refit and phase.state.phase == "search"),
                "seconds": round(time.perf_counter() - self.began, 3),
            },
        }

    def _options(self) -> dict[str, Any]:
        trainer, objective = self.trainer, self.objective
        return {
            "widths": list(objective.widths),
            "level_weights": list(objective.level_weights),
            "sampler": type(trainer.sampler).__name__,
            "n_candidates": objective.n_candidates,
            "regularization": objective.regularization,
            "starting_scale": objective.starting_scale,
            "epochs": self.schedule.epochs,
            "learning_rate": trainer.learning_rate,
            "final_learning_rate": self.schedule.final_learning_rate,
            "metric": trainer.metric,
            "evaluate_every": self.schedule.evaluate_every,
            "patience": trainer.patience,
            "seed": self.run.seed,
            "deterministic": self.run.deterministic,
        }

    def _checkpoint(self) -> Checkpoint | None:
        if self.run.checkpoint is None:
            return None
        identity = {**self._options(), "data": self.interactions.fingerprint(), "validation": self.validated_on}
        return Checkpoint(self.run.checkpoint, {**identity, "refit": self.refit}, self.run.checkpoint_seconds)
