"""One call of `Trainer.fit`: its phases in order, the checkpoint they share, and the model they leave."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from nestrec.data.cold_ids import restrict_to
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import Split
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.evaluation.metric_registry import MetricAtCutoff
from nestrec.svd_rotation import rotate_embeddings
from nestrec.training.checkpoint import Checkpoint
from nestrec.training.checkpoint_folder import CheckpointFolder
from nestrec.training.manifest_sections import data_of, options_of
from nestrec.training.options import Run
from nestrec.training.phase import PhaseRun, PhaseState, Schedule
from nestrec.training.regularization_search import TRIAL_EPOCHS, best_multiple, multiple_of, next_step
from nestrec.training.stop_request import StoppedError, StopRequest
from nestrec.training.validation import Validation
from nestrec.training.validation_part import Coverage, carve, describe_validation, report_coverage

if TYPE_CHECKING:
    from nestrec.training.trainer import Trainer


def _is_from_search(phase: PhaseRun) -> bool:
    """Whether the search, not the final phase, is what gives the model, if it has come to rank anything."""
    return phase.state.phase != "final" or (phase.best is not None and not phase.is_finished)


class Fit:
    """What a trainer does with one set of interactions; call `result` once."""

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
        self.multiple = 1.0  # of the regularization that is the rule
        self.tried: dict[int, float] = {}
        self.objective = trainer.objective(interactions)
        self.schedule = trainer.schedule(interactions)
        self.validated_on = describe_validation(validation)
        self.coverage: Coverage | None = None
        self.validation = self._validation(validation)
        self.refit = refit and self.validation is not None and not isinstance(validation, Interactions)
        self.tunes = self._tunes()
        self.checkpoint = self._checkpoint()
        self.search: PhaseState | None = None
        self.rotated: dict[str, Any] | None = None  # metrics of the search's best vectors after rotation, where better
        self.cut_off = False  # a stop has ended the ranking of the rotated vectors
        self.began = time.perf_counter()
        self._opened = False

    def result(self) -> NestedEmbeddings:
        """Run the phases and return the model."""
        resumed = self.checkpoint.read() if self.checkpoint is not None and self.run.resume else None
        if self.run.resume and resumed is None and self.checkpoint is not None:
            self.run.callback_list.on_message(
                f"no checkpoint in {self.checkpoint.directory}: starting from the beginning"
            )
        return self._phases(*(resumed or (None, {})))

    def __enter__(self) -> Fit:
        """Lock the folder of the checkpoint, unless the caller has."""
        if self.checkpoint is not None and not self.checkpoint.folder.is_open:
            self.checkpoint.folder.open()
            self._opened = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the folder; the checkpoint stays."""
        if self.checkpoint is not None and self._opened:
            self.checkpoint.folder.close()

    def _validation(self, given: Split | Interactions | None) -> Validation | None:
        if given is None:
            return None
        train, held_out, self.coverage = carve(given, self.interactions)
        report_coverage(given, self.coverage, self.run.callback_list)
        metric, widths = MetricAtCutoff.parse(self.trainer.metric), self.objective.widths
        return Validation(train, held_out, metric, widths, self.run.threads)

    def _phases(self, saved: dict[str, Any] | None, arrays: dict[str, Any]) -> NestedEmbeddings:
        best = {
            name.removeprefix("best_"): np.array(a) for name, a in arrays.items() if name.startswith("best_")
        } or None
        if saved is not None:
            self.tried = dict(saved["tried"])
            self.search = None if saved["search"] is None else PhaseState.from_dict(saved["search"])
            self.rotated = saved["rotated"]
        if self.tunes and (saved is None or saved["current"]["phase"] == "tuning"):
            cut_off = self._tune(saved, arrays)
            if cut_off is not None:
                return self._model(cut_off)
            saved, best = None, None
        self.multiple = best_multiple(self.tried)
        self.objective = self.trainer.objective(self.interactions, self.multiple)
        if self.validation is not None and self.search is None:
            watched = self._phase("search", self.validation.train, self.schedule, best, saved, arrays)
            best = watched.best
            if self.stop.made:
                return self._model(watched)
            self._keep_finished(watched)
            watched.release()  # room for the turned vectors
            try:
                self.rotated = self._rotation_metrics(watched)
            except StoppedError:
                self.cut_off = True
                return self._model(watched)
            if not self.refit:
                return self._model(watched)
            self.search, saved = watched.state, None
            del watched
        epochs = self.search.best_epoch if self.search is not None else self.schedule.epochs
        schedule = replace(self.schedule, stop_after=epochs)
        final = self._phase("final", self.interactions, schedule, best, saved, arrays)
        self._keep_finished(final)
        return self._model(final)

    def _keep_finished(self, phase: PhaseRun) -> None:
        """Bring the checkpoint up to date, where there is one: it holds the model until that is saved."""
        if self.checkpoint is not None and (self.checkpoint.exists() or self.stop.made):
            phase.save()

    def _rotation_metrics(self, watched: PhaseRun) -> dict[str, Any] | None:
        """Rank the best of the search turned, and return how that goes; None where it is no better."""
        if not self.trainer.rotate or watched.best is None or self.validation is None or len(self.objective.widths) < 2:
            return None
        vectors = rotate_embeddings(watched.best["user_embeddings"], watched.best["item_embeddings"])
        # Without the state of the search on disk, a resumed run could not begin this ranking again.
        can_stop = self.checkpoint is None or self.checkpoint.exists()
        metrics, value = self.validation(*vectors, self.stop.check if can_stop else None)
        if not self._is_better(value, watched.state):
            return None
        self.run.callback_list.on_message(
            f"turned, so that prefixes are the best truncations, the vectors reach {self.trainer.metric} {value:.4f}, "
            "averaged over widths; so the model is turned"
        )
        by_width = {str(width): values for width, values in metrics.items()}
        return {"epoch": watched.state.best_epoch, "value": value, "metrics": by_width}

    def _is_better(self, value: float, search: PhaseState) -> bool:
        return any(value > of["value"] for of in search.history if of["epoch"] == search.best_epoch)

    def _tunes(self) -> bool:
        if self.trainer.tune_seconds and self.validation is None:
            raise OptionError(
                f"{self.trainer.tune_seconds:g} seconds of tuning mean nothing without a validation part; "
                "give one, or leave tune_seconds out"
            )
        return self.validation is not None and self.trainer.tunes(self.interactions)

    def _tune(self, saved: dict[str, Any] | None, arrays: dict[str, Any]) -> PhaseRun | None:
        """Try regularizations on the validation part; return the trial that a stop has cut off, if any."""
        assert self.validation is not None
        began, seconds = time.perf_counter(), self.trainer.tune_seconds
        while (step := next_step(self.tried)) is not None:
            self.multiple = multiple_of(step)
            trial = self._phase("tuning", self.validation.train, self._trial_schedule(), None, saved, arrays)
            if self.stop.made:
                return trial
            self.tried[step], saved = trial.state.best_value, None
            tried, value = trial.engine.objective.regularization, self.tried[step]
            self.run.callback_list.on_message(
                f"regularization {tried:.3g}: {self.trainer.metric} {value:.4f}, averaged over widths"
            )
            if seconds is not None and time.perf_counter() - began >= seconds:
                break
        return None

    def _trial_schedule(self) -> Schedule:
        epochs = min(TRIAL_EPOCHS, self.schedule.epochs)
        return replace(self.schedule, epochs=epochs, stop_after=epochs, evaluate_every=epochs)

    def _phase(
        self,
        name: Any,
        interactions: Interactions,
        schedule: Schedule,
        best: dict[str, Any] | None,
        saved: dict[str, Any] | None,
        arrays: dict[str, Any],
    ) -> PhaseRun:
        objective = self.trainer.objective(interactions, self.multiple)
        engine = self.trainer.start(interactions, objective, self.run)
        state = PhaseState(name)
        if saved is not None:
            state = PhaseState.from_dict(saved["current"])
            engine.restore({name: array for name, array in arrays.items() if not name.startswith("best_")})
        validate = None if name == "final" else self.validation
        phase = PhaseRun(
            engine, schedule, validate, state, best, self.checkpoint, self.run.callback_list, self.stop, self._kept
        )
        phase.run()
        return phase

    def _kept(self) -> dict[str, Any]:
        search = None if self.search is None else self.search.as_dict()
        tried = list(self.tried.items())  # pairs: the names of a JSON object are texts
        return {"search": search, "rotated": self.rotated, "tried": tried}

    def _model(self, phase: PhaseRun) -> NestedEmbeddings:
        """Return the model a phase leaves: of a whole final phase the last epoch, otherwise the best one known."""
        if phase.best is not None and _is_from_search(phase):
            users, items = phase.best["user_embeddings"], phase.best["item_embeddings"]
        else:
            users, items = phase.engine.user_embeddings, phase.engine.item_embeddings
        if self.rotated is not None:
            phase.release()
            users, items = rotate_embeddings(users, items)
        seen = self._seen(phase)
        return NestedEmbeddings(
            np.ascontiguousarray(users),
            np.ascontiguousarray(items),
            self.objective.widths,
            seen.users,
            seen.items,
            seen,
            self._manifest(phase, seen),
        )

    def _seen(self, phase: PhaseRun) -> Interactions:
        """Return all interactions of the users and items that the phase has trained."""
        if self.validation is None or not _is_from_search(phase):
            return self.interactions
        return restrict_to(self.interactions, self.validation.train.users, self.validation.train.items)

    def _manifest(self, phase: PhaseRun, seen: Interactions) -> dict[str, Any]:
        search = self.search if phase.state.phase == "final" else phase.state
        is_best = phase.best is not None and _is_from_search(phase)
        trained_on = self.validation.train if self.validation and _is_from_search(phase) else self.interactions
        chosen = self.rotated
        if chosen is None and search is not None:
            chosen = next((entry for entry in search.history if entry["epoch"] == search.best_epoch), None)
        return {
            "data": data_of(seen),
            "training": {
                "engine": "cpu" if self.trainer.engine is None else "torch",
                "options": options_of(self.trainer, self.interactions, self.objective, self.schedule, self.run),
                "validation": {**self.validated_on, **({} if self.coverage is None else self.coverage.as_dict())},
                "validation_metrics": chosen,
                "history": search.history if search else [],
                "epochs": search.best_epoch if search and is_best else phase.state.epoch,
                "trained_on": "all interactions" if trained_on is self.interactions else "all but the validation part",
                **self._interruption(phase),
                "rotated": self.rotated is not None,
                "tuning": [
                    {"regularization_multiple": multiple_of(step), "value": value} for step, value in self.tried.items()
                ],
                "seconds": round(time.perf_counter() - self.began, 3),
            },
        }

    def _interruption(self, phase: PhaseRun) -> dict[str, Any]:
        interrupted = self.cut_off or not phase.is_finished or self._is_before_the_last(phase)
        by = signal.Signals(self.stop.number).name if interrupted and self.stop.number is not None else None
        return {"interrupted": interrupted, **({} if by is None else {"interrupted_by": by})}

    def _is_before_the_last(self, phase: PhaseRun) -> bool:
        return phase.state.phase == "tuning" or (self.refit and phase.state.phase == "search")

    def _checkpoint(self) -> Checkpoint | None:
        if self.run.checkpoint is None:
            return None
        identity = {
            **options_of(self.trainer, self.interactions, self.objective, self.schedule, self.run),
            "data": self.interactions.fingerprint(),
            "validation": self.validated_on,
        }
        if self.validation is not None:  # the shape of the search's arrays
            searched = self.validation.train
            identity["search_data"] = {"n_users": searched.n_users, "n_items": searched.n_items}
        given = self.run.checkpoint
        folder = given if isinstance(given, CheckpointFolder) else CheckpointFolder(given)
        return Checkpoint(folder, {**identity, "refit": self.refit}, self.run.checkpoint_seconds)
